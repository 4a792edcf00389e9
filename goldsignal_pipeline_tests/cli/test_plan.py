"""The plan of a fetch: an independent minute-by-minute simulation is the oracle."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from goldsignal_pipeline.cli.plan import Budget, plan_fetch, render_plan

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


def _simulated_finish(credits_needed: int, budget: Budget, now: datetime) -> datetime:
    moment, used = now, budget.used_today
    daily = max(1, budget.per_day - budget.reserved_per_day)
    while credits_needed:
        granted = min(credits_needed, budget.per_minute, max(0, daily - used))
        if granted == 0:
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + timedelta(days=1)
            used = 0
            continue
        credits_needed -= granted
        used += granted
        moment += timedelta(minutes=1)
    return moment


@settings(max_examples=60, deadline=None)
@given(
    credits_needed=st.integers(0, 600),
    per_minute=st.integers(1, 20),
    minutes_of_day_budget=st.integers(1, 20),
    used_minutes=st.integers(0, 20),
    minute_of_day=st.integers(0, 23 * 60),
)
def test_a_plan_takes_as_long_as_spending_the_credits_minute_by_minute(
    credits_needed: int, per_minute: int, minutes_of_day_budget: int, used_minutes: int, minute_of_day: int
) -> None:
    # Day budgets in whole minutes of spending: within a day the minute is the finest step the vendor's rule knows.
    budget = Budget(
        per_minute=per_minute,
        per_day=per_minute * minutes_of_day_budget,
        used_today=per_minute * min(used_minutes, minutes_of_day_budget),
    )
    now = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minute_of_day)
    plan = plan_fetch(months=("2026-10", "2026-11"), credits_needed=credits_needed, budget=budget, now=now)
    assert plan.finished_at == _simulated_finish(credits_needed, budget, now)


def test_a_plan_leaves_the_live_cycle_its_credits_and_waits_for_the_next_utc_day() -> None:
    budget = Budget(per_minute=8, per_day=800, used_today=500, reserved_per_day=288)
    plan = plan_fetch(months=("2026-11",), credits_needed=30, budget=budget, now=NOW)
    # 800 - 288 - 500 leaves 12 today (2 minutes); the other 18 take 3 minutes from midnight.
    assert plan.finished_at == datetime(2026, 11, 24, 0, 3, tzinfo=UTC)
    assert plan.minutes == 93


def test_a_free_source_needs_no_time_and_no_credits() -> None:
    plan = plan_fetch(months=("2026-11",), credits_needed=0, budget=None, now=NOW)
    assert (plan.minutes, plan.finished_at) == (0, NOW)


def test_strategies_are_silent_until_260_days_of_context_and_365_of_evidence_exist() -> None:
    months = tuple(f"{2025 + (3 + i) // 12}-{(3 + i) % 12 + 1:02d}" for i in range(20))
    plan = plan_fetch(months=months, credits_needed=24, budget=Budget(per_minute=8, per_day=800), now=NOW)
    assert (plan.first_month, plan.last_month, plan.months, plan.chunks) == ("2025-04", "2026-11", 20, 2)
    # 2025-04-01 plus 625 days, counted by hand: 9 months to 2026-01-01 are 275 days, 350 more end on 2026-12-17.
    assert plan.silent_until == datetime(2026, 12, 17, tzinfo=UTC)


def test_strategies_are_not_said_to_speak_before_the_fetch_is_done() -> None:
    plan = plan_fetch(months=("2006-01",), credits_needed=24, budget=Budget(per_minute=8, per_day=800), now=NOW)
    assert plan.silent_until == plan.finished_at == NOW + timedelta(minutes=3)


def test_the_plan_shows_times_in_the_zone_of_the_user() -> None:
    plan = plan_fetch(months=("2026-11",), credits_needed=24, budget=Budget(per_minute=8, per_day=800), now=NOW)

    def shown(*, going_live: bool) -> str:
        console = Console(width=80, record=True, file=io.StringIO())
        console.print(render_plan(plan, zone=ZoneInfo("Asia/Tokyo"), source="twelvedata:mid", going_live=going_live))
        return console.export_text()

    text = shown(going_live=True)
    assert "24" in text
    assert "3 min" in text
    assert "silent until" in text
    assert "JST" in text
    assert "silent until" not in shown(going_live=False)
