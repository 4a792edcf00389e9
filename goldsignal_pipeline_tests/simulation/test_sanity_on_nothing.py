"""Sanity on nothing: on seeded walks that hold no information no strategy wins or loses anything but its costs.

A walk has real hours: closed hours pass without a move, and volatility follows the sessions. Base bars are M5, the default base;
H1 candles are made of them. The M5 closes are Gaussian; the high and the low of a bar are each drawn from the exact law of the
extreme of a Brownian bridge between open and close. So the chance of touching a level within a bar is exact, a fill at the level
is a price that was there, and every exit is fair, unless one bar holds both stop and target: none of 200,000 trades on M5, up to
1 % of them on H1.

50 walks, by default of 2 years, with PROVE=1 (`make prove`) of 4. Only trades whose deadline lies within the walk count, so that
the end does not choose among them.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.candles import Bars, frame_of, instants_of, resample, timestamps_of
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.trades import Candidates, resolve, trades_frame
from goldsignal_pipeline.strategies.context import sessions_of
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline.strategies.indicators import atr
from goldsignal_pipeline_tests.simulation.markets import CALENDAR
from goldsignal_pipeline_tests.strategies.records import ALL, NAMES

WALKS, YEARS = 50, 4 if os.environ.get("PROVE") == "1" else 2
RECORD_START, START, END = (datetime(year, month, 1, tzinfo=UTC) for year, month in ((2015, 10), (2016, 1), (2016 + YEARS, 1)))
MONTHS = pd.period_range("2016-01", periods=12 * YEARS, freq="M").astype(str).tolist()
CHANCE = "chance"
TICKS_PER_M5 = {"asia": 60.0, "london": 85.0, "new_york": 85.0, "overlap": 120.0, "none": 45.0}
OPENS = CALENDAR.expected_opens(timeframe=Timeframe.M5, start=RECORD_START, end=END)
SIGMA = np.array([TICKS_PER_M5[label] for label in sessions_of(OPENS).label.tolist()])


def walk(seed: int) -> Bars:
    """M5 bars of one walk in whole ticks; each opens where the one before closed."""
    rng = np.random.default_rng(seed)
    path = 400_000 + np.cumsum(rng.normal(0, 1, len(OPENS)) * SIGMA)
    before = np.concatenate([[400_000.0], path[:-1]])
    move = path - before
    up, down = ((np.sqrt(move**2 - 2 * SIGMA**2 * np.log(rng.random(len(OPENS)))) + side * move) / 2 for side in (1, -1))
    prices = [np.rint(series).astype(np.int64) for series in (before, before + up, before - down, path)]
    return Bars(OPENS, *prices, np.full(len(OPENS), np.nan))


def chance_setups(h1: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """300 setups a year at random hours in random directions, stops 1 to 5 ATR away."""
    rng = np.random.default_rng(seed)
    known = atr(*(h1[name].to_numpy(dtype=np.float64) for name in ("high", "low", "close")))
    at = rng.choice(np.flatnonzero(instants_of(h1["timestamp"]) >= np.datetime64(START.replace(tzinfo=None))), 300 * YEARS)
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
    m5 = walk(seed)
    h1 = resample(frame_of(m5), target=Timeframe.H1)
    found = evaluate(ALL, candles={Timeframe.H1: h1}, timeframe=Timeframe.H1, months=MONTHS, record_start=RECORD_START)
    setups = pd.concat([found.accepted(), chance_setups(h1, seed=seed)], ignore_index=True)
    bars = BaseBars.of(m5, timeframe=Timeframe.M5, side=Side.BID, spreads=SpreadTable())
    trades = trades_frame(resolve(Candidates.of_setups(setups), bars, calendar=CALENDAR), bars)
    counted = (trades["deadline"] <= pd.Timestamp(END)) & (trades["result"] != "missed")
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
