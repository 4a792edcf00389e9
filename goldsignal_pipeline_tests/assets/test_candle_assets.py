"""`raw_candles` and `candles` as Dagster runs them, on a real PostgreSQL."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets.partitions import months_between
from goldsignal_pipeline.assets.raw_candles import raw_candles
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import DayLimitError
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.conftest import Materialize, simulated
from goldsignal_pipeline_tests.assets.support import FailingAfter, everything, rows, step_failures

NOW = datetime(2026, 3, 20, 12, 7, tzinfo=UTC)


def test_a_range_of_months_is_one_run_that_fills_both_tables(materialize: Materialize, database: Database) -> None:
    result = materialize("2026-02", "2026-03", now=NOW)
    assert result.success, step_failures(result)
    by_timeframe = dict(rows(database, "SELECT timeframe, count(*) FROM candles GROUP BY 1"))
    assert set(by_timeframe) == {"H1", "H4", "D1"}
    assert by_timeframe["H1"] == dict(rows(database, "SELECT timeframe, count(*) FROM raw_candles GROUP BY 1"))["H1"]


def test_i19_a_second_run_changes_nothing(materialize: Materialize, database: Database) -> None:
    assert materialize("2026-02", "2026-03", now=NOW).success
    first = everything(database)
    assert materialize("2026-02", "2026-03", now=NOW).success
    assert everything(database) == first


@pytest.mark.parametrize("seed", [1, 2])
def test_i8_any_chunking_in_any_order_gives_the_rows_of_one_pass(materialize: Materialize, database: Database, seed: int) -> None:
    """Every month alone and in random order; then what was derived before its observations came is derived again."""
    months = months_between("2026-01", "2026-03")
    assert materialize(months[0], months[-1], now=NOW).success
    at_once = everything(database)
    with database.transaction() as connection:
        owner = text("ALTER TABLE raw_candles DISABLE TRIGGER USER")
        connection.execute(owner)
        for table in at_once:
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("DELETE FROM fetches"))
        connection.execute(text("ALTER TABLE raw_candles ENABLE TRIGGER USER"))
    random.Random(seed).shuffle(months)
    for month in [*months, *months]:
        assert materialize(month, month, now=NOW).success
    assert everything(database) == at_once


def test_only_closed_bars_are_stored_and_the_forming_one_is_quarantined(materialize: Materialize, database: Database) -> None:
    assert materialize("2026-03", "2026-03", now=NOW).success
    newest = rows(database, "SELECT max(timestamp) FROM raw_candles")[0][0]
    assert newest + timedelta(hours=1) + timedelta(seconds=120) <= NOW
    assert newest == datetime(2026, 3, 20, 11, tzinfo=UTC), "the bar that closed at 12:00 is known at 12:07"


def test_a_bar_that_closes_at_a_months_first_instant_belongs_to_the_new_month(
    materialize: Materialize, database: Database
) -> None:
    assert materialize("2026-03", "2026-03", now=datetime(2026, 4, 8, tzinfo=UTC)).success
    assert rows(database, "SELECT count(*) FROM candles WHERE timeframe = 'H1' AND timestamp = '2026-03-31 23:00Z'") == [(0,)]
    assert materialize("2026-04", "2026-04", now=datetime(2026, 4, 8, tzinfo=UTC)).success
    assert rows(database, "SELECT count(*) FROM candles WHERE timeframe = 'H1' AND timestamp = '2026-03-31 23:00Z'") == [(1,)]


def test_each_month_of_a_range_tells_its_own_counts(materialize: Materialize, database: Database) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize("2026-02", "2026-03", now=NOW, instance=instance).success
        for asset in ("raw_candles", "candles"):
            records = instance.fetch_materializations(dg.AssetKey(asset), limit=10).records
            by_month = {record.partition_key: record.asset_materialization.metadata for record in records}
            assert set(by_month) == {"2026-02", "2026-03"}
            counted = "bars" if asset == "raw_candles" else "candles"
            assert by_month["2026-02"][counted].value > by_month["2026-03"][counted].value > 0
        closing = rows(database, "SELECT month, rows FROM partition_digests WHERE asset = 'candles'")
        assert {month: record["candles"].value for month, record in by_month.items()} == dict(closing), "bars that close in it"
        assert "data:image/png" in by_month["2026-02"]["chart_XAUUSD-SIM"].value
        assert "(simulated)" in by_month["2026-02"]["chart_XAUUSD-SIM"].value


def test_a_live_run_draws_no_picture(materialize: Materialize) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize("2026-03", "2026-03", now=NOW, instance=instance, tags={"goldsignal/kind": "live"}).success
        record = instance.fetch_materializations(dg.AssetKey("candles"), limit=1).records[0]
        assert not [name for name in record.asset_materialization.metadata if name.startswith("chart")]


def test_what_came_before_a_vendor_failed_is_stored_and_the_cause_is_told(materialize: Materialize, database: Database) -> None:
    failing = FailingAfter(simulated(NOW, timeframe=Timeframe.M5), windows=1, error=DayLimitError("The credits are gone."))
    result = materialize("2026-02", "2026-03", now=NOW, provider=failing, selection=[raw_candles])
    assert not result.success
    assert "The credits are gone." in step_failures(result)[0]
    stored = rows(database, "SELECT count(*) FROM raw_candles")[0][0]
    assert stored > 1000
    assert materialize("2026-02", "2026-03", now=NOW, provider=failing.inner, selection=[raw_candles]).success
    assert rows(database, "SELECT count(*) FROM raw_candles")[0][0] > stored


def test_what_was_caught_up_after_an_outage_is_told_once(materialize: Materialize, database: Database) -> None:
    assert materialize("2026-03", "2026-03", now=NOW - timedelta(days=2)).success
    for _ in range(2):
        assert materialize("2026-03", "2026-03", now=NOW).success
    told = rows(database, "SELECT message FROM operator_events WHERE kind = 'caught_up'")
    assert told == [("Caught up 46 bars of XAUUSD-SIM, 2026-03-18 12:00 to 2026-03-20 12:00 UTC.",)]


@pytest.mark.fault("concurrency")
def test_two_runs_on_one_range_leave_the_rows_of_one(materialize: Materialize, database: Database) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: materialize("2026-02", "2026-03", now=NOW), range(2)))
    assert all(result.success for result in results), [step_failures(result) for result in results]
    both = everything(database)
    assert materialize("2026-02", "2026-03", now=NOW).success
    assert everything(database) == both
