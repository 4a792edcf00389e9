"""Walks that hold no information, with real hours: what strategies and random entries make of them is chance and costs.

Closed hours pass without a move, and volatility follows the sessions. The M5 closes are Gaussian; the high and the low of a bar
are each drawn from the exact law of the extreme of a Brownian bridge between open and close. So the chance of touching a level
within a bar is exact, and a fill at the level is a price that was there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import Bars, bars_of, frame_of, resample
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.strategies.base import Strategy
from goldsignal_pipeline.strategies.context import sessions_of
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline_tests.simulation.markets import CALENDAR

RECORD_START, START = datetime(2015, 10, 1, tzinfo=UTC), datetime(2016, 1, 1, tzinfo=UTC)
TICKS_PER_M5 = {"asia": 60.0, "london": 85.0, "new_york": 85.0, "overlap": 120.0, "none": 45.0}


@cache
def hours_and_moves(years: int) -> tuple[np.ndarray, np.ndarray]:
    """Every M5 open from the record's start to the end of the walk, and the standard deviation of its move in ticks."""
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M5, start=RECORD_START, end=end_of(years))
    return opens, np.array([TICKS_PER_M5[label] for label in sessions_of(opens).label.tolist()])


def end_of(years: int) -> datetime:
    return START.replace(year=START.year + years)


@dataclass(frozen=True)
class Walk:
    """M5 bars from `RECORD_START` on and the H1 candles made of them; evaluated from `START` on."""

    m5: Bars
    h1: pd.DataFrame
    years: int

    @classmethod
    def of(cls, seed: int, *, years: int) -> Walk:
        opens, sigma = hours_and_moves(years)
        rng = np.random.default_rng(seed)
        path = 400_000 + np.cumsum(rng.normal(0, 1, len(opens)) * sigma)
        before = np.concatenate([[400_000.0], path[:-1]])
        move = path - before
        up, down = ((np.sqrt(move**2 - 2 * sigma**2 * np.log(rng.random(len(opens)))) + side * move) / 2 for side in (1, -1))
        prices = [np.rint(series).astype(np.int64) for series in (before, before + up, before - down, path)]
        m5 = Bars(opens, *prices, np.full(len(opens), np.nan))
        return cls(m5, resample(frame_of(m5), target=Timeframe.H1), years)

    def base(self, timeframe: Timeframe) -> BaseBars:
        bars = self.m5 if timeframe is Timeframe.M5 else bars_of(self.h1)
        return BaseBars.of(bars, timeframe=timeframe, side=Side.BID, spreads=SpreadTable())

    def setups(self, strategies: tuple[Strategy, ...]) -> pd.DataFrame:
        months = pd.period_range(START.strftime("%Y-%m"), periods=12 * self.years, freq="M").astype(str).tolist()
        found = evaluate(
            strategies, candles={Timeframe.H1: self.h1}, timeframe=Timeframe.H1, months=months, record_start=RECORD_START
        )
        return found.accepted()
