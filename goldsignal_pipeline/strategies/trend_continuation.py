"""Trend continuation: in a trend the market runs away from its average, comes back to it, and turns at once.

Told for BUY; SELL sees mirrored bars. For a confirming bar j the pullback bar is p = j - 1, and the leg is named by the last
extended bar among p-8 .. p-1.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from goldsignal_pipeline.strategies.base import (
    Candidates,
    Condition,
    Parameters,
    Positions,
    Strategy,
    common_conditions,
    planned_risk,
)
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.indicators import Floats


class TrendContinuationParameters(Parameters):
    """Parameters of the trend continuation."""

    trend_gap_atr: float = Field(default=0.5, ge=0, description="Least EMA50 - EMA200, in ATR14.")
    extension_atr: float = Field(default=1.5, gt=0, description="Distance from EMA50 of an extended close, in ATR14.")
    extension_bars: int = Field(default=8, ge=1, description="Bars before the pullback among which one is extended.")
    pullback_atr: float = Field(default=1.0, gt=0, description="Largest distance from EMA50 of the pullback, in its ATR14.")
    deep_pullback_atr: float = Field(default=0.5, gt=0, description="The same for a deep pullback.")
    widening_bars: int = Field(default=5, ge=1, description="Bars ago than which a widening gap is larger.")
    stop_buffer_atr: float = Field(default=0.5, ge=0, description="Stop beyond the extreme of the leg, in ATR14.")
    swing_order: int = Field(default=5, ge=1, description="Bars on each side that a swing stands out from.")
    swing_lookback_bars: int = Field(default=200, ge=1, description="Oldest swing that may be the second target.")
    take_profit_1_r: float = Field(default=2.0, gt=0, description="First target in planned R.")
    take_profit_2_r: float = Field(default=3.0, gt=0, description="Second target in planned R, where no swing serves.")
    swing_target_beyond_1_r: float = Field(default=0.25, ge=0, description="Least R between the first target and the swing.")
    swing_target_largest_r: float = Field(default=5.0, gt=0, description="Farthest swing that serves, in planned R.")


class TrendContinuation(Strategy):
    """A trend resumes after a pullback to EMA50."""

    name: ClassVar[str] = "trend_continuation"
    version: ClassVar[str] = "1"
    description: ClassVar[str] = (
        "In a trend of EMA50 and EMA200, price pulls back to EMA50 and the next bar closes beyond the pullback."
    )
    uses_ema200: ClassVar[bool] = True

    def __init__(self, parameters: TrendContinuationParameters | None = None) -> None:
        self.parameters: TrendContinuationParameters = parameters or TrendContinuationParameters()

    def find(self, bars: DirectedBars) -> Candidates:
        """Every bar after a pullback from an extension, in a trend."""
        rule = self.parameters
        average = bars.ema(50)
        gap, above = average - bars.ema(200), bars.close - average
        at, extended, extension = _extended(above, rule.extension_atr * bars.atr, bars=rule.extension_bars)
        pullback = at - 1
        inside = (gap[at] >= rule.trend_gap_atr * bars.atr[at]) & (
            np.abs(above[pullback]) <= rule.pullback_atr * bars.atr[pullback]
        )
        at, extended, extension, pullback = at[inside], extended[inside], extension[inside], pullback[inside]
        extreme = np.array([bars.low[first : last + 1].min() for first, last in zip(extended, at, strict=True)], dtype=np.float64)
        stop = extreme - rule.stop_buffer_atr * bars.atr[at]
        risk = planned_risk(bars, at=at, stop=stop)
        distance = np.abs(above[pullback])
        conditions = (
            Condition("trend_gap", gap[at], ">=", rule.trend_gap_atr * bars.atr[at]),
            Condition("extension", extension, ">", rule.extension_atr * bars.atr[at]),
            Condition("pullback", distance, "<=", rule.pullback_atr * bars.atr[pullback]),
            Condition("confirming_close", bars.close[at] - bars.high[pullback], ">", 0.0),
            Condition("gap_widens", gap[at], ">", gap[at - rule.widening_bars], points=5),
            Condition("deep_pullback", distance, "<=", rule.deep_pullback_atr * bars.atr[pullback], points=5),
            *common_conditions(bars, at=at),
        )
        take_profit_1 = bars.close[at] + rule.take_profit_1_r * risk
        take_profit_2 = self._second_target(bars, at=at, risk=risk)
        return Candidates(at, extended, stop, take_profit_1, take_profit_2, extreme, conditions)

    def _second_target(self, bars: DirectedBars, *, at: Positions, risk: Floats) -> Floats:
        """The lowest known swing high between the first target plus a quarter R and 5 R, else 3 R."""
        rule = self.parameters
        swings = np.flatnonzero(bars.swing_highs(rule.swing_order))
        reference = bars.close[at]
        targets = reference + rule.take_profit_2_r * risk
        nearest = np.ceil(reference + rule.take_profit_1_r * risk) + rule.swing_target_beyond_1_r * risk
        farthest = reference + rule.swing_target_largest_r * risk
        for row, bar in enumerate(at):
            known = swings[(swings >= bar - rule.swing_lookback_bars) & (swings <= bar - rule.swing_order)]
            levels = bars.high[known]
            levels = levels[(levels >= nearest[row]) & (levels <= farthest[row])]
            if len(levels):
                targets[row] = levels.min()
        return np.asarray(targets)


def _extended(above: Floats, threshold: Floats, *, bars: int) -> tuple[Positions, Positions, Floats]:
    """Confirming bars j with a close beyond j's own threshold among j-9 .. j-2: j, the last such bar, the largest distance."""
    if len(above) < bars + 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(above[:-2], bars)
    at = np.arange(bars + 1, len(above))
    beyond = windows > threshold[at, np.newaxis]
    rows = np.flatnonzero(beyond.any(axis=1))
    last = at[rows] - 2 - np.argmax(beyond[rows, ::-1], axis=1)
    return at[rows], last, np.asarray(windows[rows].max(axis=1))
