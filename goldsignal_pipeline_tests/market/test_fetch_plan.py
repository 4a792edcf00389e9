"""The fetch plan: everything is asked for once, holes a few times, and nothing twice for the same answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.fetch_plan import REFETCHED_BARS, PlannedWindow, plan_fetch
from goldsignal_pipeline.market.gaps import empty_windows
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, GRACE, utc

PAGE = 5_000
START = utc(2025, 6, 2)
NONE = np.array([], dtype="datetime64[us]")


def naive(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "us")


def opens(start: datetime, end: datetime) -> np.ndarray:
    return CALENDAR.expected_opens(timeframe=Timeframe.M5, start=start, end=end)


class Vendor:
    """A vendor that has every bar but its holes, and a store that remembers what was asked."""

    def __init__(self, *, start: datetime = START, holes: np.ndarray = NONE, page: int = PAGE) -> None:
        self.start, self.holes, self.page = start, holes, page
        self.held = NONE
        self.asked = empty_windows()
        self.calls = 0

    def plan(self, now: datetime) -> list[PlannedWindow]:
        return plan_fetch(
            opens(self.start, now),
            timeframe=Timeframe.M5,
            held=self.held,
            asked=self.asked,
            now=now,
            grace=GRACE,
            page_bars=self.page,
        )

    def fetch(self, now: datetime) -> list[PlannedWindow]:
        windows = self.plan(now)
        for window in windows:
            answered = opens(window.start, window.end)
            answered = answered[answered + np.timedelta64(5, "m") + np.timedelta64(GRACE) <= naive(now)]
            self.held = np.union1d(self.held, np.setdiff1d(answered, self.holes))
            row = pd.DataFrame([[window.start, window.end, now]], columns=list(self.asked.columns))
            self.asked = pd.concat([self.asked, row.astype("datetime64[us, UTC]")], ignore_index=True)
        self.calls += len(windows)
        return windows


@given(
    days=st.integers(1, 40),
    page=st.sampled_from([100, 1000, PAGE]),
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.0, 0.01, 0.3]),
)
@settings(max_examples=30, deadline=None)
def test_one_plan_gets_every_bar_in_the_fewest_pages_and_the_next_asks_nothing(
    days: int, page: int, seed: int, share: float
) -> None:
    now = START + timedelta(days=days, hours=3)
    due = opens(START, now - GRACE - timedelta(minutes=5) + timedelta(microseconds=1))
    holes = due[np.random.default_rng(seed).random(len(due)) < share]
    vendor = Vendor(holes=holes, page=page)
    windows = vendor.fetch(now)
    np.testing.assert_array_equal(vendor.held, np.setdiff1d(due, holes))
    for window in windows:
        assert window.end - window.start <= timedelta(minutes=5 * page)
    for earlier, later in pairwise(windows):
        assert earlier.end <= later.start
    assert vendor.plan(now) == []


def test_history_never_asked_is_asked_whole_and_closed_time_costs_no_call() -> None:
    vendor = Vendor()
    windows = vendor.fetch(utc(2025, 6, 13, 21, 30))
    assert [(window.start, window.end) for window in windows] == [(utc(2025, 6, 2), utc(2025, 6, 13, 21))]


def test_a_new_bar_brings_the_last_twelve_with_it_so_that_corrections_arrive() -> None:
    vendor = Vendor()
    vendor.fetch(utc(2025, 6, 11, 12, 2))
    assert vendor.plan(utc(2025, 6, 11, 12, 6, 59)) == []
    windows = vendor.plan(utc(2025, 6, 11, 12, 7))
    assert windows == [PlannedWindow(utc(2025, 6, 11, 11, 5), utc(2025, 6, 11, 12, 5))]
    assert len(opens(windows[0].start, windows[0].end)) == REFETCHED_BARS


def test_the_refetch_reaches_back_over_the_weekend_in_one_window() -> None:
    vendor = Vendor()
    vendor.fetch(utc(2025, 6, 7, 12))
    assert vendor.plan(utc(2025, 6, 8, 22, 6)) == []
    windows = vendor.plan(utc(2025, 6, 8, 22, 12))
    assert windows == [PlannedWindow(utc(2025, 6, 6, 20, 10), utc(2025, 6, 8, 22, 10))]


def test_nothing_is_asked_while_the_market_rests_however_often_the_question_comes() -> None:
    """Known mistake 13: an empty weekend answer was treated as failure, and asked again and again."""
    vendor = Vendor()
    vendor.fetch(utc(2025, 6, 6, 21, 5))
    for hours in range(48):
        assert vendor.plan(utc(2025, 6, 6, 22) + timedelta(hours=hours)) == []


def test_a_live_day_costs_one_call_a_bar() -> None:
    vendor = Vendor()
    vendor.fetch(utc(2025, 6, 10, 22))
    vendor.calls = 0
    for minute in range(24 * 60):
        vendor.fetch(utc(2025, 6, 10, 22) + timedelta(minutes=minute))
    assert vendor.calls == 23 * 12
    assert len(np.setdiff1d(opens(utc(2025, 6, 10, 22), utc(2025, 6, 11, 21)), vendor.held)) == 0


def test_a_hole_is_asked_again_once_a_day_for_three_days_and_then_never() -> None:
    hole = opens(utc(2025, 6, 3, 10), utc(2025, 6, 3, 11))
    vendor = Vendor(holes=hole)
    now = utc(2025, 6, 7, 0)
    vendor.fetch(now)
    asked_after = []
    for hours in range(1, 24 * 30):
        moment = now + timedelta(hours=hours)
        windows = [window for window in vendor.fetch(moment) if window.start <= utc(2025, 6, 3, 10) < window.end]
        if windows:
            asked_after.append(hours)
            assert windows[0].start == utc(2025, 6, 3, 10)
    assert asked_after == [24, 48, 72]


def test_a_hole_asked_again_shares_the_page_of_the_live_cycle_because_one_call_costs_the_same() -> None:
    vendor = Vendor(holes=opens(utc(2025, 6, 3, 10), utc(2025, 6, 3, 11)))
    vendor.fetch(utc(2025, 6, 4, 12, 2))
    assert vendor.plan(utc(2025, 6, 4, 12, 7)) == [PlannedWindow(utc(2025, 6, 4, 11, 5), utc(2025, 6, 4, 12, 5))]
    assert vendor.plan(utc(2025, 6, 5, 12, 7)) == [PlannedWindow(utc(2025, 6, 3, 10), utc(2025, 6, 5, 12, 5))]


def test_after_a_long_sleep_a_hole_is_asked_once_more() -> None:
    vendor = Vendor(holes=opens(utc(2025, 6, 3, 10), utc(2025, 6, 3, 11)))
    vendor.fetch(utc(2025, 6, 7))
    hole = utc(2025, 6, 3, 10)
    assert any(window.start <= hole < window.end for window in vendor.fetch(utc(2025, 6, 29)))
    assert vendor.plan(utc(2025, 6, 29, 1)) == []
    assert not any(window.start <= hole < window.end for window in vendor.plan(utc(2025, 7, 6)))


def test_a_bar_that_was_still_forming_when_asked_is_asked_again() -> None:
    vendor = Vendor()
    vendor.fetch(utc(2025, 6, 11, 12, 2))
    forming = pd.DataFrame(
        [[utc(2025, 6, 11, 12), utc(2025, 6, 11, 12, 5), utc(2025, 6, 11, 12, 6)]], columns=list(vendor.asked.columns)
    )
    vendor.asked = pd.concat([vendor.asked, forming.astype("datetime64[us, UTC]")], ignore_index=True)
    assert vendor.plan(utc(2025, 6, 11, 12, 7))[-1].end == utc(2025, 6, 11, 12, 5)


def test_bars_that_are_held_are_not_asked_for_though_the_record_of_asking_is_lost() -> None:
    vendor = Vendor()
    vendor.fetch(utc(2025, 6, 11, 12, 2))
    vendor.asked = empty_windows()
    assert vendor.plan(utc(2025, 6, 11, 12, 2)) == [PlannedWindow(utc(2025, 6, 11, 11), utc(2025, 6, 11, 12))]


def test_no_expected_bars_need_no_window() -> None:
    assert Vendor().plan(START) == []


def test_a_year_of_live_windows_is_planned_quickly_and_right() -> None:
    now = utc(2026, 6, 1)
    due = opens(START, now)
    closes = pd.DatetimeIndex(due).tz_localize("UTC") + pd.Timedelta(minutes=5)
    asked = pd.DataFrame({"start": closes - pd.Timedelta(hours=1), "end": closes, "asked_at": closes + GRACE}).astype(
        "datetime64[us, UTC]"
    )
    windows = plan_fetch(
        due, timeframe=Timeframe.M5, held=due[:-1], asked=asked.iloc[:-1], now=now + GRACE, grace=GRACE, page_bars=PAGE
    )
    assert [window.end for window in windows] == [closes[-1].to_pydatetime()]
