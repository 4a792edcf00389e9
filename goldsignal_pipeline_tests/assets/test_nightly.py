"""The ends of the graph have a deadline that a missed night breaks and that no weekend and no holiday can break."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.freshness import CronFreshnessPolicy

from goldsignal_pipeline.assets.nightly import NIGHTLY_END
from goldsignal_pipeline.automation.ticks import Night, night_for_tick
from goldsignal_pipeline.definitions import definitions
from goldsignal_pipeline.market.hours import load_calendar

NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = date(2012, 1, 9), date(2026, 11, 20)


def weekdays(hour: time) -> list[datetime]:
    days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days)]
    return [datetime.combine(day, hour, NEW_YORK).astimezone(UTC) for day in days if day.weekday() < 5]


def nights() -> list[datetime]:
    """When `nightly_backtests` runs: its schedule's line, less the days of which it says that there was no market."""
    calendar = load_calendar()
    return [at for at in weekdays(time(17, 20)) if isinstance(night_for_tick(at, calendar=calendar), Night)]


def missed(policy: CronFreshnessPolicy, made: Sequence[datetime]) -> list[datetime]:
    """The deadlines at which the policy alarms, as Dagster counts: nothing made since the deadline less its allowance."""
    due = [at for at in weekdays(time(19)) if at.astimezone(NEW_YORK).weekday() in (1, 4)][1:]
    return [at for at in due if made[bisect_right(made, at) - 1] < at - policy.lower_bound_delta]


def test_exactly_the_ends_of_the_graph_have_the_deadline() -> None:
    """But for news, which are off unless configured and have no nights."""
    specs = list(definitions.resolve_all_asset_specs())
    read = {dep.asset_key for spec in specs for dep in spec.deps if dep.asset_key != spec.key}
    ends = {spec.key for spec in specs} - read - {dg.AssetKey("news_events")} | {dg.AssetKey("strategy_performance")}
    assert {spec.key for spec in specs if spec.freshness_policy is not None} == ends
    assert {spec.freshness_policy for spec in specs if spec.key in ends} == {NIGHTLY_END}


def test_no_weekend_or_holiday_of_fifteen_years_alarms_and_two_lost_nights_do() -> None:
    assert isinstance(NIGHTLY_END, CronFreshnessPolicy)
    assert (NIGHTLY_END.deadline_cron, NIGHTLY_END.timezone) == ("0 19 * * 2,5", "America/New_York")
    made = nights()
    assert len(weekdays(time(17, 20))) - len(made) > 25, "the record has nights without a run"
    assert missed(NIGHTLY_END, made) == []
    lost = {date(2026, 3, 5), date(2026, 3, 6)}
    held = [at for at in made if at.astimezone(NEW_YORK).date() not in lost]
    assert [at.astimezone(NEW_YORK).date() for at in missed(NIGHTLY_END, held)] == [date(2026, 3, 6)]


def test_a_deadline_on_every_weekday_would_alarm_on_holidays() -> None:
    due, made = weekdays(time(19))[3:], nights()
    false = [at for at in due if made[bisect_right(made, at) - 1] < at - timedelta(days=1)]
    assert date(2024, 3, 29) in {at.astimezone(NEW_YORK).date() for at in false}, "Good Friday"
