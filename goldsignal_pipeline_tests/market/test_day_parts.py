"""Day parts: which source and timeframe serve a day, how the others agree with it, and when it is blocked."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.candles import resample
from goldsignal_pipeline.market.day_parts import blocked_days
from goldsignal_pipeline.market.projection import Projection
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import BID, CALENDAR, OTHER, PRICES, observed, projected, utc

JUNE = (utc(2025, 5, 1), utc(2025, 7, 1))
KEY = ["timeframe", "timestamp"]


def june(*frames: pd.DataFrame, **how) -> Projection:
    return projected(pd.concat(frames), utc(2025, 6, 1), utc(2025, 7, 1), **how)


def day(number: int):
    """Marks every open of a trading day of June 2025."""
    return lambda opens: CALENDAR.trading_day(opens) == np.datetime64(f"2025-06-{number:02}")


def part(result: Projection, number: int) -> pd.Series:
    rows = result.day_parts[result.day_parts["trading_day"] == pd.Timestamp(2025, 6, number)]
    return rows.iloc[0]


# --- which source, which timeframe ----------------------------------------------------------------------------------------


def test_the_configured_order_decides_and_then_the_name() -> None:
    ours, theirs = observed(Timeframe.H1, *JUNE), observed(Timeframe.H1, *JUNE, source=OTHER, seed=2)
    assert set(june(ours, theirs).candles["source"]) == {BID}
    assert set(june(ours, theirs, order=(OTHER,)).candles["source"]) == {OTHER}
    assert set(june(ours, theirs, order=()).candles["source"]) == {BID}


def test_a_day_is_never_a_mix_and_the_second_source_serves_the_day_the_first_lacks() -> None:
    ours = observed(Timeframe.H1, *JUNE, missing=lambda opens: day(11)(opens) & (np.arange(len(opens)) % 2 == 0))
    theirs = observed(Timeframe.H1, *JUNE, source=OTHER, seed=2)
    candles = june(ours, theirs).candles
    days = CALENDAR.trading_day(candles["timestamp"].dt.tz_localize(None).to_numpy())
    sources = candles.groupby(days)["source"].unique()
    assert {len(found) for found in sources} == {1}
    assert [str(found) for found in sources.index[sources.map(lambda found: found[0]) == OTHER].date] == ["2025-06-11"]


@pytest.mark.parametrize(("lacking", "taken"), [("2025-06", OTHER), ("2025-07", BID)])
def test_a_day_over_a_month_end_is_of_one_source_that_its_first_part_decides(lacking: str, taken: str) -> None:
    """The trading day of 1 July: whichever month is computed, the choice is the same, and no day is a mix."""
    span = (utc(2025, 6, 1), utc(2025, 8, 1))

    def lacks(opens: np.ndarray) -> np.ndarray:
        in_part = (CALENDAR.trading_day(opens) == np.datetime64("2025-07-01")) & (
            opens.astype("datetime64[M]").astype(str) == lacking
        )
        return in_part & (np.arange(len(opens)) % 2 == 0)

    both = pd.concat([observed(Timeframe.M5, *span, missing=lacks), observed(Timeframe.M5, *span, source=OTHER, seed=2)])
    for start, end in ((utc(2025, 6, 1), utc(2025, 8, 1)), (utc(2025, 7, 1), utc(2025, 8, 1))):
        result = projected(both, start, end)
        assert set(result.day_parts.loc[result.day_parts["trading_day"] == pd.Timestamp("2025-07-01"), "source"]) == {taken}
        days = CALENDAR.trading_day(result.candles["timestamp"].dt.tz_localize(None).to_numpy())
        assert set(result.candles["source"][days == np.datetime64("2025-07-01")]) == {taken}


def test_a_day_that_begins_without_any_data_is_decided_by_its_second_part() -> None:
    rows = observed(Timeframe.M5, utc(2025, 7, 1), utc(2025, 8, 1), source=OTHER)
    parts = projected(rows, utc(2025, 6, 1), utc(2025, 8, 1)).day_parts
    first = parts[parts["trading_day"] == pd.Timestamp("2025-07-01")]
    assert first[["source", "missing_bars"]].to_numpy().tolist() == [["", 24], [OTHER, 0]]
    alone = projected(rows, utc(2025, 7, 1), utc(2025, 8, 1)).day_parts
    assert alone[["source", "missing_bars"]].to_numpy().tolist()[0] == [OTHER, 0]


def test_when_no_source_is_complete_the_better_one_is_taken_and_ties_follow_the_order() -> None:
    def holes(every: int):
        return lambda opens: day(11)(opens) & (np.arange(len(opens)) % every == 0)

    worse, better = observed(Timeframe.H1, *JUNE, missing=holes(2)), observed(Timeframe.H1, *JUNE, source=OTHER, missing=holes(4))
    assert part(june(worse, better), 11)["source"] == OTHER
    same = observed(Timeframe.H1, *JUNE, source=OTHER, missing=holes(2))
    assert part(june(worse, same), 11)["source"] == BID


@pytest.mark.parametrize(("missing", "base"), [(5, "M5"), (6, "H1")])
def test_the_finest_timeframe_with_98_percent_of_its_bars_is_the_base(missing: int, base: str) -> None:
    """A full trading day has 276 M5 bars: five missing are 1.8 %, six are 2.2 %."""
    fine = observed(Timeframe.M5, *JUNE)
    on_day = np.flatnonzero(day(11)(fine["timestamp"].dt.tz_localize(None).to_numpy()))
    fine = fine.drop(index=on_day[10 : 10 + missing])
    result = june(fine, observed(Timeframe.H1, *JUNE, seed=9))
    assert part(result, 11)["base_timeframe"] == base
    assert part(result, 10)["base_timeframe"] == "M5"
    assert len(blocked_days(result.day_parts)) == 0


def test_a_source_of_days_only_gives_days_and_blocks_nothing() -> None:
    result = june(observed(Timeframe.D1, *JUNE))
    assert result.candles["timeframe"].unique().tolist() == ["D1"]
    assert len(result.candles) == 21
    assert result.day_parts["missing_bars"].sum() == 0
    both = projected(observed(Timeframe.D1, utc(2025, 5, 1), utc(2025, 8, 1)), utc(2025, 6, 1), utc(2025, 8, 1))
    second = both.day_parts[
        (both.day_parts["trading_day"] == pd.Timestamp("2025-07-01")) & (both.day_parts["month"] == "2025-07")
    ]
    assert second[["base_timeframe", "expected_bars"]].to_numpy().tolist() == [["D1", 0]]


def test_h4_and_d1_over_a_month_end_take_every_stretch_of_time_once_when_the_base_changes() -> None:
    """Part of 30 June from H4 bars, part of 1 July from M5: the H4 bar reaches into July, and July's M5 begin inside it."""
    coarse = observed(Timeframe.H4, utc(2025, 6, 1), utc(2025, 7, 1), seed=3)
    fine = observed(Timeframe.M5, utc(2025, 7, 1), utc(2025, 8, 1), seed=3, start_ticks=300_000)
    candles = projected(pd.concat([coarse, fine]), utc(2025, 7, 1), utc(2025, 8, 1)).candles
    bars = candles.set_index(KEY)
    opens = pd.Timestamp(utc(2025, 6, 30, 21))
    h4, d1 = bars.loc[("H4", opens)], bars.loc[("D1", opens)]
    assert h4["base_timeframe"] == "H4"
    assert h4["close"] == coarse["close"].iloc[-1]
    after = fine[(fine["timestamp"] >= utc(2025, 7, 1, 1)) & (fine["timestamp"] < utc(2025, 7, 1, 21))]
    assert d1["base_bars"] == 1 + len(after) == 1 + 20 * 12
    assert d1["high"] == max(h4["high"], after["high"].max())
    assert d1["low"] == min(h4["low"], after["low"].min())
    assert (d1["open"], d1["close"]) == (h4["open"], after["close"].iloc[-1])
    assert d1["base_timeframe"] == "H4"


