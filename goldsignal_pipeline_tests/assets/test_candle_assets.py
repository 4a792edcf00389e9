"""`raw_candles` and `candles` as Dagster runs them, on a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.conftest import Materialize

NOW = datetime(2026, 3, 20, 12, 7, tzinfo=UTC)


def rows(database: Database, query: str) -> list[tuple]:
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def everything(database: Database) -> dict[str, list[tuple]]:
    """Every business row, without the marks of the run that wrote it."""
    return {
        "raw_candles": rows(
            database,
            "SELECT symbol, source, timeframe, timestamp, open, high, low, close, volume, observed_at FROM raw_candles ORDER BY 1,2,3,4,10",
        ),
        "candles": rows(database, "SELECT * FROM candles ORDER BY symbol, timeframe, timestamp"),
        "quarantined_candles": rows(
            database, "SELECT symbol, source, timeframe, timestamp, reason, payload FROM quarantined_candles ORDER BY 1,2,3,4,5,6"
        ),
        "trading_day_parts": rows(database, "SELECT * FROM trading_day_parts ORDER BY symbol, trading_day, month"),
        "partition_digests": rows(
            database, "SELECT asset, symbol, month, rows, digest, inputs_digest, complete FROM partition_digests ORDER BY 1,2,3"
        ),
    }


def test_a_range_of_months_is_one_run_that_fills_both_tables(materialize: Materialize, database: Database) -> None:
    result = materialize("2026-02", "2026-03", now=NOW)
    assert result.success, (
        [event.message for event in result.get_step_failure_events()] if hasattr(result, "get_step_failure_events") else ""
    )
    by_timeframe = dict(rows(database, "SELECT timeframe, count(*) FROM candles GROUP BY 1"))
    assert set(by_timeframe) == {"H1", "H4", "D1"}
    assert by_timeframe["H1"] > 700


def test_i19_a_second_run_changes_nothing(materialize: Materialize, database: Database) -> None:
    assert materialize("2026-02", "2026-03", now=NOW).success
    first = everything(database)
    assert materialize("2026-02", "2026-03", now=NOW).success
    assert everything(database) == first
