"""Other futures and pasts: what was known stays, the rest is something else, and bars stay bars."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs import poisoning
from goldsignal_pipeline.strategies.context import sessions_of
from goldsignal_pipeline.strategies.directed import DirectedBars, sign_of
from goldsignal_pipeline_tests.strategies.records import walk_h1

ARRAYS = ("opens", "closes", "open", "high", "low", "close", "h4_gap")
FUTURES = {
    "no_future": poisoning.no_future,
    "noise": poisoning.noise_after,
    "gaps": poisoning.gaps_after,
    "nan": poisoning.nan_after,
}
BARS = 400


def directed(direction: Direction) -> DirectedBars:
    frame, sign = walk_h1(1).iloc[:BARS], sign_of(direction)
    opens = instants_of(frame["timestamp"])
    prices = {name: sign * frame[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close")}
    if sign < 0:
        prices["high"], prices["low"] = prices["low"], prices["high"]
    closes = opens + np.timedelta64(1, "h")
    return DirectedBars(
        Timeframe.H1, direction, opens, closes, **prices, sessions=sessions_of(opens), h4_gap=np.arange(BARS) * 1.0
    )


@given(st.integers(0, BARS - 1), st.sampled_from(sorted(FUTURES)), st.sampled_from(list(Direction)))
@settings(max_examples=60, deadline=None)
def test_bars_closed_by_the_cut_stay_and_no_price_of_a_later_one_does(position, name, direction):
    bars = directed(direction)
    other = FUTURES[name](bars, cut=bars.closes[position])
    known = position + 1
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(other, array)[:known], getattr(bars, array)[:known])
    np.testing.assert_array_equal(other.sessions.label[:known], bars.sessions.label[:known])
    assert len(other.sessions.label) == len(other) == len(other.close)
    closes = dict(zip(bars.opens.tolist(), bars.close.tolist(), strict=True))
    after = other.close[known:]
    same = [closes[opens] == close for opens, close in zip(other.opens[known:].tolist(), after.tolist(), strict=True)]
    assert np.mean(same) < 0.2 if same else True
    assert (len(other) == known) == (name == "no_future" or known == BARS)
    if name in ("noise", "gaps"):
        assert (other.low <= np.minimum(other.open, other.close)).all()
        assert (np.maximum(other.open, other.close) <= other.high).all()
        assert (np.rint(after) == after).all()
        assert (sign_of(direction) * after > 0).all()
    if name == "noise":
        assert len(set(after.tolist())) > 0.8 * len(after) or len(after) < 10
    if name == "nan":
        assert all(np.isnan(getattr(other, array)[known:]).all() for array in ("open", "high", "low", "close", "h4_gap"))


@pytest.mark.parametrize("name", FUTURES)
def test_indicators_are_those_of_the_other_bars(name):
    bars = directed(Direction.BUY)
    assert bars.atr is not None
    other = FUTURES[name](bars, cut=bars.closes[200])
    np.testing.assert_array_equal(other.atr[:201], bars.atr[:201])
    assert len(other.atr) == len(other)


def test_an_older_history_is_something_else_up_to_the_origin():
    frame = walk_h1(1).iloc[:BARS]
    origin = instants_of(frame["timestamp"])[150]
    other = poisoning.noise_before(frame, origin=origin)
    prices = ["open", "high", "low", "close"]
    assert (other[prices].iloc[:150] != frame[prices].iloc[:150]).any(axis=1).mean() > 0.9
    assert other.iloc[150:].equals(frame.iloc[150:])
    assert (other["low"] <= other[["open", "close"]].min(axis=1)).all()
    assert (other[["open", "close"]].max(axis=1) <= other["high"]).all()
    assert (other.dtypes == frame.dtypes).all()
    assert (other[prices] > 0).all(axis=None)


def test_candles_turned_twice_are_what_they_were():
    frame = walk_h1(1).iloc[:BARS]
    once = poisoning.turned(frame, around=4_000_000)
    assert (once["low"] <= once[["open", "close"]].min(axis=1)).all()
    assert poisoning.turned(once, around=4_000_000).equals(frame)
