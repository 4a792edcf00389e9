"""Quality: outliers and frozen feeds are flagged, and only a contradicted extreme is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import bars_of, resample
from goldsignal_pipeline.market.projection import Projection, project
from goldsignal_pipeline.market.quality import FLAT, LONGEST_MEMORY, OUTLIER, Series, judge
from goldsignal_pipeline.market.source_order import SourceOrders
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import BID, CALENDAR, GRACE, MUCH_LATER, OTHER, observed, utc

PRICES = ["open", "high", "low", "close"]
WEEK = (utc(2025, 6, 8), utc(2025, 6, 14))


def quiet(timeframe: Timeframe = Timeframe.M5, *, source: str = BID) -> pd.DataFrame:
    """A week of bars whose true range is always 100 ticks: ATR is exactly 1 dollar."""
    rows = observed(timeframe, *WEEK, source=source)
    return rows.assign(open=200_000, high=200_050, low=199_950, close=200_000)


def flags(rows: pd.DataFrame, timeframe: Timeframe = Timeframe.M5) -> np.ndarray:
    return judge(Series.of(bars_of(rows), source=BID, timeframe=timeframe), calendar=CALENDAR).flags


def projected(*frames: pd.DataFrame) -> Projection:
    return project(
        pd.concat(frames),
        calendar=CALENDAR,
        start=utc(2025, 6, 1),
        end=utc(2025, 7, 1),
        now=MUCH_LATER,
        grace=GRACE,
        source_order=SourceOrders((BID, OTHER)),
    )


def spike(rows: pd.DataFrame, at: int, *, ticks: int, side: str = "high") -> pd.DataFrame:
    rows = rows.copy()
    rows.loc[at, side] = 200_000 + ticks * (1 if side == "high" else -1)
    return rows


AT = 400


@pytest.mark.parametrize(("high", "flagged"), [(201_950, False), (201_951, True)])
def test_a_range_beyond_20_atr_is_an_outlier(high: int, flagged: bool) -> None:
    rows = quiet()
    rows.loc[AT, ["high", "close"]] = high
    assert (flags(rows)[AT] == OUTLIER) == flagged


@pytest.mark.parametrize(("jump", "flagged"), [(1_500, False), (1_501, True)])
def test_an_open_15_atr_away_from_the_last_close_is_an_outlier(jump: int, flagged: bool) -> None:
    rows = quiet()
    rows.loc[AT:, PRICES] += jump
    assert (flags(rows)[AT] == OUTLIER) == flagged


def test_a_jump_over_a_session_gap_is_the_market_and_no_outlier() -> None:
    rows = quiet()
    opens_day = int(np.flatnonzero(rows["timestamp"] == pd.Timestamp(utc(2025, 6, 11, 22)))[0])
    rows.loc[opens_day:, PRICES] += 5_000
    assert flags(rows)[opens_day] == 0
    days = quiet(Timeframe.H4)
    opens_day = int(np.flatnonzero(days["timestamp"] == pd.Timestamp(utc(2025, 6, 11, 21)))[0])
    days.loc[opens_day:, PRICES] += 5_000
    assert flags(days, Timeframe.H4)[opens_day] == 0


def test_a_jump_over_missing_bars_is_one_because_the_market_was_open() -> None:
    rows = quiet()
    rows.loc[AT:, PRICES] += 5_000
    rows = rows.drop(index=range(AT - 5, AT)).reset_index(drop=True)
    assert flags(rows)[AT - 5] == OUTLIER


def test_a_frozen_feed_is_flagged_from_half_an_hour_on_and_a_quiet_bar_is_not() -> None:
    rows = quiet()
    rows.loc[AT : AT + 9, PRICES] = 200_000
    rows.loc[100, PRICES] = 200_000
    assert np.flatnonzero(flags(rows) == FLAT).tolist() == list(range(AT + 5, AT + 10))
    hours = quiet(Timeframe.H1)
    hours.loc[40:42, PRICES] = 200_000
    assert np.flatnonzero(flags(hours, Timeframe.H1) == FLAT).tolist() == [42]


def test_flat_bars_at_changing_prices_are_a_thin_market_and_not_a_frozen_feed() -> None:
    rows = quiet()
    for offset in range(12):
        rows.loc[AT + offset, PRICES] = 200_000 + offset
    assert FLAT not in flags(rows)


def test_a_cent_after_a_frozen_feed_is_no_outlier() -> None:
    rows = quiet()
    rows.loc[:, PRICES] = 200_000
    rows.loc[AT, ["high", "close"]] = 200_001
    assert OUTLIER not in flags(rows)


def test_without_15_bars_in_25_days_there_is_no_measure_and_no_verdict() -> None:
    rows = quiet()
    rows.loc[10, "high"] = 260_000
    assert flags(rows)[10] == 0
    far = spike(rows, AT, ticks=50_000)
    far["timestamp"] = far["timestamp"].where(far.index >= AT - 5, far["timestamp"] - pd.Timedelta("60D"))
    assert flags(far)[AT] == 0


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_verdicts_do_not_depend_on_where_the_loaded_window_begins(seed: int, cut: int) -> None:
    rows = observed(Timeframe.M30, utc(2025, 4, 1), utc(2025, 6, 1), seed=seed, step_ticks=30)
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(rows), 20):
        rows.loc[at, "high"] += 8_000
    whole = judge(Series.of(bars_of(rows), source=BID, timeframe=Timeframe.M30), calendar=CALENDAR)
    part = rows.iloc[cut:]
    again = judge(Series.of(bars_of(part), source=BID, timeframe=Timeframe.M30), calendar=CALENDAR)
    warm = (part["timestamp"] >= part["timestamp"].iloc[0] + pd.Timedelta(LONGEST_MEMORY)).to_numpy()
    assert (whole.flags[cut:][warm] == again.flags[warm]).all()
    assert (whole.retracted[cut:][warm] == again.retracted[warm]).all()
    assert warm.any()


@given(seed=st.integers(0, 10_000), cut=st.integers(300, 900))
@settings(max_examples=30, deadline=None)
def test_flags_read_nothing_of_the_future_and_contradiction_only_the_next_bar(seed: int, cut: int) -> None:
    rows = observed(Timeframe.M30, utc(2025, 4, 1), utc(2025, 5, 1), seed=seed, step_ticks=30)
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(rows), 20):
        rows.loc[at, "high"] += 8_000
    whole = judge(Series.of(bars_of(rows), source=BID, timeframe=Timeframe.M30), calendar=CALENDAR)
    past = judge(Series.of(bars_of(rows.iloc[:cut]), source=BID, timeframe=Timeframe.M30), calendar=CALENDAR)
    assert (whole.flags[:cut] == past.flags).all()
    assert (whole.retracted[: cut - 1] == past.retracted[:-1]).all()


# --- contradicted ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["high", "low"])
def test_an_extreme_that_the_market_took_back_at_once_is_left_out_with_its_reason(side: str) -> None:
    rows = spike(quiet(), AT, ticks=5_000, side=side)
    result = projected(rows)
    assert result.excluded[["timestamp", "reason"]].to_numpy().tolist() == [[rows["timestamp"][AT], "contradicted"]]
    assert rows["timestamp"][AT] not in set(result.candles.loc[result.candles["timeframe"] == "M5", "timestamp"])
    assert result.candles["high"].max() == 200_050
    assert result.candles["low"].min() == 199_950
    day = result.day_parts[result.day_parts["missing_bars"] == 1]
    assert day["present_bars"].tolist() == [275]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.assign(close=rows["close"].where(rows.index != AT, 200_201)),
        lambda rows: rows.assign(high=rows["high"].where(rows.index != AT + 1, 200_201)),
        lambda rows: rows.assign(low=rows["low"].where(rows.index != AT + 1, 199_799)),
        lambda rows: rows.drop(index=AT + 1),
        lambda rows: rows.drop(index=range(AT + 1, len(rows))),
    ],
    ids=["closes away", "next bar high", "next bar low", "no next bar", "nothing after it yet"],
)
def test_an_outlier_that_the_market_did_not_take_back_is_only_flagged(change) -> None:
    rows = change(spike(quiet(), AT, ticks=5_000))
    result = projected(rows)
    assert len(result.excluded) == 0
    bar = result.candles[(result.candles["timeframe"] == "M5") & (result.candles["timestamp"] == rows["timestamp"][AT])]
    assert bar["flag"].tolist() == ["outlier"]
    hour = result.candles[(result.candles["timeframe"] == "H1") & (result.candles["flag"] == "outlier")]
    assert len(hour) == 1


@pytest.mark.parametrize(("reach", "confirmed"), [(2_500, True), (2_499, False)])
@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.H1])
def test_a_second_source_that_saw_half_of_the_move_confirms_it(reach: int, confirmed: bool, timeframe: Timeframe) -> None:
    rows = spike(quiet(), AT, ticks=5_000)
    second = quiet(timeframe, source=OTHER)
    overlaps = (second["timestamp"] <= rows["timestamp"][AT]) & (second["timestamp"] + timeframe.length > rows["timestamp"][AT])
    second.loc[overlaps, "high"] = 200_000 + reach
    result = projected(rows, second)
    assert len(result.excluded[result.excluded["source"] == BID]) == (0 if confirmed else 1)


def test_the_finer_bars_of_the_same_source_confirm_and_its_coarser_ones_do_not() -> None:
    hours = spike(quiet(Timeframe.H1), 50, ticks=5_000)
    fine = quiet()
    inside = int(np.flatnonzero(fine["timestamp"] == hours["timestamp"][50])[0]) + 5
    real = spike(fine, inside, ticks=4_900)
    real.loc[inside, "close"] = 203_000
    assert len(projected(hours, real).excluded) == 0
    assert projected(hours, fine).excluded["timeframe"].tolist() == ["H1"]
    coarse = resample(spike(quiet(), AT, ticks=5_000), target=Timeframe.H1).drop(columns="base_bars")
    found = projected(spike(quiet(), AT, ticks=5_000), coarse.assign(source=BID, timeframe="H1")).excluded
    assert set(found["timeframe"]) == {"M5", "H1"}
