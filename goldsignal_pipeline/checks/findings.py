"""What the checks look for, as functions of the stored rows: every finding counts the rows and shows the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import numpy as np
import pandas as pd
from sqlalchemy import text

from goldsignal_pipeline.assets import kept_candles
from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.consistency import derived_differences
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe, is_aligned
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.storage import candles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from goldsignal_pipeline.checks.building import RowRule
    from goldsignal_pipeline.storage.database import Database

SHOWN_ROWS: Final = 10
# A D1 bar that closes in a month may need base bars of the evening before its first day.
_REACH: Final = timedelta(days=4)

_UNORDERED = """
    SELECT symbol, timeframe, timestamp, open, high, low, close FROM candles
    WHERE timestamp >= :start AND timestamp < :end
      AND NOT (low > 0 AND low <= open AND low <= close AND open <= high AND close <= high)
"""
_REPEATED = """
    SELECT symbol, timeframe, timestamp, count(*) AS copies FROM candles
    WHERE timestamp >= :start AND timestamp < :end GROUP BY symbol, timeframe, timestamp HAVING count(*) > 1
"""
_BLOCKED = """
    SELECT symbol, trading_day, expected_bars, missing_bars FROM trading_day_states
    WHERE data_blocked AND (symbol, trading_day) IN (SELECT symbol, trading_day FROM trading_day_parts WHERE month = ANY(:months))
    ORDER BY symbol, trading_day
"""
_TURNED_AWAY = """
    WITH kept AS (
        SELECT symbol, source, timeframe, count(DISTINCT timestamp) AS bars FROM raw_candles
        WHERE timestamp >= :start AND timestamp < :end GROUP BY symbol, source, timeframe
    ), refused AS (
        SELECT symbol, source, timeframe, count(*) AS rows FROM quarantined_candles
        WHERE timestamp >= :start AND timestamp < :end
          AND reason NOT IN ('weekend', 'closed_hours', 'holiday', 'early_close', 'forming', 'future')
        GROUP BY symbol, source, timeframe
    )
    SELECT symbol, source, timeframe, coalesce(bars, 0) AS bars, rows AS turned_away
    FROM refused LEFT JOIN kept USING (symbol, source, timeframe) WHERE rows * 50 > coalesce(bars, 0) + rows
"""
_UNDIGESTED = """
    SELECT DISTINCT observed.symbol, observed.month
    FROM (SELECT symbol, to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM') AS month FROM raw_candles
          WHERE timestamp >= :start AND timestamp < :end) observed
    LEFT JOIN partition_digests digested
      ON digested.asset = 'raw_candles' AND digested.symbol = observed.symbol AND digested.month = observed.month
    WHERE digested.month IS NULL
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """How many rows break a rule, and the first of them."""

    count: int
    rows: Sequence[Mapping[str, Any]]

    def table(self) -> dg.TableMetadataValue:
        """The first rows, as metadata."""
        return dg.MetadataValue.table(
            [dg.TableRecord({str(name): str(value) for name, value in row.items()}) for row in self.rows]
        )


def candle_findings(database: Database, *, months: Sequence[str]) -> dict[str, Finding]:
    """What is wrong with the stored candles of consecutive `months`, by name of rule."""
    start, end = month_start(months[0]), month_start(next_month(months[-1]))
    window = {"start": start, "end": end, "months": list(months)}
    with database.transaction(read_only=True) as connection:
        stored = {
            symbol: kept_candles.read_all(connection, symbol=symbol, start=start - _REACH, end=end)
            for symbol in candles.symbols(connection, start=start, end=end)
        }
        outside, derived = [], []
        for symbol, frame in stored.items():
            outside += _records(symbol, _outside_hours(frame[frame["timestamp"] >= start]))
            derived += _records(symbol, derived_differences(frame, since=to_instant(start), until=to_instant(end)))
        return {
            "prices_are_ordered": _query(connection, _UNORDERED, window),
            "keys_are_unique": _query(connection, _REPEATED, window),
            "nothing_outside_hours": Finding(len(outside), outside[:SHOWN_ROWS]),
            "derived_equals_base": Finding(len(derived), derived[:SHOWN_ROWS]),
            "trading_days_are_complete": _query(connection, _BLOCKED, window),
        }


def observation_findings(database: Database, *, months: Sequence[str]) -> dict[str, Finding]:
    """What is suspect about the observations of consecutive `months`, by name of rule."""
    window = {"start": month_start(months[0]), "end": month_start(next_month(months[-1]))}
    with database.transaction(read_only=True) as connection:
        return {
            "rows_are_plausible": _query(connection, _TURNED_AWAY, window),
            "newest_versions_are_digested": _query(connection, _UNDIGESTED, window),
        }


def rule_findings(
    connection: Connection, rules: Mapping[str, RowRule], *, months: Sequence[str], now: datetime
) -> dict[str, Finding]:
    """The rows of consecutive `months` that break each rule, by its name."""
    window = {"start": month_start(months[0]), "end": month_start(next_month(months[-1])), "now": now}
    return {name: _query(connection, rule.breaking_rows, window) for name, rule in rules.items()}


def _query(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> Finding:
    rows = [dict(row) for row in connection.execute(text(statement), parameters).mappings()]
    return Finding(len(rows), rows[:SHOWN_ROWS])


def _outside_hours(frame: pd.DataFrame) -> pd.DataFrame:
    calendar = load_calendar()
    wrong = np.zeros(len(frame), dtype=bool)
    for timeframe in Timeframe:
        own = (frame["timeframe"] == timeframe.value).to_numpy()
        opens = instants_of(frame.loc[own, "timestamp"])
        aligned = is_aligned(opens, timeframe=timeframe)
        wrong[np.flatnonzero(own)] = ~(aligned & calendar.is_expected(opens, timeframe=timeframe))
    return frame.loc[wrong, ["timeframe", "timestamp"]]


def _records(symbol: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{"symbol": symbol} | {str(name): value for name, value in record.items()} for record in rows.to_dict("records")]
