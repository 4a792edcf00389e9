"""`goldsignal status`: it must not say ok when something is wrong (mistake 18 of an earlier system)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.assets.staleness import Behind, Cause
from goldsignal_pipeline.cli import credits, status_record, status_services
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.catch_up import CatchUp, caught_up
from goldsignal_pipeline.cli.findings import Level
from goldsignal_pipeline.cli.status import runs_finding
from goldsignal_pipeline.cli.status_record import BlockedDay, FeedState
from goldsignal_pipeline.cli.status_services import RunLine
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage import operator_events
from goldsignal_pipeline.storage.credits import PostgresCreditBudget
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.digests import Digest

UTC_ZONE = ZoneInfo("UTC")
WEDNESDAY_NOON = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)


def _candle(database: Database, opened: datetime, timeframe: str = "M5") -> None:
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO candles (symbol, timeframe, timestamp, open, high, low, close, source, base_timeframe, base_bars)"
                " VALUES ('XAUUSD', :timeframe, :opened, 4000, 4001, 3999, 4000, 'x:bid', :timeframe, 1)"
            ),
            {"opened": opened, "timeframe": timeframe},
        )


def _feed(database: Database, *, now: datetime) -> FeedState | None:
    with database.transaction(read_only=True) as connection:
        return status_record.feed_state(connection, Settings(), symbol="XAUUSD", now=now)


def _level(feed: FeedState | None) -> Level:
    return status_record.feed_finding(feed, Settings(), zone=UTC_ZONE).level


def test_a_record_without_candles_is_a_problem(database: Database) -> None:
    assert _level(_feed(database, now=WEDNESDAY_NOON)) is Level.PROBLEM


def test_a_feed_that_stopped_an_hour_ago_is_a_problem(database: Database) -> None:
    _candle(database, WEDNESDAY_NOON - timedelta(minutes=65))
    feed = _feed(database, now=WEDNESDAY_NOON)
    assert feed is not None
    assert feed.age_minutes == 60
    assert _level(feed) is Level.PROBLEM


def test_a_bar_that_just_closed_is_fresh(database: Database) -> None:
    _candle(database, WEDNESDAY_NOON - timedelta(minutes=10))
    feed = _feed(database, now=WEDNESDAY_NOON)
    assert feed == FeedState("XAUUSD", WEDNESDAY_NOON - timedelta(minutes=5), 5, 17, market_open=True)
    assert _level(feed) is Level.OK


@pytest.mark.fault("time")
def test_over_a_weekend_the_feed_does_not_age(database: Database) -> None:
    _candle(database, datetime(2026, 3, 13, 20, 55, tzinfo=UTC))  # the last bar before Friday 17:00 New York
    feed = _feed(database, now=datetime(2026, 3, 15, 21, 0, tzinfo=UTC))
    assert feed is not None
    assert (feed.age_minutes, feed.market_open, _level(feed)) == (0, False, Level.OK)


def test_todays_blocked_day_is_a_problem_and_an_older_one_a_note() -> None:
    today = BlockedDay(date(2026, 3, 18), 30, 200)
    assert status_record.days_finding([today], now=WEDNESDAY_NOON).level is Level.PROBLEM
    assert status_record.days_finding([replace(today, trading_day=date(2026, 3, 17))], now=WEDNESDAY_NOON).level is Level.NOTE
    # Five in the evening in New York begins the next trading day.
    evening = WEDNESDAY_NOON + timedelta(hours=10)
    assert status_record.days_finding([today], now=evening).level is Level.NOTE
    assert status_record.days_finding([], now=WEDNESDAY_NOON).level is Level.OK


def _digest(computed_at: datetime) -> Digest:
    return Digest(1, "d", "", complete=True, code_version="1", computed_at=computed_at, run_id=None)


def test_months_that_are_behind_are_named_with_the_assets_where_computing_begins() -> None:
    causes = {
        "candles": {f"2025-{month:02d}": Cause.OUTDATED for month in range(1, 9)} | {"2025-12": Cause.MISSING},
        "setups": {"2025-01": Cause.FOLLOWS},
        "outcomes": {"2025-03": Cause.INCOMPLETE},
    }
    found = status_record.months_finding([Behind("XAUUSD", causes, "", {})], now=WEDNESDAY_NOON)
    assert found.level is Level.NOTE
    assert found.detail == "behind what they are made of: candles 2025-01 to 2025-08, 2025-12; outcomes 2025-03"
    assert "backfill --missing" in found.fix
    assert status_record.months_finding([], now=WEDNESDAY_NOON).level is Level.OK


def test_a_month_whose_cycle_is_under_way_is_not_behind() -> None:
    causes = {"candles": {"2026-03": Cause.OUTDATED}}
    for age, level in ((timedelta(seconds=20), Level.OK), (timedelta(minutes=4), Level.NOTE)):
        found = Behind("XAUUSD", causes, "", {"2026-03": _digest(WEDNESDAY_NOON - age)})
        assert status_record.months_finding([found], now=WEDNESDAY_NOON).level is level


def test_credits_left_are_those_of_the_shared_budget(database: Database) -> None:
    settings = Settings(twelvedata_credits_per_minute=8, twelvedata_credits_per_day=20)
    shared = PostgresCreditBudget(database, per_minute=8, per_day=20)
    shared.acquire(vendor="twelvedata", credits=3, now=WEDNESDAY_NOON)
    state = credits.credit_state(database, settings, now=WEDNESDAY_NOON)
    assert (state.minute_left, state.day_left, state.refused) == (5, 17, "")
    later = credits.credit_state(database, settings, now=WEDNESDAY_NOON + timedelta(minutes=2))
    assert (later.minute_left, later.day_left) == (8, 17)
    shared.exhausted(vendor="twelvedata", scope="day", now=WEDNESDAY_NOON)
    refused = credits.credit_state(database, settings, now=WEDNESDAY_NOON)
    assert (refused.minute_left, refused.day_left) == (0, 0)
    assert credits.finding(refused).level is Level.NOTE
    assert credits.finding(state).level is Level.OK


def test_the_live_cycle_keeps_its_share_of_the_days_credits(database: Database) -> None:
    planned = credits.budget(database, Settings(), now=WEDNESDAY_NOON)
    assert (planned.per_minute, planned.per_day, planned.used_today, planned.reserved_per_day) == (8, 800, 0, 288)
    small = credits.budget(database, Settings(twelvedata_credits_per_day=100), now=WEDNESDAY_NOON)
    assert small.reserved_per_day == 50


def _run(job: str, status: str) -> RunLine:
    return RunLine(run_id=f"{job}-{status}", job=job, status=status, months="", started_at=None, seconds=None)


def test_only_the_newest_finished_run_of_a_job_decides() -> None:
    assert runs_finding([_run("live_cycle", "failure"), _run("live_cycle", "success")]).level is Level.PROBLEM
    assert runs_finding([_run("live_cycle", "success"), _run("live_cycle", "failure")]).level is Level.OK
    assert runs_finding([_run("live_cycle", "started"), _run("live_cycle", "failure")]).level is Level.PROBLEM
    assert runs_finding([_run("live_cycle", "success"), _run("backfill", "failure")]).level is Level.PROBLEM
    assert runs_finding([]).level is Level.NOTE


def test_a_daemon_that_never_ran_or_fell_silent_is_a_problem() -> None:
    from dagster._daemon.types import DaemonHeartbeat

    with dg.DagsterInstance.ephemeral() as instance:
        assert status_services.daemon_finding(instance, now=WEDNESDAY_NOON).level is Level.PROBLEM
        beat = DaemonHeartbeat(timestamp=WEDNESDAY_NOON.timestamp(), daemon_type="SCHEDULER", daemon_id="x", errors=[])
        instance.add_daemon_heartbeat(beat)
        soon, late = WEDNESDAY_NOON + timedelta(seconds=30), WEDNESDAY_NOON + timedelta(minutes=5)
        assert status_services.daemon_finding(instance, now=soon).level is Level.OK
        assert status_services.daemon_finding(instance, now=late).level is Level.PROBLEM


def test_what_came_late_after_an_outage_is_told_in_bars_and_closed_hours_are_no_outage() -> None:
    friday = datetime(2026, 3, 13, 20, 50, tzinfo=UTC)
    sunday = datetime(2026, 3, 15, 22, 5, tzinfo=UTC)
    closes = [friday, friday + timedelta(minutes=5), friday + timedelta(minutes=10), sunday, sunday + timedelta(minutes=5)]
    calendar = load_calendar()
    assert caught_up(closes, calendar=calendar, bar_minutes=5) == []
    late = sunday + timedelta(hours=3, minutes=5)
    assert caught_up([late, *closes], calendar=calendar, bar_minutes=5) == [CatchUp(closes[-1], late, 36)]


def _status() -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(create_app(), ["status", "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.usefixtures("home")
def test_status_of_nothing_is_not_healthy() -> None:
    """Mistake 18: health checks that always said ok."""
    code, report = _status()
    assert (code, report["healthy"]) == (7, False)
    levels = {finding["name"]: finding["level"] for finding in report["findings"]}
    assert levels == {"database": "problem", "web page": "problem", "api": "problem"}


@pytest.mark.fault("database")
@pytest.mark.usefixtures("home")
def test_status_of_a_database_that_does_not_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", "postgresql://someone:the-password@127.0.0.1:1/none")
    code, report = _status()
    found = {finding["name"]: finding for finding in report["findings"]}
    assert code == 7
    assert "does not answer" in found["database"]["detail"]
    assert "the-password" not in json.dumps(report)  # I18


def test_status_tells_the_record_and_the_events_of_a_database_of_ones_own(
    own_database: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("GOLDSIGNAL_TWELVEDATA_API_KEY", "a-key-that-is-never-sent")
    now = datetime.now(UTC)
    with database.transaction() as connection:
        operator_events.append(
            connection,
            at=now - timedelta(hours=1),
            kind="run_failed",
            severity="error",
            message="Run 1234 of live_cycle failed.",
            cause=None,
            run_id=None,
            natural_key="run_failed:1234",
        )
    _candle(database, datetime(2026, 3, 18, 11, 55, tzinfo=UTC))
    code, report = _status()
    found = {finding["name"]: finding["level"] for finding in report["findings"]}
    assert code == 7
    assert found["database"] == found["days"] == found["months"] == found["credits"] == "ok"
    assert found["feed"] == found["daemon"] == found["web page"] == "problem"
    assert report["feed"]["newest_close"] == "2026-03-18T12:00:00Z"
    assert [event["message"] for event in report["events"]] == ["Run 1234 of live_cycle failed."]
    assert report["credits"]["day_left"] == 800
