"""Every check can fail, says which rows, and stops the run exactly when wrong rows would travel on."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets.candles import candles
from goldsignal_pipeline.assets.partitioning import months
from goldsignal_pipeline.checks.candles import candles_rules
from goldsignal_pipeline.checks.findings import candle_findings, observation_findings
from goldsignal_pipeline.checks.raw_candles import raw_candles_rules
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.conftest import Materialize, materialize  # noqa: F401  (a fixture)

NOW = datetime(2026, 3, 20, 12, 7, tzinfo=UTC)
MONTHS = ["2026-03"]
BLOCKING = ["prices_are_ordered", "keys_are_unique", "nothing_outside_hours", "derived_equals_base"]


@pytest.fixture
def filled(materialize: Materialize, database: Database) -> Database:  # noqa: F811  (the fixture above)
    assert materialize("2026-02", "2026-03", now=NOW).success
    return database


def spoil(database: Database, *statements: str) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(text(statement))


WITHOUT_CONSTRAINT = "ALTER TABLE candles DROP CONSTRAINT ck_candles_price_order"
WITHOUT_KEY = "ALTER TABLE candles DROP CONSTRAINT pk_candles"
ONE_HOUR = "timeframe = 'H1' AND timestamp = '2026-03-10 10:00Z'"
SPOILED = {
    "prices_are_ordered": (WITHOUT_CONSTRAINT, f"UPDATE candles SET low = high + 1 WHERE {ONE_HOUR}"),
    "keys_are_unique": (WITHOUT_KEY, f"INSERT INTO candles SELECT * FROM candles WHERE {ONE_HOUR}"),
    "nothing_outside_hours": (f"UPDATE candles SET timestamp = '2026-03-14 10:00Z' WHERE {ONE_HOUR}",),
    "derived_equals_base": (
        "UPDATE candles SET close = close + 0.01, high = high + 0.01 WHERE timeframe = 'H4' AND timestamp = '2026-03-10 09:00Z'",
    ),
}
QUARANTINED = (
    "INSERT INTO quarantined_candles"
    " (symbol, source, timeframe, timestamp, reason, payload, stage, calendar_version, observed_at) "
)


@pytest.mark.parametrize("check", BLOCKING)
def test_a_blocking_check_names_the_row_it_found(filled: Database, check: str) -> None:
    assert candle_findings(filled, months=MONTHS)[check].count == 0
    spoil(filled, *SPOILED[check])
    finding = candle_findings(filled, months=MONTHS)[check]
    assert finding.count >= 1
    assert "2026-03-1" in str(finding.table())


def test_a_failed_blocking_check_keeps_wrong_rows_from_travelling_on(filled: Database, materialize: Materialize) -> None:  # noqa: F811
    @dg.asset(partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run(), name="candles")
    def faulty_candles() -> None:
        spoil(filled, *SPOILED["derived_equals_base"])

    @dg.asset(partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run(), deps=["candles"])
    def setups() -> None:
        spoil(
            filled, "INSERT INTO operator_events (at, kind, severity, message, natural_key) VALUES (now(), 'x', 'info', '', 'x')"
        )

    result = materialize("2026-03", "2026-03", now=NOW, selection=[faulty_candles, candles_rules, setups])
    assert not result.success
    started = {event.step_key for event in result.filter_events(lambda event: event.event_type_value == "STEP_START")}
    assert started == {"candles", "candles_rules"}


def test_an_incomplete_day_is_told_and_blocks_nothing(filled: Database, materialize: Materialize) -> None:  # noqa: F811
    spoil(
        filled,
        "ALTER TABLE raw_candles DISABLE TRIGGER USER",
        "DELETE FROM raw_candles WHERE timestamp BETWEEN '2026-03-10 10:00Z' AND '2026-03-10 13:00Z'",
        "ALTER TABLE raw_candles ENABLE TRIGGER USER",
    )
    assert materialize("2026-03", "2026-03", now=NOW, selection=[candles, candles_rules]).success
    finding = candle_findings(filled, months=MONTHS)["trading_days_are_complete"]
    assert finding.count == 1
    assert (str(finding.rows[0]["trading_day"]), finding.rows[0]["missing_bars"]) == ("2026-03-10", 4)


def test_many_rows_turned_away_are_told_and_block_nothing(filled: Database, materialize: Materialize) -> None:  # noqa: F811
    assert observation_findings(filled, months=MONTHS)["rows_are_plausible"].count == 0
    spoil(
        filled,
        QUARANTINED + "SELECT 'XAUUSD-SIM', 'simulated:bid', 'H1', timestamp, 'price_order', '', 'observation', '1', now() "
        "FROM raw_candles WHERE timestamp >= '2026-03-01Z' LIMIT 50",
    )
    finding = observation_findings(filled, months=MONTHS)["rows_are_plausible"]
    assert finding.rows[0]["turned_away"] == 50
    assert materialize("2026-03", "2026-03", now=NOW, selection=[raw_candles_rules]).success


def test_closed_hour_filler_is_no_reason_for_suspicion(filled: Database) -> None:
    spoil(
        filled,
        QUARANTINED + "SELECT 'XAUUSD-SIM', 'simulated:bid', 'M5',"
        " generate_series('2026-03-07Z'::timestamptz, '2026-03-08 12:00Z', '5 minutes'), "
        "'weekend', '', 'observation', '1', now()",
    )
    assert observation_findings(filled, months=MONTHS)["rows_are_plausible"].count == 0


def test_a_month_of_observations_without_a_digest_is_told(filled: Database) -> None:
    assert observation_findings(filled, months=MONTHS)["newest_versions_are_digested"].count == 0
    spoil(filled, "DELETE FROM partition_digests WHERE asset = 'raw_candles' AND month = '2026-03'")
    finding = observation_findings(filled, months=MONTHS)["newest_versions_are_digested"]
    assert [dict(row) for row in finding.rows] == [{"symbol": "XAUUSD-SIM", "month": "2026-03"}]
