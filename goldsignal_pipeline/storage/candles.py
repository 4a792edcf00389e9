"""`candles`: the current bars of every timeframe, replaced by range and only where they differ.

A range is a range of *closing* times: a bar belongs to the month in which it closes. H4 and D1 close by New York's clock, so
the range of opens is computed per timeframe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from psycopg import sql
from sqlalchemy import Connection, text

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close, bar_open
from goldsignal_pipeline.storage import bulk
from goldsignal_pipeline.storage.binary_encoding import TextField
from goldsignal_pipeline.storage.bulk import Kind
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.locks import lock_months, months_in

TABLE: Final = "candles"
KEY: Final = ("symbol", "timeframe", "timestamp")
KINDS: Final[dict[str, Kind]] = {
    "timeframe": Kind.TEXT,
    "timestamp": Kind.INSTANT,
    "open": Kind.TICKS,
    "high": Kind.TICKS,
    "low": Kind.TICKS,
    "close": Kind.TICKS,
    "volume": Kind.VOLUME,
    "source": Kind.TEXT,
    "base_timeframe": Kind.TEXT,
    "base_bars": Kind.INTEGER,
    "flag": Kind.TEXT,
}
VALUES: Final = tuple(name for name in KINDS if name not in KEY)

_JUST_BEFORE: Final = np.timedelta64(1, "us")


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What replacing a range did to its rows."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The opens [first, beyond) of the bars of a timeframe that close in a range."""

    timeframe: Timeframe
    first: np.datetime64
    beyond: np.datetime64


def replace_range(connection: Connection, *, symbol: str, start: datetime, end: datetime, candles: pd.DataFrame) -> MergeResult:
    """Make `candles` the bars of `symbol` that close in [start, end); rows that are equal already are not written.

    `candles`: `timeframe`, `timestamp` (open), prices in int64 ticks, `volume`, `source`, `base_timeframe`, `base_bars`,
    `flag` ("" for none). The months are locked until the transaction ends. Raises `DataError` for a bar that closes outside
    the range or occurs twice (I2).
    """
    lock_months(connection, table=TABLE, months=months_in(start, end))
    bounds = _bounds(start, end)
    ordered = candles.sort_values(["timeframe", "timestamp"], kind="stable")
    _refuse_strangers(ordered, bounds=bounds)
    held = _count(connection, symbol=symbol, bounds=bounds)
    if not len(ordered):
        return MergeResult(0, 0, _delete_all(connection, symbol=symbol, bounds=bounds) if held else 0, 0)
    fields = {
        "symbol": TextField.constant(symbol, rows=len(ordered)),
        **{name: bulk.column_field(ordered[name], kind=kind) for name, kind in KINDS.items()},
    }
    if not held:
        bulk.copy_into(connection, table=bulk.ours(TABLE), fields=fields, rows=len(ordered))
        return MergeResult(len(ordered), 0, 0, 0)
    with bulk.staged(connection, table=TABLE, fields=fields, rows=len(ordered)) as stage:
        within = _within(symbol, ordered)
        merged = bulk.merge(connection, stage=stage, table=TABLE, key=KEY, values=VALUES, within=within)
        deleted = held + merged.inserted - len(ordered)
        if deleted:
            _delete_unstaged(connection, symbol=symbol, bounds=bounds, stage=stage)
    unchanged = len(ordered) - merged.inserted - merged.updated
    return MergeResult(merged.inserted, merged.updated, deleted, unchanged)


def read(
    connection: Connection,
    *,
    symbol: str,
    timeframe: Timeframe | str,
    start: datetime,
    end: datetime,
    columns: Sequence[str] = tuple(KINDS),
) -> pd.DataFrame:
    """The bars of one timeframe that open in [start, end), ascending: prices int64 ticks, `volume` float64 (NaN for none)."""
    query = sql.SQL(
        "SELECT {} FROM goldsignal.candles WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s"
        " AND timestamp >= %(start)s AND timestamp < %(end)s ORDER BY timestamp"
    ).format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    return bulk.read_frame(
        connection,
        rows=query,
        columns={name: KINDS[name] for name in columns},
        parameters={"symbol": symbol, "timeframe": str(timeframe)},
        start=start,
        end=end,
    )


