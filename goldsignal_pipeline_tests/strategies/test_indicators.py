"""Indicators agree with pandas, with a table made by hand, and are known when they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.strategies import indicators
from goldsignal_pipeline.strategies.context import H4_WARM_UP_DAYS
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, utc
from goldsignal_pipeline_tests.strategies import reference
from goldsignal_pipeline_tests.strategies.records import ALL, END, START, walk_h1

prices = arrays(np.float64, st.integers(0, 120), elements=st.integers(100_000, 101_000).map(float))


def _wilder(values: pd.Series, period: int, first: int) -> pd.Series:
    """Wilder's smoothing by pandas: the plain mean of the first `period` values at `first`, then alpha = 1 / period."""
    seeded = values.copy()
    seeded.iloc[:first] = np.nan
    seeded.iloc[first] = values.iloc[first - period + 1 : first + 1].mean()
    return seeded.ewm(alpha=1 / period, adjust=False).mean()


def test_ema_atr_rsi_and_bands_agree_with_pandas():
    bars = walk_h1(3).iloc[:1500].astype(dict.fromkeys(("open", "high", "low", "close"), float))
    close, before = bars["close"], bars["close"].shift()
    seeded = close.copy()
    seeded.iloc[:199] = np.nan
    seeded.iloc[199] = close.iloc[:200].mean()
    ranges = pd.concat([bars["high"] - bars["low"], (bars["high"] - before).abs(), (bars["low"] - before).abs()], axis=1).max(
        axis=1
    )
    change = close.diff()
    up, down = _wilder(change.clip(lower=0), 14, 14), _wilder(-change.clip(upper=0), 14, 14)
    high, low, closes = (bars[name].to_numpy() for name in ("high", "low", "close"))
    expected = {
        "ema": (indicators.ema(closes, period=200), seeded.ewm(span=200, adjust=False).mean()),
        "atr": (indicators.atr(high, low, closes), _wilder(ranges, 14, 14)),
        "rsi": (indicators.rsi(closes), 100 * up / (up + down)),
        "width": (indicators.bollinger_width(closes), 4 * close.rolling(20).std(ddof=0)),
    }
    for name, (own, other) in expected.items():
        np.testing.assert_allclose(own, other, rtol=1e-7, err_msg=name)


def test_ema_and_atr_agree_with_a_table_made_by_hand():
    close = np.array([10.0, 11.0, 12.0, 14.0, 13.0])
    np.testing.assert_allclose(indicators.ema(close, period=3), [np.nan, np.nan, 11.0, 12.5, 12.75])
    high, low = close + np.array([1, 1, 2, 1, 1]), close - np.array([1, 2, 1, 1, 2])
    # True ranges: -, 3, 3, 3 (15 - 12), 3 (14 - 11): the first ATR of period 2 is (3 + 3) / 2.
    np.testing.assert_allclose(indicators.atr(high, low, close, period=2), [np.nan, np.nan, 3.0, 3.0, 3.0])
    low[4] = 9.0
    np.testing.assert_allclose(indicators.atr(high, low, close, period=2)[4], (3.0 + 5.0) / 2)


def test_rsi_and_band_width_agree_with_a_table_made_by_hand():
    close = np.array([10.0, 12.0, 11.0, 14.0, 13.0])
    # Changes +2, -1, +3, -1. Means of gains 1, 2, 1 and of losses 0.5, 0.25, 0.625: (2 + 0) / 2, then (mean + change) / 2.
    expected = [np.nan, np.nan, 100 / 1.5, 200 / 2.25, 100 / 1.625]
    np.testing.assert_allclose(indicators.rsi(close, period=2), expected)
    # Of 1, 1, 3, 3 the mean is 2 and the deviation 1; of 1, 3, 3, 5 they are 3 and the root of 2. The width is four deviations.
    widths = indicators.bollinger_width(np.array([1.0, 1.0, 3.0, 3.0, 5.0]), period=4)
    np.testing.assert_allclose(widths, [np.nan, np.nan, np.nan, 4.0, 4 * np.sqrt(2)])
    np.testing.assert_allclose(indicators.bollinger_width(close, period=5, deviations=1.0)[4], 2 * np.sqrt(2))


