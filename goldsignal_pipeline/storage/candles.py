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
import numpy.typing as npt
import pandas as pd
from psycopg import sql
from sqlalchemy import Connection, text

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close, bar_open
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.storage import bulk, kinds
from goldsignal_pipeline.storage.binary_encoding import Field, TextField
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.keyed_rows import MergeResult
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.locks import lock_months, months_in

__all__ = [
    "KINDS",
    "MergeResult",
    "count",
    "delete_closing",
    "months_before",
    "newest_close",
    "read",
    "read_all",
    "read_each",
    "replace_range",
    "summary_of_range",
    "symbols",
]

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

_SELECT: Final = sql.SQL(
    "SELECT {} FROM goldsignal.candles WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s"
    " AND timestamp >= %(start)s AND timestamp < %(end)s{} ORDER BY timestamp"
)
_SELECT_EACH: Final = sql.SQL(
    "SELECT {} FROM goldsignal.candles WHERE symbol = %(symbol)s AND timeframe = ANY (%(timeframes)s)"
    " AND timestamp >= %(start)s AND timestamp < %(end)s{} ORDER BY timeframe, timestamp"
)
_ONLY_BASE: Final = sql.SQL(" AND base_timeframe = timeframe")
_JUST_BEFORE: Final = np.timedelta64(1, "us")


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The opens [first, beyond) of the bars of a timeframe that close in a range."""

    timeframe: Timeframe
    first: np.datetime64
    beyond: np.datetime64


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The given bars of a timeframe, ascending by open."""

    bounds: _Bounds
    rows: pd.DataFrame
    opens: Instants


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """Bars to insert, bars to update, and opens to delete."""

    timeframe: Timeframe
    new: pd.DataFrame
    different: pd.DataFrame
    gone: Instants


def replace_range(connection: Connection, *, symbol: str, start: datetime, end: datetime, candles: pd.DataFrame) -> MergeResult:
    """Make `candles` the bars of `symbol` that close in [start, end); rows that are equal already are not written.

    `candles`: `timeframe`, `timestamp` (open), prices in int64 ticks, `volume`, `source`, `base_timeframe`, `base_bars`,
    `flag` ("" for none). The months are locked until the transaction ends, so that what is read here stays true until the
    differences are written: all rows by COPY where nothing is held, else only those that differ. Raises `DataError` for a bar
    that closes outside the range or occurs twice (I2).
    """
    lock_months(connection, table=TABLE, months=months_in(start, end))
    groups = _by_timeframe(candles, bounds=_bounds(start, end))
    changes = [_compare(connection, symbol=symbol, group=group) for group in groups]
    new = _together([change.new for change in changes])
    different = _together([change.different for change in changes])
    if len(new):
        bulk.copy_into(connection, table=bulk.ours(TABLE), fields=_fields(symbol, new), rows=len(new))
    if len(different):
        _update(connection, symbol=symbol, rows=different)
    for change in changes:
        if len(change.gone):
            _delete(connection, symbol=symbol, change=change)
    deleted = sum(len(change.gone) for change in changes)
    return MergeResult(len(new), len(different), deleted, len(candles) - len(new) - len(different))


def read(
    connection: Connection,
    *,
    symbol: str,
    timeframe: Timeframe | str,
    start: datetime,
    end: datetime,
    columns: Sequence[str] = tuple(KINDS),
    only_base: bool = False,
) -> pd.DataFrame:
    """The bars of one timeframe that open in [start, end), ascending: prices int64 ticks, `volume` float64 (NaN for none).

    `only_base` leaves out bars that were derived from shorter ones.
    """
    return bulk.read_frame(
        connection,
        rows=_SELECT.format(bulk.names(columns), _ONLY_BASE if only_base else sql.SQL("")),
        columns={name: KINDS[name] for name in columns},
        parameters={"symbol": symbol, "timeframe": str(timeframe)},
        start=start,
        end=end,
    )


def read_each(
    connection: Connection,
    *,
    symbol: str,
    timeframes: Sequence[Timeframe],
    start: datetime,
    end: datetime,
    columns: Sequence[str] = tuple(KINDS),
    only_base: bool = False,
) -> dict[Timeframe, pd.DataFrame]:
    """`read` of each of the timeframes, in one question."""
    read = bulk.read_frames(
        connection,
        rows=_SELECT_EACH.format(
            bulk.names(list(dict.fromkeys(["timeframe", *columns]))), _ONLY_BASE if only_base else sql.SQL("")
        ),
        by="timeframe",
        values=[one.value for one in timeframes],
        columns={name: KINDS[name] for name in columns},
        parameters={"symbol": symbol, "timeframes": [one.value for one in timeframes]},
        start=start,
        end=end,
    )
    return {one: read[one.value] for one in timeframes}


