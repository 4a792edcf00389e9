"""Sanity on nothing: on seeded walks that hold no information no strategy wins or loses anything but its costs.

Base bars are M5, the default base. Every exit is fair, unless one bar holds both stop and target: none of 200,000 trades on M5,
up to 1 % of them on H1.

50 walks, by default of 2 years, with PROVE=1 (`make prove`) of 4. Only trades whose deadline lies within the walk count, so that
the end does not choose among them.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.candles import instants_of, timestamps_of
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.trades import Candidates, resolve, trades_frame
from goldsignal_pipeline.strategies.indicators import atr
from goldsignal_pipeline_tests.simulation.markets import CALENDAR
from goldsignal_pipeline_tests.simulation.walks import START, Walk, end_of
from goldsignal_pipeline_tests.strategies.records import ALL, NAMES

WALKS, YEARS = 50, 4 if os.environ.get("PROVE") == "1" else 2
CHANCE = "chance"


def chance_setups(h1: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """300 setups a year at random hours in random directions, stops 1 to 5 ATR away."""
    rng = np.random.default_rng(seed)
    known = atr(*(h1[name].to_numpy(dtype=np.float64) for name in ("high", "low", "close")))
    at = rng.choice(np.flatnonzero(h1["timestamp"] >= pd.Timestamp(START)), 300 * YEARS)
    direction, reference = rng.choice(np.array([1, -1]), len(at)), h1["close"].to_numpy()[at]
    risk = np.ceil(known[at] * rng.uniform(1, 5, len(at))).astype(np.int64)
    levels = {"stop": -risk, "take_profit_1": 3 * risk // 2, "take_profit_2": 3 * risk}
    return pd.DataFrame(
        {
            "strategy": CHANCE,
            "timeframe": "H1",
            "direction": np.where(direction == 1, "BUY", "SELL"),
            "confirmed_at": timestamps_of(instants_of(h1["timestamp"])[at] + np.timedelta64(60, "m")),
            "reference": reference,
            **{name: reference + direction * distance for name, distance in levels.items()},
        }
    )


def nothing_of_walk(seed: int) -> pd.DataFrame:
    """Net R plus cost of every strategy's trades and of chance on one walk."""
    walk = Walk.of(seed, years=YEARS)
    setups = pd.concat([walk.setups(ALL), chance_setups(walk.h1, seed=seed)], ignore_index=True)
    bars = walk.base(Timeframe.M5)
    trades = trades_frame(resolve(Candidates.of_setups(setups), bars, calendar=CALENDAR), bars)
    counted = (trades["deadline"] <= pd.Timestamp(end_of(YEARS))) & (trades["result"] != "missed")
    frame = pd.DataFrame({"strategy": setups["strategy"], "walk": seed, "nothing": trades["net_r"] + trades["cost_r"]})
    return frame[counted]


@pytest.fixture(scope="module")
def nothing() -> pd.DataFrame:
    return pd.concat([nothing_of_walk(seed) for seed in range(WALKS)], ignore_index=True)


@pytest.mark.parametrize("strategy", [*NAMES, CHANCE])
def test_what_is_left_beside_the_costs_is_nothing(nothing, strategy) -> None:
    walks = nothing[nothing["strategy"] == strategy].groupby("walk")["nothing"]
    means = walks.mean()
    error = means.std(ddof=1) / np.sqrt(WALKS)
    assert len(means) == WALKS
    assert (walks.count() > 50 * YEARS).all()
    assert error < 0.04 / np.sqrt(YEARS)
    assert abs(means.mean()) < 3 * error