def read_all(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The bars of all timeframes that open in [start, end), by timeframe (shortest first) and open."""
    frames = [read(connection, symbol=symbol, timeframe=timeframe, start=start, end=end) for timeframe in Timeframe]
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if held else frames[0]


def symbols(connection: Connection, *, start: datetime, end: datetime) -> list[str]:
    """The symbols with a bar of any timeframe that opens in [start, end), by name."""
    query = text(
        "WITH RECURSIVE named AS ("
        " (SELECT symbol FROM goldsignal.candles ORDER BY symbol LIMIT 1)"
        " UNION ALL SELECT (SELECT symbol FROM goldsignal.candles WHERE symbol > named.symbol ORDER BY symbol LIMIT 1)"
        " FROM named WHERE named.symbol IS NOT NULL"
        ") SELECT symbol FROM named WHERE symbol IS NOT NULL AND EXISTS ("
        " SELECT FROM unnest(CAST(:timeframes AS text[])) AS listed (timeframe) JOIN goldsignal.candles AS held"
        " ON held.symbol = named.symbol AND held.timeframe = listed.timeframe"
        " AND held.timestamp >= :start AND held.timestamp < :end) ORDER BY symbol"
    )
    parameters = {"timeframes": [str(timeframe) for timeframe in Timeframe], "start": start, "end": end}
    found: Sequence[str] = connection.execute(query, parameters).scalars().all()
    return list(found)


def count(connection: Connection, *, symbol: str) -> int:
    """How many bars of all timeframes are held."""
    query = text("SELECT count(*) FROM goldsignal.candles WHERE symbol = :symbol")
    return int(connection.execute(query, {"symbol": symbol}).scalar_one())


def newest_close(connection: Connection, *, symbol: str) -> datetime | None:
    """The latest instant at which a stored bar closes; None without any bar."""
    query = text(
        "SELECT listed.timeframe, (SELECT max(timestamp) FROM goldsignal.candles AS held"
        " WHERE held.symbol = :symbol AND held.timeframe = listed.timeframe)"
        " FROM unnest(CAST(:timeframes AS text[])) AS listed (timeframe)"
    )
    parameters = {"symbol": symbol, "timeframes": [str(timeframe) for timeframe in Timeframe]}
    closes = [
        bar_close(np.array([bulk.instant(newest)]), timeframe=Timeframe(timeframe))[0]
        for timeframe, newest in connection.execute(query, parameters)
        if newest is not None
    ]
    return _moment(max(closes)) if closes else None


def _bounds(start: datetime, end: datetime) -> list[_Bounds]:
    # The bar that contains the instant just before `start` is the first that closes at or after it, and likewise for `end`.
    edges = np.array([bulk.instant(start) - _JUST_BEFORE, bulk.instant(end) - _JUST_BEFORE])
    return [_Bounds(timeframe, *bar_open(edges, timeframe=timeframe)) for timeframe in Timeframe]


def _refuse_strangers(ordered: pd.DataFrame, *, bounds: Sequence[_Bounds]) -> None:
    timeframes, opens = ordered["timeframe"].to_numpy(), bulk.instants(ordered["timestamp"])
    inside = np.zeros(len(ordered), dtype=bool)
    for one in bounds:
        inside |= (timeframes == one.timeframe.value) & (opens >= one.first) & (opens < one.beyond)
    twice = ordered.duplicated(["timeframe", "timestamp"]).to_numpy()
    if inside.all() and not twice.any():
        return
    first = int(np.argmin(inside & ~twice))
    fault = "occurs twice" if inside[first] else "closes outside the range"
    raise DataError(
        f"The {timeframes[first]} bar that opens at {opens[first]}Z {fault}.",
        done="Nothing was stored.",
        fix="Report it: the projection must never hand over such a bar.",
    )


def _within(symbol: str, ordered: pd.DataFrame) -> sql.Composed:
    first, last = ordered["timestamp"].min().to_pydatetime(), ordered["timestamp"].max().to_pydatetime()
    return sql.SQL("held.symbol = {} AND held.timestamp BETWEEN {} AND {}").format(*map(sql.Literal, (symbol, first, last)))


def _in_range(symbol: str, bounds: Sequence[_Bounds]) -> sql.Composed:
    rows = sql.SQL(", ").join(
        sql.SQL("({}, {}, {})").format(one.timeframe.value, _moment(one.first), _moment(one.beyond)) for one in bounds
    )
    return sql.SQL(
        "(VALUES {}) AS bounds (timeframe, first, beyond) WHERE held.symbol = {} AND held.timeframe = bounds.timeframe"
        " AND held.timestamp >= bounds.first AND held.timestamp < bounds.beyond"
    ).format(rows, symbol)


def _count(connection: Connection, *, symbol: str, bounds: Sequence[_Bounds]) -> int:
    query = sql.SQL("SELECT count(*) FROM goldsignal.candles AS held, {}").format(_in_range(symbol, bounds))
    row: Any = driver_connection(connection).execute(query).fetchone()
    return int(row[0])


def _delete_all(connection: Connection, *, symbol: str, bounds: Sequence[_Bounds]) -> int:
    query = sql.SQL("DELETE FROM goldsignal.candles AS held USING {}").format(_in_range(symbol, bounds))
    return driver_connection(connection).execute(query).rowcount


def _delete_unstaged(connection: Connection, *, symbol: str, bounds: Sequence[_Bounds], stage: sql.Identifier) -> None:
    query = sql.SQL(
        "DELETE FROM goldsignal.candles AS held USING {} AND NOT EXISTS (SELECT FROM {} AS given"
        " WHERE given.timeframe = held.timeframe AND given.timestamp = held.timestamp)"
    ).format(_in_range(symbol, bounds), stage)
    driver_connection(connection).execute(query)


def _moment(instant: np.datetime64) -> datetime:
    moment: datetime = instant.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)