@given(prices, st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_a_swing_is_strictly_the_extreme_of_its_window(values, order):
    expected = [
        k - order >= 0
        and k + order < len(values)
        and all(values[k] < values[n] for n in range(k - order, k + order + 1) if n != k)
        for k in range(len(values))
    ]
    assert indicators.swing_lows(values, order=order).tolist() == expected
    assert indicators.swing_highs(-values, order=order).tolist() == expected


def test_an_equal_neighbour_means_no_swing():
    assert indicators.swing_lows(np.array([5.0, 4.0, 3.0, 4.0, 5.0]), order=2).tolist() == [False, False, True, False, False]
    assert not indicators.swing_lows(np.array([5.0, 3.0, 3.0, 4.0, 5.0]), order=2).any()


@given(prices, st.integers(2, 20))
@settings(max_examples=40, deadline=None)
def test_the_share_below_counts_the_last_values_own_included(values, count):
    shares = indicators.share_below(values, count=count)
    for k, share in enumerate(shares):
        window = values[max(k - count + 1, 0) : k + 1]
        assert np.isnan(share) if len(window) < count else share == np.sum(window < values[k]) / count


@given(st.integers(0, 300), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_no_indicator_reads_a_later_bar(cut, seed):
    bars = walk_h1(seed)[["high", "low", "close"]].to_numpy(dtype=float)[:400]
    high, low, close = (np.ascontiguousarray(column) for column in bars.T)
    for compute in (
        lambda h, lo, c: indicators.ema(c, period=50),
        indicators.atr,
        lambda h, lo, c: indicators.rsi(c),
        lambda h, lo, c: indicators.bollinger_width(c),
        lambda h, lo, c: indicators.share_below(c, count=30),
        lambda h, lo, c: np.append(np.zeros(5), indicators.swing_lows(lo, order=5)[:-5])[: len(c)],
    ):
        np.testing.assert_array_equal(compute(high, low, close)[:cut], compute(high[:cut], low[:cut], close[:cut])[:cut])


def test_mistake_23_ema200_is_made_of_a_thousand_bars_in_every_month():
    slow = [strategy for strategy in ALL if strategy.uses_ema200]
    assert [strategy.name for strategy in slow] == ["trend_continuation", "ema_momentum"]
    warm_ups = {(timeframe, each.warm_up_days(timeframe)) for each in slow for timeframe in (Timeframe.H1, Timeframe.H4)}
    for timeframe, days in {*warm_ups, (Timeframe.H4, H4_WARM_UP_DAYS)}:
        opens = CALENDAR.expected_opens(timeframe=timeframe, start=utc(2003, 5, 1), end=utc(2026, 11, 1))
        for month in np.arange(np.datetime64("2004-03"), np.datetime64("2026-11")).astype("datetime64[us]"):
            begin = np.searchsorted(opens, month - np.timedelta64(days, "D"))
            assert np.searchsorted(opens, month) - begin >= 1000, (timeframe, month)


def test_mistake_23_two_hundred_bars_would_leave_ema200_far_off_and_a_thousand_do_not():
    bars = walk_h1(5, start=START, end=END)
    closes = bars["close"].to_numpy(dtype=float)
    long, atr = (
        indicators.ema(closes, period=200)[-1],
        reference.atr([reference.Bar(*row) for row in bars.iloc[-200:, 1:5].to_numpy().tolist()])[-1],
    )
    assert abs(indicators.ema(closes[-1100:], period=200)[-1] - long) < 0.01 * atr
    off = [
        abs(indicators.ema(closes[k - 200 : k], period=200)[-1] - indicators.ema(closes[:k], period=200)[-1])
        for k in range(2000, 5000, 100)
    ]
    assert np.median(off) > 0.5 * atr
