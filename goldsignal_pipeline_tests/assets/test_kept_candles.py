"""Pruned candles: who reads them gets what was there, nothing is behind, and observations are not touched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text

from goldsignal_pipeline.assets import kept_candles, market_record
from goldsignal_pipeline.assets.derive import Rules, derive, stale_months
from goldsignal_pipeline.assets.lineage import LINEAGE
from goldsignal_pipeline.assets.missing_bars import find
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.automation.retention import retention
from goldsignal_pipeline.checks.findings import candle_findings
from goldsignal_pipeline.checks.setups import RULES
from goldsignal_pipeline.errors import SettingsError
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import SIMULATED_SYMBOL as SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource
from goldsignal_pipeline.settings import LEAST_KEPT_MONTHS, Settings, cached_settings, load_settings
from goldsignal_pipeline.storage import candles, pruned_candles
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.locks import lock_months
from goldsignal_pipeline.storage.tables import Setup
from goldsignal_pipeline_tests.api.graph_served import asked, client_of, settings_of
from goldsignal_pipeline_tests.postgres import Server, migrated_database
from goldsignal_pipeline_tests.sql.sample_rows import SAMPLES

GRACE = timedelta(seconds=120)
MONTHS = ["2024-03", "2024-04", "2024-05"]
OBSERVED, LATER = datetime(2024, 6, 1, tzinfo=UTC), datetime(2025, 8, 20, tzinfo=UTC)
"""At `LATER`, fifteen months before its month begin with May."""
SETTINGS = Settings(keep_candles={Timeframe.M5: 15, Timeframe.M15: 15}, base_timeframe=Timeframe.M5, provider="simulated")
PRUNED = {Timeframe.M5: {"2024-03", "2024-04"}, Timeframe.M15: {"2024-03", "2024-04"}}
WHOLE = (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def record(postgres_server: Server) -> Iterator[tuple[Database, dict[Timeframe, pd.DataFrame]]]:
    """Three months of five minutes, and what was read of them before anything was pruned."""
    with migrated_database(postgres_server) as database:
        feed = SimulatedProvider(seed=3, calendar=load_calendar(), base_timeframe=Timeframe.M5, clock=lambda: OBSERVED)
        refresh(database, feed, start=datetime(2024, 3, 1, tzinfo=UTC), end=OBSERVED, now=OBSERVED, grace=GRACE, run_id=None)
        derive(database, months=MONTHS, now=OBSERVED, grace=GRACE, source_order=(), run_id=None)
        before = read(database, *WHOLE)
        assert kept_candles.prune(database, Settings(), now=LATER) == [], "nothing is deleted unless it is asked for"
        yield database, before


@pytest.fixture
def pruned(record: tuple[Database, dict[Timeframe, pd.DataFrame]]) -> Database:
    kept_candles.prune(record[0], SETTINGS, now=LATER)
    return record[0]


def read(database: Database, start: datetime, end: datetime, **asked: object) -> dict[Timeframe, pd.DataFrame]:
    with database.transaction(read_only=True) as connection:
        return kept_candles.read(connection, symbol=SYMBOL, timeframes=tuple(Timeframe), start=start, end=end, **asked)


def held(database: Database) -> dict[str, int]:
    with database.transaction(read_only=True) as connection:
        rows = connection.execute(text("SELECT timeframe, count(*) FROM candles GROUP BY 1")).all()
        return {"raw": connection.execute(text("SELECT count(*) FROM raw_candles")).scalar_one(), **dict(map(tuple, rows))}


def marked(database: Database) -> dict[Timeframe, set[str]]:
    with database.transaction(read_only=True) as connection:
        return pruned_candles.months(connection, symbol=SYMBOL)


def behind(database: Database) -> list[str]:
    with database.transaction(read_only=True) as connection:
        rules = Rules.of(connection, symbol=SYMBOL, grace=GRACE, source_order=())
        return stale_months(connection, symbol=SYMBOL, rules=rules)


def test_old_months_of_short_bars_go_and_everything_else_stays(
    record: tuple[Database, dict[Timeframe, pd.DataFrame]],
) -> None:
    database, before = record
    counts = held(database)
    gone = kept_candles.prune(database, SETTINGS, now=LATER)
    assert {(one.timeframe, one.month) for one in gone} == {(each, month) for each, months in PRUNED.items() for month in months}
    after = held(database)
    rows = {each: sum(one.rows for one in gone if one.timeframe is each) for each in PRUNED}
    assert after == counts | {each.value: counts[each.value] - rows[each] for each in PRUNED}
    closes = before[Timeframe.M5]["timestamp"] + timedelta(minutes=5)
    assert rows[Timeframe.M5] == (closes < datetime(2024, 5, 1, tzinfo=UTC)).sum()
    assert marked(database) == PRUNED
    assert kept_candles.prune(database, SETTINGS, now=LATER) == [], "I19"
    assert behind(database) == [], "a pruned month is neither missing nor older than its observations"


START, END = datetime(2024, 2, 20), datetime(2024, 6, 10)


@given(span=st.tuples(st.datetimes(START, END), st.datetimes(START, END)).map(sorted))
@examples(max_examples=8, deadline=None)
def test_any_range_reads_as_before(record: tuple[Database, dict[Timeframe, pd.DataFrame]], span: list[datetime]) -> None:
    database, before = record
    kept_candles.prune(database, SETTINGS, now=LATER)
    start, end = (moment.replace(tzinfo=UTC) for moment in span)
    now = read(database, start, end)
    for timeframe, rows in before.items():
        expected = rows[(rows["timestamp"] >= start) & (rows["timestamp"] < end)].reset_index(drop=True)
        pd.testing.assert_frame_equal(now[timeframe], expected)


def test_some_columns_read_as_before(record: tuple[Database, dict[Timeframe, pd.DataFrame]], pruned: Database) -> None:
    columns = ("timestamp", "close", "base_timeframe")
    now, base = (read(pruned, *WHOLE, columns=columns, only_base=only) for only in (False, True))
    for timeframe, rows in record[1].items():
        pd.testing.assert_frame_equal(now[timeframe], rows[list(columns)])
        expected = rows[rows["base_timeframe"] == timeframe.value]
        pd.testing.assert_frame_equal(base[timeframe], expected[list(columns)].reset_index(drop=True))
    assert len(base[Timeframe.M5])
    assert not len(base[Timeframe.M15])


def test_what_trades_are_walked_on_what_is_missing_and_what_is_checked_do_not_change(pruned: Database) -> None:
    def told() -> tuple[object, ...]:
        with pruned.transaction(read_only=True) as connection:
            bars = market_record.base_bars(connection, symbol=SYMBOL, start=WHOLE[0], end=WHOLE[1], now=LATER, grace=GRACE)
            gaps = find(connection, grace=GRACE, symbol=SYMBOL, start=datetime(2024, 3, 5, tzinfo=UTC), end=OBSERVED, now=LATER)
            start = market_record.record_start(connection, symbol=SYMBOL)
        findings = {name: (one.count, list(one.rows)) for name, one in candle_findings(pruned, months=["2024-05"]).items()}
        return [getattr(bars, name).tolist() for name in bars.__slots__[:-1]], gaps.as_dict(), start, findings

    without = told()
    derive(pruned, months=MONTHS, now=OBSERVED, grace=GRACE, source_order=(), run_id=None)
    assert without == told()


def test_deriving_a_month_brings_its_rows_back_until_the_next_retention(
    record: tuple[Database, dict[Timeframe, pd.DataFrame]], pruned: Database
) -> None:
    done = derive(pruned, months=["2024-04"], now=LATER, grace=GRACE, source_order=(), run_id=None)
    assert done.updated == done.deleted == 0
    assert marked(pruned) == {each: {"2024-03"} for each in PRUNED}
    assert behind(pruned) == []
    for timeframe, rows in record[1].items():
        pd.testing.assert_frame_equal(read(pruned, *WHOLE)[timeframe], rows)
    assert {one.month for one in kept_candles.prune(pruned, SETTINGS, now=LATER)} == {"2024-04"}


def test_a_month_that_waits_to_be_derived_is_kept(pruned: Database) -> None:
    derive(pruned, months=MONTHS, now=OBSERVED, grace=GRACE, source_order=(), run_id=None)
    digest = "UPDATE partition_digests SET digest = '{}' WHERE asset = 'raw_candles' AND month = '2024-03' RETURNING digest"
    with pruned.transaction() as connection:
        was = connection.execute(text("SELECT digest FROM partition_digests WHERE asset = 'raw_candles' AND month = '2024-03'"))
        right = was.scalar_one()
        connection.execute(text(digest.format("other")))
    try:
        assert kept_candles.prune(pruned, SETTINGS, now=LATER) == [], "March, and April that reads it, are behind"
    finally:
        with pruned.transaction() as connection:
            connection.execute(text(digest.format(right)))


def test_retention_waits_for_who_writes_the_month(pruned: Database) -> None:
    derive(pruned, months=MONTHS, now=OBSERVED, grace=GRACE, source_order=(), run_id=None)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with ThreadPoolExecutor(1) as threads:
        with pruned.transaction() as writer:
            lock_months(writer, table=candles.TABLE, months=["2024-03"])
            pruning = threads.submit(kept_candles.prune, pruned, SETTINGS, now=LATER)
            until = time.monotonic() + 30
            while not writer.execute(waiting).scalar_one():
                assert not pruning.done(), "retention deletes beside a writer"
                assert time.monotonic() < until
                time.sleep(0.02)
            assert marked(pruned) == {}
        assert {one.month for one in pruning.result(30)} == {"2024-03", "2024-04"}


def test_the_api_says_that_bars_were_deleted_and_calls_none_missing(pruned: Database) -> None:
    with client_of(settings_of(pruned, symbol=SYMBOL), now=LATER) as client:
        for form in ("columns", "rows"):
            short = asked(client, "/candles", timeframe="M5", limit=50_000, form=form)
            assert (short["rows"] > 5_000, short["older"], short["pruned_until"]) == (True, False, "2024-05-01T00:00:00+00:00")
        gone = asked(client, "/candles", timeframe="M15", start="2024-03-04T00:00:00Z", end="2024-03-09T00:00:00Z")
        assert (gone["rows"], gone["older"], gone["pruned_until"]) == (0, False, "2024-04-01T00:00:00+00:00")
        held = asked(client, "/candles", timeframe="M5", start="2024-05-06T00:00:00Z"), asked(client, "/candles", timeframe="H1")
        assert [one["pruned_until"] for one in held] == [None, None]
        told = asked(client, "/gaps", start="2024-03-05T00:00:00Z", end="2024-04-01T00:00:00Z")["gaps"]
    derive(pruned, months=MONTHS, now=OBSERVED, grace=GRACE, source_order=(), run_id=None)
    with client_of(settings_of(pruned, symbol=SYMBOL), now=LATER) as client:
        assert asked(client, "/gaps", start="2024-03-05T00:00:00Z", end="2024-04-01T00:00:00Z")["gaps"] == told


def test_a_setup_whose_confirming_bar_was_deleted_breaks_no_rule(pruned: Database) -> None:
    rule = text(RULES["no_setup_from_the_future"].breaking_rows)
    window = {"start": WHOLE[0], "end": WHOLE[1], "now": LATER}

    def broken(opened: datetime) -> int:
        when = {"timestamp": opened, "confirmed_at": opened + timedelta(minutes=15)}
        with pruned.transaction() as connection:
            connection.execute(insert(Setup).values(**SAMPLES["setups"] | when | {"symbol": SYMBOL, "timeframe": "M15"}))
            found = len(connection.execute(rule, window).all())
            connection.execute(delete(Setup))
        return found

    assert broken(datetime(2024, 4, 30, 23, 30, tzinfo=UTC)) == 0
    assert broken(datetime(2024, 4, 30, 23, 45, tzinfo=UTC)) == 1, "that closes in May, which is held"


def test_the_job_says_what_it_deleted(pruned: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_KEEP_CANDLES", '{"M5": 15}')
    derive(pruned, months=MONTHS, now=OBSERVED, grace=GRACE, source_order=(), run_id=None)
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", pruned.url.render_as_string(hide_password=False))
    cached_settings.cache_clear()
    resources = {"database": DatabaseResource(), "clock": ClockResource(), "settings": SettingsResource()}
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            result = retention.execute_in_process(resources=resources, instance=instance)
    finally:
        cached_settings.cache_clear()
    output = next(e for e in result.all_node_events if e.is_successful_output and e.node_name == "delete_old_candles")
    told = output.step_output_data.metadata
    assert told["rows_deleted"].value == result.output_for_node("delete_old_candles") > 10_000
    assert told["rows_deleted_by_timeframe"].value == {"M5": told["rows_deleted"].value}
    assert [record.data for record in told["complete_from"].records] == [
        {"symbol": SYMBOL, "timeframe": "M5", "months_deleted": 3, "complete_from": "2024-06"}
    ]
    assert [record.data["month"] for record in told["months_deleted"].records] == MONTHS, "as of now"


def test_the_least_that_must_be_kept_is_what_the_graph_reads() -> None:
    earliest = min(one.first for lineage in LINEAGE.values() for one in lineage.reads if one.asset == "candles")
    assert 1 - earliest == LEAST_KEPT_MONTHS


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('{"M5": 14}', "at least 15 months"),
        ('{"H1": 40}', "longer bars are few"),
        ('{"M2": 40}', "M2"),
        ('{"m15": 40}', "did you mean M15"),
        ('{"M5": "all"}', "M5"),
    ],
)
def test_what_cannot_be_kept_so_is_refused(monkeypatch: pytest.MonkeyPatch, value: str, told: str) -> None:
    monkeypatch.setenv("GOLDSIGNAL_KEEP_CANDLES", value)
    with pytest.raises(SettingsError, match=told):
        load_settings()
