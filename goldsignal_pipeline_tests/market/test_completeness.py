"""Blocked instants: the rule of coverage for whole and for running days, and no bar from later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.completeness import is_blocked_at
from goldsignal_pipeline.market.coverage import day_grid, measure
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import to_datetime
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, MUCH_LATER, utc

# July 2024 holds Independence Day and the early close before it; none of its trading days is cut by an end of the month but two.
START, END = utc(2024, 7, 1), utc(2024, 8, 1)
few = settings(max_examples=40, deadline=None)


def record(timeframe: Timeframe, *, seed: int, share: float) -> np.ndarray:
    """Opens with single bars and runs missing; whole days at times."""
    opens = CALENDAR.expected_opens(timeframe=timeframe, start=START, end=END)
    rng = np.random.default_rng(seed)
    gone = rng.random(len(opens)) < share
    for first in rng.integers(0, len(opens), 6):
        gone[first : first + rng.integers(1, 3 * 1440 // timeframe.minutes // 4)] = True
    return opens[~gone]


def blocked(opens: np.ndarray, at: np.ndarray, *, timeframe: Timeframe) -> np.ndarray:
    return is_blocked_at(at, opens=opens, closes=bar_close(opens, timeframe=timeframe), calendar=CALENDAR)


@few
@given(
    timeframe=st.sampled_from([Timeframe.M5, Timeframe.M15, Timeframe.H1]),
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0.0, 0.015, 0.03]),
)
def test_a_whole_day_is_blocked_exactly_where_coverage_calls_it_incomplete(timeframe, seed, share) -> None:
    opens = record(timeframe, seed=seed, share=share)
    grid = day_grid(calendar=CALENDAR, start=START, end=END, now=MUCH_LATER)
    begins, ends = CALENDAR.trading_day_bounds(grid.trading_days)
    whole = np.flatnonzero((grid.begins == begins) & (grid.ends == ends))
    # A run at the end of a day that is over counts at once; at its end it counts from two hours on, as in a running day.
    last = np.array([CALENDAR.last_close(to_datetime(end)).replace(tzinfo=None) for end in ends], dtype="datetime64[us]")
    until = np.searchsorted(opens, last, side="left") - 1
    newest = bar_close(opens[np.maximum(until, 0)], timeframe=timeframe)
    settled = [
        part for part in whole.tolist() if newest[part] >= last[part] or newest[part] <= last[part] - np.timedelta64(2, "h")
    ]
    complete = measure(opens, timeframe=timeframe, grid=grid, calendar=CALENDAR, now=MUCH_LATER, grace=timedelta(0)).is_complete
    assert len(settled) > 10
    np.testing.assert_array_equal(blocked(opens, ends[settled], timeframe=timeframe), ~complete[settled])


@few
@given(
    timeframe=st.sampled_from([Timeframe.M5, Timeframe.H1]),
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0.0, 0.02]),
    minutes=st.integers(24 * 60, 29 * 24 * 60),
)
def test_a_running_day_is_blocked_exactly_where_coverage_calls_it_incomplete_so_far(timeframe, seed, share, minutes) -> None:
    opens = record(timeframe, seed=seed, share=share)
    steps = minutes // timeframe.minutes
    now = START + timedelta(minutes=steps * timeframe.minutes)
    at = np.array([now.replace(tzinfo=None)], dtype="datetime64[us]")
    held = opens[bar_close(opens, timeframe=timeframe) <= at[0]]
    grid = day_grid(calendar=CALENDAR, start=START, end=END, now=now)
    part = int(np.searchsorted(grid.begins, at[0], side="left")) - 1
    begin, end = CALENDAR.trading_day_bounds(grid.trading_days[[part]])
    running = grid.begins[part] == begin[0] < at[0] < end[0]
    coverage = measure(held, timeframe=timeframe, grid=grid, calendar=CALENDAR, now=now, grace=timedelta(0))
    if running and coverage.expected[part]:
        assert blocked(opens, at, timeframe=timeframe).tolist() == [not coverage.is_complete[part]]


@few
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.02, 0.3]))
def test_bars_that_close_later_are_not_read_i5(seed, share) -> None:
    opens = record(Timeframe.M15, seed=seed, share=share)
    rng = np.random.default_rng(seed)
    for at in rng.choice(bar_close(opens, timeframe=Timeframe.M15), 20):
        known = opens[bar_close(opens, timeframe=Timeframe.M15) <= at]
        one = np.array([at])
        assert blocked(known, one, timeframe=Timeframe.M15) == blocked(opens, one, timeframe=Timeframe.M15)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        # From 18:00 to 02:20 New York 100 bars are due, and exactly 2 % of them may be missing.
        (["2024-07-09T00:00", "2024-07-09T01:00"], False),
        (["2024-07-09T00:00", "2024-07-09T01:00", "2024-07-09T02:00"], True),
    ],
)
def test_two_percent_by_hand(missing, expected) -> None:
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M5, start=utc(2024, 7, 8), end=utc(2024, 7, 12))
    opens = opens[~np.isin(opens, np.array(missing, dtype="datetime64[us]"))]
    at = np.array([datetime(2024, 7, 9, 6, 20)], dtype="datetime64[us]")
    assert blocked(opens, at, timeframe=Timeframe.M5).tolist() == [expected]


@pytest.mark.parametrize(("last", "expected"), [("2024-07-09T06:05", False), ("2024-07-09T06:00", True)])
def test_a_run_at_the_end_counts_from_two_hours_on(last, expected) -> None:
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M5, start=utc(2024, 7, 8), end=utc(2024, 7, 12))
    opens = opens[opens < np.datetime64(last)]
    at = np.array([datetime(2024, 7, 9, 8)], dtype="datetime64[us]")
    assert blocked(opens, at, timeframe=Timeframe.M5).tolist() == [expected]


def test_a_day_without_a_bar_yet_is_blocked_and_nobody_is_asked_for_nothing() -> None:
    nothing = np.zeros(0, dtype="datetime64[us]")
    at = np.array([datetime(2024, 7, 8, 23, tzinfo=UTC).replace(tzinfo=None)], dtype="datetime64[us]")
    assert blocked(nothing, at, timeframe=Timeframe.M5).tolist() == [True]
    assert len(blocked(nothing, nothing, timeframe=Timeframe.M5)) == 0
