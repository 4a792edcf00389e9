"""Gaps: every expected bar is there or has a reason."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.gaps import GAP_COLUMNS, closed_minutes, empty_windows, find_gaps
from goldsignal_pipeline.market.reasons import MissingReason
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import BID, CALENDAR, GRACE, MUCH_LATER, observed, projected, utc

JUNE = (utc(2025, 6, 1), utc(2025, 7, 1))


def asked(*windows: tuple[datetime, datetime, datetime]) -> pd.DataFrame:
    rows = pd.DataFrame(windows, columns=["start", "end", "asked_at"])
    return rows.astype("datetime64[us, UTC]") if len(rows) else empty_windows()


EVERYTHING = asked((utc(2025, 5, 1), utc(2025, 7, 2), utc(2025, 8, 1)))


def gaps(
    rows: pd.DataFrame, *, now: datetime = MUCH_LATER, windows: pd.DataFrame = EVERYTHING, quarantined: pd.DataFrame | None = None
) -> pd.DataFrame:
    parts = projected(rows, *JUNE, now=now, order=(BID,)).day_parts
    return find_gaps(
        rows,
        day_parts=parts,
        calendar=CALENDAR,
        now=now,
        grace=GRACE,
        quarantined=rows.iloc[:0] if quarantined is None else quarantined,
        asked=windows,
    )


def without(rows: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    return rows[~rows["timestamp"].between(start, end, inclusive="left")]


@given(
    seed=st.integers(0, 10_000),
    share=st.sampled_from([0.001, 0.02, 0.5]),
    timeframe=st.sampled_from([Timeframe.M5, Timeframe.H1, Timeframe.H4, Timeframe.D1]),
    hours=st.integers(1, 24 * 32),
)
@settings(max_examples=40, deadline=None)
def test_i16_every_expected_bar_is_present_or_lies_in_exactly_one_gap_with_a_reason(
    seed: int, share: float, timeframe: Timeframe, hours: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = observed(timeframe, *JUNE, missing=lambda opens: rng.random(len(opens)) < share)
    now = JUNE[0] + pd.Timedelta(hours=hours, minutes=7)
    middle = utc(2025, 6, 12, 9)
    found = gaps(rows, now=now, windows=asked((JUNE[0], middle, utc(2025, 6, 20))))
    parts = projected(rows, *JUNE, now=now, order=()).day_parts
    assert found["missing_bars"].sum() == (parts["expected_bars"] - parts["present_bars"]).sum()
    assert set(found["reason"]) <= set(MissingReason)
    assert tuple(found.columns) == GAP_COLUMNS
    for name, own in found.groupby("timeframe"):
        grid = Timeframe(str(name))
        expected = pd.DatetimeIndex(CALENDAR.expected_opens(timeframe=grid, start=JUNE[0], end=JUNE[1])).tz_localize("UTC")
        held = set(rows.loc[rows["timeframe"] == name, "timestamp"])
        for gap in own.itertuples():
            inside = expected[(expected >= gap.start) & (expected < gap.end)]
            assert len(inside) == gap.missing_bars
            assert not held & set(inside)


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.001, 0.02, 0.3]))
@settings(max_examples=20, deadline=None)
def test_i16_the_gaps_of_finished_days_are_the_missing_bars_of_the_day_parts(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    rows = observed(Timeframe.M5, *JUNE, missing=lambda opens: rng.random(len(opens)) < share)
    parts = projected(rows, *JUNE, now=MUCH_LATER, order=()).day_parts
    assert gaps(rows)["missing_bars"].sum() == parts["missing_bars"].sum()


def test_a_complete_month_has_no_gap() -> None:
    """Known mistake 11: a gap detector that compared unaligned times called every slot missing."""
    for timeframe in (Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.H4, Timeframe.D1):
        found = gaps(observed(timeframe, *JUNE))
        assert len(found) == 0, timeframe


def test_one_missing_slot_is_one_gap_even_when_the_question_is_asked_at_an_odd_second() -> None:
    """Known mistake 11."""
    rows = without(observed(Timeframe.M5, *JUNE), utc(2025, 6, 11, 10, 15), utc(2025, 6, 11, 10, 20))
    for now in (utc(2025, 6, 11, 15, 3, 17), utc(2025, 6, 11, 15, 4, 59)):
        found = gaps(rows[rows["timestamp"] < utc(2025, 6, 11, 15)], now=now)
        assert found[["start", "end", "missing_bars"]].to_numpy().tolist() == [
            [pd.Timestamp(utc(2025, 6, 11, 10, 15)), pd.Timestamp(utc(2025, 6, 11, 10, 20)), 1]
        ]


def test_a_run_goes_on_over_closed_time_and_counts_only_bars() -> None:
    rows = without(observed(Timeframe.M5, *JUNE), utc(2025, 6, 6, 20), utc(2025, 6, 8, 23))
    found = gaps(rows)
    assert found["start"].tolist() == [pd.Timestamp(utc(2025, 6, 6, 20))]
    assert found["end"].tolist() == [pd.Timestamp(utc(2025, 6, 8, 23))]
    assert found["missing_bars"].tolist() == [24]  # one hour before the weekend, one after it


@pytest.mark.parametrize(
    ("windows", "now", "reason"),
    [
        (asked(), utc(2025, 6, 11, 11), "not_fetched"),
        (asked((utc(2025, 6, 11), utc(2025, 6, 11, 10), utc(2025, 6, 11, 11))), utc(2025, 6, 11, 11), "not_fetched"),
        (asked((utc(2025, 6, 11), utc(2025, 6, 11, 12), utc(2025, 6, 11, 10, 16))), utc(2025, 6, 11, 11), "not_fetched"),
        (asked((utc(2025, 6, 11), utc(2025, 6, 11, 12), utc(2025, 6, 11, 10, 22))), utc(2025, 6, 11, 11), "vendor_late"),
        (asked((utc(2025, 6, 11), utc(2025, 6, 11, 12), utc(2025, 6, 11, 10, 22))), utc(2025, 6, 11, 12, 20), "vendor_hole"),
    ],
    ids=["never asked", "asked for another time", "asked before it had closed", "asked and young", "asked and old"],
)
def test_the_reason_follows_from_what_was_asked_and_when(windows: pd.DataFrame, now: datetime, reason: str) -> None:
    rows = without(observed(Timeframe.M5, *JUNE), utc(2025, 6, 11, 10, 15), utc(2025, 6, 11, 10, 20))
    found = gaps(rows, now=now, windows=windows)
    at = found[(found["start"] <= utc(2025, 6, 11, 10, 15)) & (found["end"] > utc(2025, 6, 11, 10, 15))]
    assert at["reason"].tolist() == [reason]


def test_a_quarantined_row_is_the_reason_whatever_was_asked() -> None:
    rows = observed(Timeframe.M5, *JUNE)
    bad = rows[rows["timestamp"].between(utc(2025, 6, 11, 10, 5), utc(2025, 6, 11, 10, 10))]
    found = gaps(rows.drop(index=bad.index), windows=asked(), quarantined=bad)
    assert found[["missing_bars", "reason"]].to_numpy().tolist() == [[2, "quarantined"]]
    coarser = bad.assign(timeframe="H1")
    assert gaps(rows.drop(index=bad.index), quarantined=coarser)["reason"].tolist() == ["vendor_hole"]


def test_neighbours_with_different_reasons_are_different_gaps() -> None:
    rows = without(observed(Timeframe.M5, *JUNE), utc(2025, 6, 11, 10), utc(2025, 6, 11, 11))
    found = gaps(rows, windows=asked((utc(2025, 6, 11), utc(2025, 6, 11, 10, 30), utc(2025, 6, 12))))
    assert found[["missing_bars", "reason"]].to_numpy().tolist() == [[6, "vendor_hole"], [6, "not_fetched"]]


def test_overlapping_and_nested_windows_answer_together() -> None:
    rows = without(observed(Timeframe.M5, *JUNE), utc(2025, 6, 11, 10), utc(2025, 6, 11, 11))
    later = utc(2025, 6, 12)
    windows = asked(
        (utc(2025, 6, 11), utc(2025, 6, 11, 10, 40), later),
        (utc(2025, 6, 11, 9), utc(2025, 6, 11, 10, 5), later),
        (utc(2025, 6, 11, 10, 40), utc(2025, 6, 11, 12), later),
    )
    assert gaps(rows, windows=windows)["reason"].tolist() == ["vendor_hole"]


def test_closed_time_is_summed_by_its_reason() -> None:
    week = closed_minutes(calendar=CALENDAR, start=utc(2025, 6, 1, 21), end=utc(2025, 6, 8, 21))
    # From Sunday 17:00 New York: its first hour still belongs to the weekend, then four breaks, then 48 hours.
    assert week == {"weekend": 60 + 48 * 60, "closed_hours": 4 * 60}
    friday = closed_minutes(calendar=CALENDAR, start=utc(2026, 4, 2, 21), end=utc(2026, 4, 3, 21))
    assert friday == {"holiday": 24 * 60}
