"""`quarantined_candles`: every row that was turned away, once, with its reason."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import pandas as pd
from psycopg import sql
from sqlalchemy import Connection, func, select, text

from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import bulk, kinds
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.tables import QuarantinedCandle

TABLE: Final = "quarantined_candles"
ROW_KINDS: Final[dict[str, Kind]] = {
    "source": Kind.TEXT,
    "timeframe": Kind.TEXT,
    "timestamp": Kind.INSTANT,
    "reason": Kind.TEXT,
    "payload": Kind.TEXT,
}
READ_COLUMNS: Final = ("symbol", *ROW_KINDS, "stage", "calendar_version", "observed_at")

_INSERT: Final = sql.SQL(
    "INSERT INTO goldsignal.quarantined_candles"
    " (symbol, source, timeframe, timestamp, reason, payload, stage, calendar_version, observed_at)"
    " SELECT %(symbol)s, source, timeframe, timestamp, reason, coalesce(payload, ''), %(stage)s, %(calendar_version)s,"
    " %(observed_at)s FROM {stage} ON CONFLICT DO NOTHING"
)


def append(
    connection: Connection,
    *,
    symbol: str,
    source: Source | str,
    timeframe: Timeframe | str,
    rejected: pd.DataFrame,
    stage: str,
    calendar_version: str,
    observed_at: datetime,
) -> int:
    """Keep the `rejected` rows of a delivery (`timestamp`, `reason`, `payload`); returns how many were not known yet."""
    named = rejected.assign(source=str(source), timeframe=str(timeframe))
    return _append(connection, named, symbol=symbol, stage=stage, calendar_version=calendar_version, observed_at=observed_at)


def append_excluded(
    connection: Connection, *, symbol: str, excluded: pd.DataFrame, calendar_version: str, observed_at: datetime
) -> int:
    """Keep observations that the projection left out; returns how many were not known yet.

    `excluded`: `source`, `timeframe`, `timestamp`, prices in ticks, `volume`, `reason`.
    """
    prices = excluded[["open", "high", "low", "close"]].astype("int64") / 100
    payload = [f"open={o:.2f} high={h:.2f} low={low:.2f} close={c:.2f}" for o, h, low, c in prices.itertuples(index=False)]
    named = excluded.assign(payload=pd.Series(payload, index=excluded.index, dtype="str"))
    return _append(
        connection, named, symbol=symbol, stage="projection", calendar_version=calendar_version, observed_at=observed_at
    )


def read(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> pd.DataFrame:
    """The rows whose bar opens in [start, end), and those of unreadable time observed in it, by time and reason."""
    row = QuarantinedCandle
    moment = func.coalesce(row.timestamp, row.observed_at)
    query = (
        select(*(getattr(row, name) for name in READ_COLUMNS))
        .where(row.symbol == symbol, moment >= start, moment < end)
        .order_by(row.timestamp.nulls_last(), row.source, row.timeframe, row.reason, row.id)
    )
    rows = connection.execute(query).all()
    frame = pd.DataFrame([tuple(row) for row in rows], columns=list(READ_COLUMNS))
    instants = {name: pd.to_datetime(frame[name], utc=True).dt.as_unit("us") for name in ("timestamp", "observed_at")}
    return frame.assign(**instants)


def count_by_reason(
    connection: Connection, *, symbol: str, start: datetime | None = None, end: datetime | None = None
) -> dict[str, int]:
    """How many rows each reason turned away, of bars that open in [start, end) when given."""
    query = text(
        "SELECT reason, count(*) FROM goldsignal.quarantined_candles WHERE symbol = :symbol"
        " AND (CAST(:start AS timestamptz) IS NULL OR timestamp >= :start)"
        " AND (CAST(:end AS timestamptz) IS NULL OR timestamp < :end) GROUP BY reason ORDER BY reason"
    )
    rows: Any = connection.execute(query, {"symbol": symbol, "start": start, "end": end})
    return {str(reason): int(count) for reason, count in rows}


def _append(
    connection: Connection,
    rows: pd.DataFrame,
    *,
    symbol: str,
    stage: str,
    calendar_version: str,
    observed_at: datetime,
) -> int:
    if not len(rows):
        return 0
    fields = {name: kinds.column_field(rows[name], kind=kind) for name, kind in ROW_KINDS.items()}
    parameters = {"symbol": symbol, "stage": stage, "calendar_version": calendar_version, "observed_at": observed_at}
    with bulk.staged(connection, table=TABLE, fields=fields, rows=len(rows)) as staged:
        return driver_connection(connection).execute(_INSERT.format(stage=staged), parameters).rowcount
