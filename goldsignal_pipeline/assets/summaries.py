"""What an operator sees of a month without SQL: counts, ranges, gaps, reasons, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlalchemy import text

from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.assets.pictures import price_chart
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import candles

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database

_OBSERVATIONS = text("""
    SELECT source, timeframe, count(*) AS versions, count(DISTINCT timestamp) AS bars,
           min(timestamp) AS first, max(timestamp) AS last
    FROM raw_candles WHERE symbol = :symbol AND timestamp >= :start AND timestamp < :end
    GROUP BY source, timeframe ORDER BY source, timeframe
""")
_REJECTED = text("""
    SELECT reason, count(*) AS rows FROM quarantined_candles
    WHERE symbol = :symbol AND timestamp >= :start AND timestamp < :end GROUP BY reason ORDER BY reason
""")
_DAYS = text("""
    SELECT symbol, sum(expected_bars) AS expected, sum(missing_bars) AS missing,
           string_agg(DISTINCT source || ' ' || base_timeframe, ', ') AS bases
    FROM trading_day_parts WHERE month = :month GROUP BY symbol ORDER BY symbol
""")
_BLOCKED = text("""
    SELECT symbol, trading_day, expected_bars, missing_bars FROM trading_day_states
    WHERE data_blocked AND (symbol, trading_day) IN (SELECT symbol, trading_day FROM trading_day_parts WHERE month = :month)
    ORDER BY symbol, trading_day
""")


def raw_candles_summary(database: Database, *, symbol: str, months: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Metadata per month: bars, versions and rejected rows of one symbol."""
    with database.transaction(read_only=True) as connection:
        return {month: _raw_month(connection, symbol, month) for month in months}


def candles_summary(database: Database, *, months: Sequence[str], with_pictures: bool) -> dict[str, dict[str, Any]]:
    """Metadata per month: candles, missing bars and blocked days of every symbol, and a chart of each when asked for."""
    with database.transaction(read_only=True) as connection:
        return {month: _candles_month(connection, month, with_pictures=with_pictures) for month in months}


def _raw_month(connection: Connection, symbol: str, month: str) -> dict[str, Any]:
    window = {"symbol": symbol, "start": month_start(month), "end": month_start(next_month(month))}
    rows = connection.execute(_OBSERVATIONS, window).mappings().all()
    rejected = connection.execute(_REJECTED, window).mappings().all()
    return {
        "symbol": symbol,
        "bars": sum(row["bars"] for row in rows),
        "revisions": sum(row["versions"] - row["bars"] for row in rows),
        "rejected": sum(row["rows"] for row in rejected),
        "observations": table(rows),
        "rejected_by_reason": table(rejected),
    }


def _candles_month(connection: Connection, month: str, *, with_pictures: bool) -> dict[str, Any]:
    rows = candles.summary_of_range(connection, start=month_start(month), end=month_start(next_month(month)))
    days = connection.execute(_DAYS, {"month": month}).mappings().all()
    blocked = connection.execute(_BLOCKED, {"month": month})
    metadata: dict[str, Any] = {
        "candles": sum(row["candles"] for row in rows),
        "missing_bars": int(sum(row["missing"] for row in days)),
        "by_timeframe": table(rows),
        "completeness": table(days),
        "blocked_days": table(blocked.mappings().all()),
    }
    if with_pictures:
        for symbol in sorted({row["symbol"] for row in rows}):
            metadata[f"chart_{symbol}"] = dg.MetadataValue.md(_chart(connection, symbol, month))
    return metadata


def _chart(connection: Connection, symbol: str, month: str) -> str:
    start, end = month_start(month), month_start(next_month(month))
    for timeframe in (Timeframe.H1, Timeframe.D1):
        bars = candles.read(connection, symbol=symbol, timeframe=timeframe, start=start, end=end)
        if len(bars):
            label = " (simulated)" if symbol.endswith("-SIM") else ""
            return price_chart(bars, title=f"{symbol} {timeframe} {month}{label}")
    return "No candles in this month."


def table(rows: Sequence[Mapping[Any, Any]]) -> dg.TableMetadataValue | str:
    """Rows of a query as a table of metadata; "none" without any."""
    if not rows:
        return "none"
    return dg.MetadataValue.table([dg.TableRecord({str(key): _cell(value) for key, value in row.items()}) for row in rows])


def _cell(value: object) -> str | int | float | bool | None:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
