"""How a leak is planted: a strategy made of one measure, a pair of a leak and its clean twin, and what they are proved on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.record import Record, record_of
from goldsignal_pipeline.proofs.simulated import simulated_record
from goldsignal_pipeline.strategies.base import Candidates, Condition, Parameters, Strategy
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.indicators import Floats

Measure = Callable[[DirectedBars], Floats]
FIRST = 100
"""Bars of the warm-up that no measure needs more of."""


class Planted(Strategy):
    """A setup wherever a measure is positive."""

    name = "planted"
    version = "1"
    description = "A setup wherever a measure is positive."
    parameters = Parameters()

    def __init__(self, measure: Measure) -> None:
        self.measure = measure

    def find(self, bars: DirectedBars) -> Candidates:
        measured = np.asarray(self.measure(bars), dtype=np.float64)
        at = np.flatnonzero(measured > 0)
        at = at[at >= FIRST]
        risk = np.rint(2 * bars.atr[at])
        stop, targets = self.stop(bars, at, risk), (bars.close[at] + r * risk for r in (1.5, 3.0))
        conditions = (Condition("signal", measured[at], ">", 0.0), *self.optional(bars, at))
        return Candidates(at, at, stop, *targets, stop, conditions)

    def stop(self, bars: DirectedBars, at: np.ndarray, risk: Floats) -> Floats:
        return bars.close[at] - risk

    def optional(self, bars: DirectedBars, at: np.ndarray) -> tuple[Condition, ...]:
        return ()


@dataclass(frozen=True)
class Pair:
    """`proofs` are those that must find the leak, each of them."""

    name: str
    leak: Callable[[], Strategy]
    twin: Callable[[], Strategy]
    proofs: tuple[str, ...]


@cache
def short_record() -> Record:
    """Two months of the simulated market, which are warm for what needs 21 days."""
    bars = simulated_record(Planted(np.zeros_like), timeframe=Timeframe.H1).candles[Timeframe.H1]
    bars = bars[bars["timestamp"] >= "2024-09-05"].reset_index(drop=True)
    return record_of(bars, given=Timeframe.H1, timeframe=Timeframe.H1, warm_up_days=21)


def record_for(strategy: Strategy) -> Record:
    """The short record for a planted strategy, a whole one for the four, whose setups are rarer."""
    return short_record() if isinstance(strategy, Planted) else simulated_record(strategy, timeframe=Timeframe.H1)


FUTURE = ("prefix", "future_noise", "future_gaps", "future_nan")
SOME = ("prefix", "future_noise", "future_nan")


def measured(name: str, leak: Measure, twin: Measure, *proofs: str) -> Pair:
    return Pair(name, lambda: Planted(leak), lambda: Planted(twin), proofs or FUTURE)


def series(values: np.ndarray) -> pd.Series:
    return pd.Series(values)


def by_time(bars: DirectedBars, values: np.ndarray) -> pd.Series:
    return pd.Series(values, index=pd.DatetimeIndex(bars.opens))


def days(bars: DirectedBars) -> np.ndarray:
    return bars.opens.astype("datetime64[D]")


def four_hours(bars: DirectedBars) -> np.ndarray:
    return bars.opens.astype("datetime64[h]").astype(np.int64) // 4


def above(bars: DirectedBars, level: Floats, *, atr: float) -> Floats:
    """How far the close lies above a level and some ATR."""
    return bars.close - np.asarray(level) - atr * bars.atr