def test_a_derived_bar_exists_when_one_base_bar_in_it_does() -> None:
    start = utc(2025, 6, 11, 8)
    one = observed(Timeframe.M5, start, utc(2025, 6, 11, 8, 5))
    candles = june(one).candles
    assert candles["timeframe"].tolist() == ["M5", "M15", "M30", "H1", "H4", "D1"]
    assert (candles[PRICES] == one[PRICES].iloc[0]).all(axis=None)
    assert candles["base_bars"].tolist() == [1] * 6


# --- blocked days ---------------------------------------------------------------------------------------------------------


def test_a_day_is_blocked_from_more_than_two_percent_missing() -> None:
    for missing, blocked in ((5, []), (6, ["2025-06-11"])):
        fine = observed(Timeframe.M5, *JUNE)
        on_day = np.flatnonzero(day(11)(fine["timestamp"].dt.tz_localize(None).to_numpy()))
        result = june(fine.drop(index=on_day[10 : 10 + missing]))
        assert blocked_days(result.day_parts).astype(str).tolist() == blocked
        assert part(result, 11)["missing_bars"] == missing


def test_a_straddling_day_is_judged_by_both_of_its_parts() -> None:
    rows = observed(Timeframe.M5, utc(2025, 6, 1), utc(2025, 8, 1))
    cut = rows.drop(index=rows.index[rows["timestamp"].between(utc(2025, 6, 30, 23, 50), utc(2025, 7, 1, 0, 5))])
    parts = projected(cut, utc(2025, 6, 1), utc(2025, 8, 1)).day_parts
    both = parts[parts["trading_day"] == pd.Timestamp("2025-07-01")]
    assert both["missing_bars"].tolist() == [2, 2]
    assert len(blocked_days(both)) == 0  # 4 of 276, although 2 of 24 alone are 8 %
    assert len(blocked_days(both.iloc[:1])) == 1


