"""The live cycle asks for exactly the bars that can exist: by clock and calendar alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.assets.partitions import month_of
from goldsignal_pipeline.automation.ticks import Cycle, Idle, LastCycle, Night, cycle_for_tick, newest_closed_bar, night_for_tick
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe

GRACE = timedelta(seconds=120)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tick(now: str, *, last_good: str | None = None, last: LastCycle | None = None) -> Cycle | Idle:
    return cycle_for_tick(
        at(now),
        calendar=load_calendar(),
        timeframe=Timeframe.M5,
        grace=GRACE,
        last_good_close=None if last_good is None else at(last_good),
        last=last,
    )


@pytest.mark.parametrize(
    ("now", "bar_close"),
    [
        ("2026-03-04T12:07:00", "2026-03-04T12:05:00"),  # an ordinary Wednesday
        ("2026-03-04T12:06:59", "2026-03-04T12:00:00"),  # a second before the grace has passed
        ("2026-03-04T22:30:00", "2026-03-04T22:00:00"),  # inside the daily break (17:00 New York = 22:00 UTC in winter)
        ("2026-03-09T21:30:00", "2026-03-09T21:00:00"),  # the same break after the US clock change
        ("2026-03-08T12:00:00", "2026-03-06T22:00:00"),  # Sunday: Friday's last bar
        ("2026-04-03T12:00:00", "2026-04-02T21:00:00"),  # Good Friday is closed whatever the vendor sends
    ],
)
def test_the_newest_closed_bar_follows_the_new_york_clock(now: str, bar_close: str) -> None:
    found = newest_closed_bar(at(now), calendar=load_calendar(), timeframe=Timeframe.M5, grace=GRACE)
    assert found == at(bar_close)


def test_a_tick_with_a_new_bar_asks_for_a_run_keyed_by_its_close() -> None:
    cycle = tick("2026-03-04T12:07:00", last_good="2026-03-04T12:00:00")
    assert isinstance(cycle, Cycle)
    assert cycle.run_key == "live_cycle:2026-03-04T12:05Z"
    assert (cycle.first_month, cycle.last_month) == ("2026-03", "2026-03")


def test_a_doubled_tick_asks_for_nothing() -> None:
    assert isinstance(tick("2026-03-04T12:08:30", last_good="2026-03-04T12:05:00"), Idle)


def test_no_new_bar_over_a_weekend_is_silence_with_a_reason() -> None:
    idle = tick("2026-03-07T12:07:00", last_good="2026-03-06T22:00:00")
    assert isinstance(idle, Idle)
    assert "next open Sun 22:00 UTC" in idle.reason  # the US clock changed that Sunday, so 18:00 New York is 22:00 UTC


def test_a_cycle_after_an_outage_reaches_back_to_the_last_good_one() -> None:
    cycle = tick("2026-03-04T12:07:00", last_good="2026-01-30T12:00:00")
    assert isinstance(cycle, Cycle)
    assert (cycle.first_month, cycle.last_month) == ("2026-01", "2026-03")


def test_the_bar_that_closes_at_a_months_first_instant_covers_both_months() -> None:
    cycle = tick("2026-07-01T00:02:00", last_good="2026-06-30T23:55:00")
    assert isinstance(cycle, Cycle)
    assert cycle.bar_close == at("2026-07-01T00:00:00")
    assert (cycle.first_month, cycle.last_month) == ("2026-06", "2026-07")


def test_a_failed_cycle_before_the_weekend_is_asked_for_again_each_hour() -> None:
    failed = LastCycle(at("2026-03-06T22:00:00"), succeeded=False)
    first = tick("2026-03-07T12:07:00", last_good="2026-03-06T21:55:00", last=failed)
    same_hour = tick("2026-03-07T12:52:00", last_good="2026-03-06T21:55:00", last=failed)
    later = tick("2026-03-07T13:02:00", last_good="2026-03-06T21:55:00", last=failed)
    assert isinstance(first, Cycle)
    assert isinstance(same_hour, Cycle)
    assert isinstance(later, Cycle)
    assert first.run_key == same_hour.run_key != later.run_key


def test_a_cycle_in_flight_is_not_doubled() -> None:
    running = LastCycle(at("2026-03-04T12:05:00"), succeeded=None)
    assert isinstance(tick("2026-03-04T12:07:00", last_good="2026-03-04T12:00:00", last=running), Idle)


def night(now: str) -> Night | Idle:
    return night_for_tick(at(now), calendar=load_calendar())


@pytest.mark.parametrize(
    ("now", "months"),
    [
        ("2026-03-31T21:20:00", ("2026-03", "2026-03")),  # the last evening of a month belongs to it
        ("2026-04-01T21:20:00", ("2026-03", "2026-04")),
        ("2026-01-05T22:20:00", ("2025-12", "2026-01")),
        ("2026-03-06T22:20:00", ("2026-03", "2026-03")),  # the first days are over
    ],
)
def test_a_night_covers_the_running_month_and_in_its_first_days_the_one_before(now: str, months: tuple[str, str]) -> None:
    found = night(now)
    assert isinstance(found, Night)
    assert (found.first_month, found.last_month) == months
    assert found.run_key == f"nightly_backtests:{now[:10]}"
    assert night(now) == found, "a doubled tick has the same key"


@pytest.mark.parametrize("holiday", ["2026-04-03T21:20:00", "2025-12-25T22:20:00"])
def test_the_night_of_a_holiday_has_nothing_to_do(holiday: str) -> None:
    found = night(holiday)
    assert isinstance(found, Idle)
    assert "closed since yesterday" in found.reason


@settings(max_examples=60, deadline=None)
@given(now=st.datetimes(datetime(2004, 1, 1), datetime(2029, 1, 1)))
def test_a_closed_bar_never_lies_in_the_future_and_is_an_expected_bar(now: datetime) -> None:
    instant = now.replace(tzinfo=UTC)
    close = newest_closed_bar(instant, calendar=load_calendar(), timeframe=Timeframe.M5, grace=GRACE)
    assert close is not None
    assert close + GRACE <= instant
    assert instant - close < timedelta(days=5), "no gap of gold's calendar is longer than a long weekend"
    opens = load_calendar().expected_opens(timeframe=Timeframe.M5, start=close - timedelta(minutes=5), end=close)
    assert len(opens) == 1


@settings(max_examples=40, deadline=None)
@given(now=st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)), outage=st.timedeltas(timedelta(0), timedelta(days=90)))
def test_the_months_of_a_cycle_cover_every_bar_since_the_last_good_one(now: datetime, outage: timedelta) -> None:
    instant = now.replace(tzinfo=UTC)
    last_good = instant - outage
    cycle = cycle_for_tick(
        instant,
        calendar=load_calendar(),
        timeframe=Timeframe.M5,
        grace=GRACE,
        last_good_close=last_good,
        last=None,
    )
    if isinstance(cycle, Cycle):
        assert cycle.first_month <= month_of(min(last_good, cycle.bar_close) - timedelta(hours=1, days=1))
        assert cycle.last_month == month_of(instant)
