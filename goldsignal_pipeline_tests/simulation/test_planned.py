"""Planned entries and deadlines: what the kernel does on a record without gaps, known before any bar of it exists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import Bars
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.planned import planned_deadlines, planned_entries
from goldsignal_pipeline.simulation.trades import Candidates, deadlines, entry_bars
from goldsignal_pipeline_tests.simulation.markets import CALENDAR

# From before Thanksgiving over Christmas and New Year: early closes, rest days, weekends.
START, END = datetime(2024, 11, 20, tzinfo=UTC), datetime(2025, 1, 20, tzinfo=UTC)


def gapless(timeframe: Timeframe) -> BaseBars:
    opens = CALENDAR.expected_opens(timeframe=timeframe, start=START, end=END)
    flat = np.full(len(opens), 250_000)
    bars = Bars(opens, flat, flat, flat, flat, np.full(len(opens), np.nan))
    return BaseBars.of(bars, timeframe=timeframe, side=Side.BID, spreads=SpreadTable())


BARS = {timeframe: gapless(timeframe) for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.H1)}


@settings(max_examples=30, deadline=None)
@given(
    timeframe=st.sampled_from(list(BARS)),
    minutes=st.lists(st.integers(0, 45 * 24 * 4), min_size=1, max_size=50),
    grace=st.sampled_from([0, 120, 900]),
)
def test_on_a_gapless_record_they_are_the_kernels_own(timeframe, minutes, grace) -> None:
    bars, waited = BARS[timeframe], timedelta(seconds=grace)
    confirmed_at = np.datetime64(START.replace(tzinfo=None), "us") + np.array(minutes) * np.timedelta64(15, "m")
    count = len(minutes)
    ones, hold = np.ones(count, dtype=np.int64), np.resize([1440, 4320, 14400], count)
    made = Candidates(ones, 100 * ones, 90 * ones, 120 * ones, 130 * ones, confirmed_at, hold)
    entries = entry_bars(made, bars, grace=waited)
    planned = planned_entries(confirmed_at, base=timeframe, calendar=CALENDAR, grace=waited)
    np.testing.assert_array_equal(planned, bars.opens[entries])
    due = planned_deadlines(planned, hold_minutes=hold, calendar=CALENDAR)
    np.testing.assert_array_equal(due, deadlines(made, entries, bars, calendar=CALENDAR))


@pytest.mark.parametrize(
    ("base", "confirmed", "entry"),
    [
        (Timeframe.M5, "2024-11-26T14:00", "2024-11-26T14:05"),
        (Timeframe.H1, "2024-11-26T14:00", "2024-11-26T14:00"),
        # Friday after Thanksgiving ends early; the next bar opens on Sunday evening.
        (Timeframe.M5, "2024-11-29T22:00", "2024-12-01T23:00"),
        (Timeframe.H1, "2024-11-29T22:00", "2024-12-01T23:00"),
    ],
)
def test_entries_by_hand(base, confirmed, entry) -> None:
    found = planned_entries(np.array([confirmed], dtype="datetime64[us]"), base=base, calendar=CALENDAR)
    assert found.tolist() == [datetime.fromisoformat(entry)]


def test_nothing_is_planned_for_nobody() -> None:
    nobody = np.zeros(0, dtype="datetime64[us]")
    assert len(planned_entries(nobody, base=Timeframe.M5, calendar=CALENDAR)) == 0
    assert len(planned_deadlines(nobody, hold_minutes=np.zeros(0, dtype=np.int64), calendar=CALENDAR)) == 0
