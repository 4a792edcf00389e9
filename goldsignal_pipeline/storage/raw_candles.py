"""`raw_candles`: observations, append-only; every version of every bar of every source.

A row is added only when it differs from the newest version of its bar. Versions of a bar are strictly ordered by
`observed_at`: should the clock have stepped back, a new version is stamped one microsecond after the one it replaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from psycopg import sql
from sqlalchemy import Connection, text

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import bulk, kinds
from goldsignal_pipeline.storage.binary_encoding import Field, InstantField, TextField
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.locks import lock_months

TABLE: Final = "raw_candles"
ROW_KINDS: Final[dict[str, Kind]] = {
    "timestamp": Kind.INSTANT,
    "open": Kind.TICKS,
    "high": Kind.TICKS,
    "low": Kind.TICKS,
    "close": Kind.TICKS,
    "volume": Kind.VOLUME,
}
OBSERVATION_KINDS: Final[dict[str, Kind]] = {
    "source": Kind.TEXT,
    "timeframe": Kind.TEXT,
    **ROW_KINDS,
    "observed_at": Kind.INSTANT,
}

_INSERT_DIFFERENT: Final = sql.SQL(
    "INSERT INTO goldsignal.raw_candles"
    " (symbol, source, timeframe, timestamp, open, high, low, close, volume, observed_at, run_id)"
    " SELECT %(symbol)s, %(source)s, %(timeframe)s, timestamp, given.open, given.high, given.low, given.close, given.volume,"
    " greatest(%(observed_at)s, newest.observed_at + interval '1 microsecond'), %(run_id)s"
    " FROM {stage} AS given LEFT JOIN ("
    "  SELECT DISTINCT ON (timestamp) timestamp, open, high, low, close, volume, observed_at FROM goldsignal.raw_candles"
    "  WHERE symbol = %(symbol)s AND source = %(source)s AND timeframe = %(timeframe)s"
    "  AND timestamp BETWEEN %(first)s AND %(last)s"
    "  ORDER BY timestamp DESC, observed_at DESC"
    " ) AS newest USING (timestamp)"
    " WHERE (given.open, given.high, given.low, given.close, given.volume)"
    " IS DISTINCT FROM (newest.open, newest.high, newest.low, newest.close, newest.volume)"
)


@dataclass(frozen=True, slots=True)
class AppendResult:
    """How many rows were new or different, and how many equalled the newest version."""

    stored: int
    unchanged: int


def append(
    connection: Connection,
    *,
    symbol: str,
    source: Source | str,
    timeframe: Timeframe,
    rows: pd.DataFrame,
    observed_at: datetime,
    run_id: str | None,
) -> AppendResult:
    """Add the rows that differ from the newest version of their bar; the months they open in stay locked.

    `rows`: `timestamp` datetime64[us, UTC], unique; prices int64 ticks; `volume` float64, NaN for none.
    """
    if not len(rows):
        return AppendResult(stored=0, unchanged=0)
    rows = rows.sort_values("timestamp")
    opens = instants_of(rows["timestamp"])
    lock_months(connection, table=TABLE, months=map(str, np.unique(opens.astype("datetime64[M]"))))
    common = {"symbol": symbol, "source": str(source), "timeframe": str(timeframe)}
    span = {"first": rows["timestamp"].iloc[0].to_pydatetime(), "last": rows["timestamp"].iloc[-1].to_pydatetime()}
    fields: dict[str, Field] = {name: kinds.column_field(rows[name], kind=kind) for name, kind in ROW_KINDS.items()}
    if not _holds_any(connection, common | span):
        constants = {name: TextField.constant(value, rows=len(rows)) for name, value in (common | {"run_id": run_id}).items()}
        stamp = InstantField(np.full(len(rows), kinds.instant(observed_at)))
        everything = {**fields, **constants, "observed_at": stamp}
        bulk.copy_into(connection, table=bulk.ours(TABLE), fields=everything, rows=len(rows))
        return AppendResult(stored=len(rows), unchanged=0)
    parameters = common | span | {"observed_at": observed_at, "run_id": run_id}
    with bulk.staged(connection, table=TABLE, fields=fields, rows=len(rows)) as stage:
        stored = driver_connection(connection).execute(_INSERT_DIFFERENT.format(stage=stage), parameters).rowcount
    return AppendResult(stored=stored, unchanged=len(rows) - stored)


def newest(connection: Connection, *, symbol: str, start: datetime, end: datetime, as_of: datetime | None = None) -> pd.DataFrame:
    """The newest version of every bar that opens in [start, end), of all sources and timeframes, as known at `as_of`.

    Columns `source`, `timeframe`, `timestamp`, prices in int64 ticks, `volume` float64 (NaN for none), `observed_at`; the
    latest bar first.
    """
    known = sql.SQL("AND observed_at <= {}").format(sql.Literal(as_of)) if as_of else sql.SQL("")
    query = sql.SQL(
        "SELECT DISTINCT ON (timestamp, timeframe, source) {columns} FROM goldsignal.raw_candles"
        " WHERE symbol = %(symbol)s AND timestamp >= %(start)s AND timestamp < %(end)s {known}"
        " ORDER BY timestamp DESC, timeframe DESC, source DESC, observed_at DESC"
    ).format(columns=sql.SQL(", ").join(map(sql.Identifier, OBSERVATION_KINDS)), known=known)
    return bulk.read_frame(connection, rows=query, columns=OBSERVATION_KINDS, parameters={"symbol": symbol}, start=start, end=end)


def opens(
    connection: Connection, *, symbol: str, source: Source | str, timeframe: Timeframe, start: datetime, end: datetime
) -> npt.NDArray[np.datetime64]:
    """The opens in [start, end) of the bars held from a source, ascending `datetime64[us]` in UTC."""
    query = sql.SQL(
        "SELECT DISTINCT timestamp FROM goldsignal.raw_candles WHERE symbol = %(symbol)s AND source = %(source)s"
        " AND timeframe = %(timeframe)s AND timestamp >= %(start)s AND timestamp < %(end)s ORDER BY timestamp"
    )
    parameters = {"symbol": symbol, "source": str(source), "timeframe": str(timeframe)}
    columns = {"timestamp": Kind.INSTANT}
    frame = bulk.read_frame(connection, rows=query, columns=columns, parameters=parameters, start=start, end=end)
    return np.sort(instants_of(frame["timestamp"]))


def newest_open(connection: Connection, *, symbol: str, source: Source | str, timeframe: Timeframe) -> datetime | None:
    """The open of the latest bar held from a source; None without one."""
    query = text(
        "SELECT timestamp FROM goldsignal.raw_candles WHERE symbol = :symbol AND source = :source AND timeframe = :timeframe"
        " ORDER BY timestamp DESC LIMIT 1"
    )
    found: datetime | None = connection.execute(
        query, {"symbol": symbol, "source": str(source), "timeframe": str(timeframe)}
    ).scalar()
    return found


def close_before(connection: Connection, *, symbol: str, before: datetime) -> int | None:
    """The median close in ticks of the last five bars that opened within thirty days before an instant; None without any.

    Whatever their source. The median, because no single bad row may speak for the market; thirty days, because gold moves.
    """
    query = text(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY close) FROM ("
        " SELECT DISTINCT ON (timestamp, timeframe, source) (close * 100)::bigint AS close FROM goldsignal.raw_candles"
        " WHERE symbol = :symbol AND timestamp < :before AND timestamp >= :before - interval '30 days'"
        " ORDER BY timestamp DESC, timeframe DESC, source DESC, observed_at DESC LIMIT 5) AS latest"
    )
    return connection.execute(query, {"symbol": symbol, "before": before}).scalar()


def symbols(connection: Connection, *, start: datetime, end: datetime) -> list[str]:
    """The symbols with an observation that opens in [start, end), by name."""
    # One step of the primary key per symbol: a plain DISTINCT would read every row.
    query = text(
        "WITH RECURSIVE named AS ("
        " (SELECT symbol FROM goldsignal.raw_candles ORDER BY symbol LIMIT 1)"
        " UNION ALL SELECT (SELECT symbol FROM goldsignal.raw_candles WHERE symbol > named.symbol ORDER BY symbol LIMIT 1)"
        " FROM named WHERE named.symbol IS NOT NULL"
        ") SELECT symbol FROM named WHERE symbol IS NOT NULL AND EXISTS ("
        " SELECT FROM goldsignal.raw_candles AS held WHERE held.symbol = named.symbol"
        " AND held.timestamp >= :start AND held.timestamp < :end) ORDER BY symbol"
    )
    found: Sequence[str] = connection.execute(query, {"start": start, "end": end}).scalars().all()
    return list(found)


def _holds_any(connection: Connection, parameters: dict[str, Any]) -> bool:
    query = text(
        "SELECT EXISTS (SELECT FROM goldsignal.raw_candles WHERE symbol = :symbol AND source = :source"
        " AND timeframe = :timeframe AND timestamp BETWEEN :first AND :last)"
    )
    return bool(connection.execute(query, parameters).scalar_one())