@pytest.mark.parametrize(
    ("now", "expected", "missing"),
    [
        (utc(2025, 6, 11, 12, 6, 59), 168, 0),
        (utc(2025, 6, 11, 13, 56), 190, 0),
        (utc(2025, 6, 11, 14, 6), 192, 0),
        (utc(2025, 6, 11, 14, 11, 59), 193, 0),
        (utc(2025, 6, 11, 14, 12), 194, 24),
        (utc(2025, 6, 12, 12), 276, 106),
    ],
)
def test_a_silent_feed_counts_as_missing_only_after_two_hours_of_trading(now: datetime, expected: int, missing: int) -> None:
    """The last bar opens at 12:05 and closes at 12:10; the trading day began at 22:00 of 10 June."""
    rows = observed(Timeframe.M5, utc(2025, 5, 1), utc(2025, 6, 11, 12, 10))
    seen = part(june(rows, now=now), 11)
    assert seen["missing_bars"] == missing
    assert seen["expected_bars"] == expected


def test_a_bar_missing_in_the_middle_of_the_running_day_counts_at_once() -> None:
    rows = observed(Timeframe.M5, utc(2025, 5, 1), utc(2025, 6, 11, 12, 10))
    rows = rows.drop(index=rows.index[-3])
    assert part(june(rows, now=utc(2025, 6, 11, 12, 15)), 11)["missing_bars"] == 1


def test_days_that_have_not_begun_have_no_row() -> None:
    parts = june(observed(Timeframe.M5, utc(2025, 5, 1), utc(2025, 6, 7)), now=utc(2025, 6, 7, 12)).day_parts
    assert parts["trading_day"].max() == pd.Timestamp("2025-06-06")


def test_i16_every_expected_bar_of_a_finished_part_is_present_or_missing() -> None:
    rows = observed(Timeframe.M5, *JUNE, missing=lambda opens: np.random.default_rng(3).random(len(opens)) < 0.05)
    parts = june(rows).day_parts
    assert (parts["expected_bars"] == parts["present_bars"] + parts["missing_bars"]).all()
    assert parts["missing_bars"].sum() > 100


# --- agreement -------------------------------------------------------------------------------------------------------------


def test_the_agreement_of_other_sources_is_measured_on_closes_at_the_same_instant_of_any_timeframe() -> None:
    ours = observed(Timeframe.M5, *JUNE)
    hourly = resample(ours, target=Timeframe.H1).drop(columns="base_bars").assign(source=OTHER, timeframe="H1")
    near, far = hourly.assign(close=hourly["close"] + 7), hourly.assign(close=hourly["close"] - 900)
    near["high"] = near[["high", "close"]].max(axis=1)
    far["low"] = far[["low", "close"]].min(axis=1)
    seen = part(june(ours, near), 11)
    assert seen[["compared_closes", "median_difference_ticks", "distant_share"]].tolist() == [23, 7.0, 0.0]
    assert seen["sources_seen"] == f"{BID} {OTHER}"
    assert part(june(ours, far), 11)["distant_share"] == 1.0
    alone = part(june(ours), 11)
    assert (alone["compared_closes"], alone["sources_seen"]) == (0, BID)
    assert np.isnan(alone["median_difference_ticks"])
