"""Single steps of the strategies on a few bars whose answer is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.strategies.base import Candidates, Condition, Parameters
from goldsignal_pipeline.strategies.breakout_expansion import _boxes
from goldsignal_pipeline.strategies.context import sessions_of
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.ema_momentum import EmaMomentum
from goldsignal_pipeline.strategies.judging import KINDS, REFUSALS, judge
from goldsignal_pipeline.strategies.liquidity_sweep import _confirmations, _lowest_of_each_bar, _sweeps
from goldsignal_pipeline.strategies.trend_continuation import TrendContinuation, _extended


def bars_of(*, high: np.ndarray, low: np.ndarray, close: np.ndarray | None = None, direction=Direction.BUY) -> DirectedBars:
    opens = np.datetime64("2024-01-08", "us") + np.arange(len(high)) * np.timedelta64(1, "h")
    middle = (high + low) / 2 if close is None else close
    nothing = np.full(len(high), np.nan)
    return DirectedBars(
        Timeframe.H1, direction, opens, opens + np.timedelta64(1, "us"), middle, high, low, middle, sessions_of(opens), nothing
    )


def test_mistake_20_a_target_is_no_swing_that_is_not_known_yet():
    high = np.full(40, 100.0) - np.arange(40) % 2
    high[15], high[27] = 480.0, 350.0
    bars = bars_of(high=high, low=high - 20, close=np.full(40, 80.0))
    strategy, risk = TrendContinuation(), np.array([100.0])
    # At bar 31 only four bars have followed bar 27: 480 is the nearest known swing in 80 + 225 .. 80 + 500.
    assert strategy._second_target(bars, at=np.array([31]), risk=risk).tolist() == [480.0]
    assert strategy._second_target(bars, at=np.array([32]), risk=risk).tolist() == [350.0]
    # With a risk of 150 the range begins at 80 + 338, and with one of 70 it ends at 80 + 350, so that 80 + 210 serves.
    assert strategy._second_target(bars, at=np.array([32]), risk=np.array([150.0])).tolist() == [480.0]
    assert strategy._second_target(bars, at=np.array([31]), risk=np.array([70.0])).tolist() == [290.0]


def test_mistake_20_a_stop_stands_behind_a_swing_only_once_it_is_known():
    low = 100.0 + np.arange(40) % 2
    low[20], low[26] = 60.0, 70.0
    bars = bars_of(high=low + 20, low=low)
    behind = EmaMomentum()._behind(bars, at=np.array([24, 25, 30, 31, 39]))
    # At bar 24 no swing is known, so the lowest low of the last 20 bars serves: the same bar. Bar 26 is known from 31 on.
    assert behind.tolist() == [60.0, 60.0, 60.0, 70.0, 70.0]
    low[22] = 55.0
    assert EmaMomentum()._behind(bars_of(high=low + 20, low=low), at=np.array([26])).tolist() == [55.0]


def test_a_sweep_pierces_known_swings_within_fifty_bars_and_counts_them():
    low = np.full(70, 100.0)
    swings = np.zeros(70, dtype=bool)
    for bar, level in ((5, 80.0), (20, 90.0), (30, 85.0), (57, 95.0)):
        low[bar], swings[bar] = level, True
    low[60] = 84.0
    count, highest, lowest = _sweeps(low, swings, 50, 5)
    # 80 lies deeper than 84 and too far back, 57 is too young at bar 60; 90 and 85 are pierced.
    assert (count[60], highest[60], lowest[60]) == (2.0, 90.0, 85.0)
    assert count[61] == 0
    assert np.isnan(highest[61])


def test_a_sweep_is_confirmed_within_three_bars_while_its_low_holds():
    close = np.array([10.0, 11.0, 12.0, 13.0, 16.0, 10.0])
    high, low = np.array([15.0, 14, 14, 14, 16, 15]), np.array([5.0, 6, 7, 8, 9, 9])
    sweeps = np.array([0, 1, 2])
    at, confirmed = _confirmations(high, low, close, sweeps, 3)
    assert at.tolist() == [3, 4, 4]  # nothing closes above 15 by bar 3; 16 confirms the two later ones
    assert confirmed.tolist() == [False, True, True]
    broken = low.copy()
    broken[2] = 5.5
    assert _confirmations(high, broken, close, sweeps, 3)[0].tolist() == [3, -1, 4]
    sweep, bar = _lowest_of_each_bar(sweeps, at, confirmed)
    assert (sweep.tolist(), bar.tolist()) == ([1, 0], [4, 3])  # of bars 1 and 2 the earlier has the lowest low


def test_a_pullback_counts_extended_bars_by_the_confirming_bars_own_range():
    above = np.array([9.0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    threshold = np.full(13, 15.0)
    at, last, largest = _extended(above, threshold, bars=8)
    assert (at.tolist(), last.tolist(), largest.tolist()) == ([9, 10, 11, 12], [3, 3, 3, 3], [16.0] * 4)
    threshold[10] = 17.0
    assert _extended(above, threshold, bars=8)[0].tolist() == [9, 11, 12]


def test_a_box_is_the_longest_low_run_and_else_the_run_of_narrow_bands():
    high, low = np.full(20, 110.0), np.full(20, 100.0)
    high[4] = 140.0
    heights, squeezed = np.full(20, 25.0), np.zeros(20, dtype=bool)
    first, top, bottom = _boxes((high, low), heights, squeezed, (6, 120))
    assert first[:11].tolist() == [-1] * 11  # bars 5 to 9 are five; before bar 4 only four
    assert (first[11], top[11], bottom[11]) == (5, 110.0, 100.0)
    assert _boxes((high, low), heights, squeezed, (6, 8))[0][19] == 11
    squeezed[1:8] = True
    first, top, _ = _boxes((high, low), np.full(20, 5.0), squeezed, (6, 120))
    assert first.tolist() == [-1] * 7 + [1, 1] + [-1] * 11
    assert top[8] == 140.0


@pytest.mark.parametrize("direction", list(Direction))
def test_planned_risk_outside_its_limits_and_a_stop_on_the_wrong_side_are_refused_never_squeezed(direction):
    sign = 1 if direction is Direction.BUY else -1
    close = sign * np.full(40, 1000.0)
    bars = bars_of(high=close + 5, low=close - 5, close=close, direction=direction)  # ATR14 is 10
    at, risks = np.arange(20, 27), np.array([9.0, 10.0, 50.0, 51.0, 0.0, -3.0, 20.0])
    stop = close[at] - risks
    always = Condition("always", np.ones(7), ">", 0.0)
    found = Candidates(at, at, stop, close[at] + 1.5 * risks, close[at] + 3 * risks, stop, (always,))
    judged = judge(found, bars=bars, parameters=Parameters(), first=0)
    assert [KINDS[kind].value for kind in judged.kind] == ["refused", "setup", "setup", "refused", "refused", "refused", "setup"]
    small, large, wrong = "risk_too_small", "risk_too_large", "stop_on_wrong_side"
    assert [str(REFUSALS[reason]) for reason in judged.refusal] == [small, "", "", large, wrong, wrong, ""]
    assert judged.stop.tolist() == [0, 1000 - sign * 10, 1000 - sign * 50, 0, 0, 0, 1000 - sign * 20]
    assert judged.take_profit_1.tolist() == [0, 1000 + sign * 15, 1000 + sign * 75, 0, 0, 0, 1000 + sign * 30]