def months_before(connection: Connection, *, symbol: str, timeframe: Timeframe, before: datetime) -> list[str]:
    """The UTC months, YYYY-MM, in which bars of one timeframe close that are held and closed before an instant."""
    query = text(
        "SELECT DISTINCT to_char((timestamp + CAST(:length AS interval)) AT TIME ZONE 'UTC', 'YYYY-MM') AS month"
        " FROM goldsignal.candles WHERE symbol = :symbol AND timeframe = :timeframe"
        " AND timestamp < CAST(:before AS timestamptz) - CAST(:length AS interval) ORDER BY month"
    )
    parameters = {"symbol": symbol, "timeframe": str(timeframe), "before": before, "length": timeframe.length}
    return list(connection.execute(query, parameters).scalars())


def delete_closing(connection: Connection, *, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> int:
    """Delete the bars of one timeframe that close in [start, end); returns how many. The caller holds the months."""
    (bounds,) = [one for one in _bounds(start, end) if one.timeframe is timeframe]
    query = text(
        "DELETE FROM goldsignal.candles WHERE symbol = :symbol AND timeframe = :timeframe"
        " AND timestamp >= :first AND timestamp < :beyond"
    )
    edges = {"first": _moment(bounds.first), "beyond": _moment(bounds.beyond)}
    return connection.execute(query, {"symbol": symbol, "timeframe": str(timeframe), **edges}).rowcount


def read_all(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The bars of all timeframes that open in [start, end), by timeframe (shortest first) and open."""
    return _together([*read_each(connection, symbol=symbol, timeframes=tuple(Timeframe), start=start, end=end).values()])


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


def summary_of_range(connection: Connection, *, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Per symbol and timeframe (shortest first), of the bars that close in [start, end): how many, from when to when, prices.

    Keys `symbol`, `timeframe`, `candles`, `first` and `last` open, `lowest`, `highest`, `flagged`.
    """
    query = text(
        "SELECT symbol, held.timeframe, count(*) AS candles, min(timestamp) AS first, max(timestamp) AS last,"
        " min(low) AS lowest, max(high) AS highest, count(flag) AS flagged"
        " FROM unnest(CAST(:timeframes AS text[]), CAST(:firsts AS timestamptz[]), CAST(:beyonds AS timestamptz[]))"
        " WITH ORDINALITY AS bounds (timeframe, first, beyond, position)"
        " JOIN goldsignal.candles AS held ON held.timeframe = bounds.timeframe"
        " AND held.timestamp >= bounds.first AND held.timestamp < bounds.beyond"
        " GROUP BY symbol, held.timeframe, position ORDER BY symbol, position"
    )
    bounds = _bounds(start, end)
    parameters = {
        "timeframes": [bound.timeframe.value for bound in bounds],
        "firsts": [_moment(bound.first) for bound in bounds],
        "beyonds": [_moment(bound.beyond) for bound in bounds],
    }
    return [dict(row) for row in connection.execute(query, parameters).mappings()]


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
        bar_close(np.array([kinds.instant(newest)]), timeframe=Timeframe(timeframe))[0]
        for timeframe, newest in connection.execute(query, parameters)
        if newest is not None
    ]
    return _moment(max(closes)) if closes else None


def _bounds(start: datetime, end: datetime) -> list[_Bounds]:
    # The bar that contains the instant just before `start` is the first that closes at or after it, and likewise for `end`.
    edges = np.array([kinds.instant(start) - _JUST_BEFORE, kinds.instant(end) - _JUST_BEFORE])
    return [_Bounds(timeframe, *bar_open(edges, timeframe=timeframe)) for timeframe in Timeframe]


def _by_timeframe(candles: pd.DataFrame, *, bounds: Sequence[_Bounds]) -> list[_Group]:
    """The given bars of each timeframe, ascending by open; raises `DataError` for those that do not belong."""
    codes, found = pd.factorize(candles["timeframe"])
    numbers = {str(name): number for number, name in enumerate(found)}
    opens = instants_of(candles["timestamp"])
    groups = []
    for one in bounds:
        number = numbers.pop(one.timeframe.value, None)
        if number is None:
            groups.append(_Group(one, candles.iloc[:0], opens[:0]))
            continue
        everything = len(found) == 1
        rows, own = (candles, opens) if everything else (candles[codes == number], opens[codes == number])
        if not np.all(own[1:] >= own[:-1]):
            order = np.argsort(own, kind="stable")
            rows, own = rows.iloc[order], own[order]
        _refuse(own[(own < one.first) | (own >= one.beyond)], timeframe=one.timeframe, fault="closes outside the range")
        _refuse(own[1:][own[1:] == own[:-1]], timeframe=one.timeframe, fault="occurs twice")
        groups.append(_Group(one, rows, own))
    _refuse(opens[np.isin(codes, list(numbers.values()))], timeframe="unknown", fault="has no timeframe of ours")
    return groups


def _refuse(opens: Instants, *, timeframe: str, fault: str) -> None:
    if len(opens):
        raise DataError(
            f"The {timeframe} bar that opens at {opens[0]}Z {fault}.",
            done="Nothing was stored.",
            fix="Report it: the projection must never hand over such a bar.",
        )


def _compare(connection: Connection, *, symbol: str, group: _Group) -> _Change:
    """What must be written so that the held bars of a timeframe become the given ones."""
    held = _held(connection, symbol=symbol, bounds=group.bounds)
    opens, given = held["timestamp"], group.rows
    if np.array_equal(opens, group.opens):
        differs = _differs(held, given, slice(None), slice(None))
        return _Change(group.bounds.timeframe, new=given.iloc[:0], different=given[differs], gone=opens[:0])
    if not len(opens):
        return _Change(group.bounds.timeframe, new=given, different=given.iloc[:0], gone=opens)
    _, ours, theirs = np.intersect1d(group.opens, opens, assume_unique=True, return_indices=True)
    differs = _differs(held, given, theirs, ours)
    return _Change(
        group.bounds.timeframe,
        new=given[~np.isin(group.opens, opens)],
        different=given.iloc[ours[differs]],
        gone=opens[~np.isin(opens, group.opens)],
    )


def _held(connection: Connection, *, symbol: str, bounds: _Bounds) -> dict[str, Any]:
    columns = {name: kind for name, kind in KINDS.items() if name != "timeframe"}
    return bulk.read_columns(
        connection,
        rows=_SELECT.format(bulk.names(list(columns)), sql.SQL("")),
        columns=columns,
        parameters={
            "symbol": symbol,
            "timeframe": bounds.timeframe.value,
            "start": _moment(bounds.first),
            "end": _moment(bounds.beyond),
        },
    )


def _differs(held: dict[str, Any], given: pd.DataFrame, theirs: Any, ours: Any) -> npt.NDArray[np.bool_]:
    """Where any value of the rows `ours` of `given` is not that of the rows `theirs` held."""
    differs = np.zeros(len(given["open"].to_numpy()[ours]), dtype=bool)
    for name in VALUES:
        values = given[name]
        if KINDS[name] is Kind.TEXT:
            if kinds.joined(values) != held[name].joined:
                texts = np.array(held[name].values(), dtype=object)
                differs |= texts[theirs] != values.to_numpy(dtype=object)[ours]
        elif KINDS[name] is Kind.VOLUME:
            there, here = kinds.hundredths(held[name]), kinds.hundredths(values.to_numpy(dtype=np.float64))
            differs |= there[theirs] != here[ours]
        else:
            differs |= held[name][theirs] != values.to_numpy(dtype=np.int64)[ours]
    return differs


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if len(held) > 1 else (held or frames)[0]


def _fields(symbol: str, rows: pd.DataFrame) -> dict[str, Field]:
    return {
        "symbol": TextField.constant(symbol, rows=len(rows)),
        **{name: kinds.column_field(rows[name], kind=kind) for name, kind in KINDS.items()},
    }


def _update(connection: Connection, *, symbol: str, rows: pd.DataFrame) -> None:
    with bulk.staged(connection, table=TABLE, fields=_fields(symbol, rows), rows=len(rows)) as stage:
        statement = sql.SQL(
            "UPDATE goldsignal.candles AS held SET {} FROM {} AS given"
            " WHERE held.symbol = given.symbol AND held.timeframe = given.timeframe AND held.timestamp = given.timestamp"
        ).format(sql.SQL(", ").join(sql.SQL("{0} = given.{0}").format(sql.Identifier(name)) for name in VALUES), stage)
        driver_connection(connection).execute(statement)


def _delete(connection: Connection, *, symbol: str, change: _Change) -> None:
    statement = (
        "DELETE FROM goldsignal.candles WHERE symbol = %(symbol)s AND timeframe = %(timeframe)s"
        " AND timestamp = ANY (%(opens)s::timestamptz[])"
    )
    parameters = {"symbol": symbol, "timeframe": change.timeframe.value, "opens": [_moment(one) for one in change.gone]}
    driver_connection(connection).execute(statement, parameters)


def _moment(instant: np.datetime64) -> datetime:
    moment: datetime = instant.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)
