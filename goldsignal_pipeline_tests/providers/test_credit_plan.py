"""The plan of going live: least calls, minutes and days that the credits allow."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.credit_plan import plan_history
from goldsignal_pipeline.providers.twelvedata import pages
from goldsignal_pipeline_tests.providers.support import NOW

UTC_TIMEFRAMES = [Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1]


def test_the_plan_of_going_live_counts_months_calls_minutes_and_days():
    plan = plan_history(
        now=datetime(2026, 8, 20, 6, 30, tzinfo=UTC),
        months=20,
        timeframe=Timeframe.M5,
        credits_per_minute=8,
        credits_per_day=800,
        live_calls_per_day=288,
    )
    # 2024-12-01 to 2026-08-20 06:30 are 627 days and 78 bars of 5 minutes: 180,654 bars.
    assert plan.window.start == datetime(2024, 12, 1, tzinfo=UTC)
    assert (plan.calls, plan.minutes, plan.days) == (37, 5, 1)


@given(
    months=st.integers(1, 60),
    timeframe=st.sampled_from(UTC_TIMEFRAMES),
    per_minute=st.integers(1, 100),
    per_day=st.integers(1, 1000),
)
@settings(max_examples=60)
def test_a_plan_is_the_least_that_fits_the_credits(months, timeframe, per_minute, per_day):
    plan = plan_history(now=NOW, months=months, timeframe=timeframe, credits_per_minute=per_minute, credits_per_day=per_day)
    assert plan.calls == len(pages(plan.window, now=NOW))
    assert (plan.days - 1) * per_day < plan.calls <= plan.days * per_day
    assert (plan.minutes - 1) * per_minute < min(plan.calls, per_day) <= plan.minutes * per_minute
    assert plan.window.start.day == 1
    assert (NOW.year * 12 + NOW.month) - (plan.window.start.year * 12 + plan.window.start.month) == months


def test_a_plan_that_the_live_cycle_eats_up_is_refused():
    with pytest.raises(UsageError, match="288 calls a day"):
        plan_history(now=NOW, months=1, timeframe=Timeframe.M5, credits_per_minute=8, credits_per_day=288, live_calls_per_day=288)
