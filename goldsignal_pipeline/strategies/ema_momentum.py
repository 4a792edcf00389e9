"""EMA momentum: three averages in order and rising, and a decisive bar after a pause.

Told for BUY; SELL sees mirrored bars. A leg is named by the last close on the other side of EMA21: it arms the strategy, one
emitted setup disarms it, a refused one does not. Before the first such close after the origin it is unarmed.
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


class EmaMomentumParameters(Parameters):
    """Parameters of the EMA momentum."""

    rising_bars: int = Field(default=5, ge=1, description="Bars ago than which EMA21 and EMA50 are higher.")
    body_atr: float = Field(default=0.6, gt=0, description="Least body of the confirming bar, in ATR14.")
    swing_order: int = Field(default=5, ge=1, description="Bars on each side that a swing stands out from.")
    swing_lookback_bars: int = Field(default=20, ge=1, description="Oldest swing that the stop may stand behind.")
    stop_buffer_atr: float = Field(default=0.5, ge=0, description="Stop beyond the swing, in ATR14.")
    fast_gap_atr: float = Field(default=1.0, gt=0, description="A wide gap of EMA21 and EMA50, in ATR14.")
    far_close_atr: float = Field(default=1.0, gt=0, description="A close far beyond EMA21, in ATR14.")
    slow_gap_atr: float = Field(default=2.0, gt=0, description="A wide gap of EMA50 and EMA200, in ATR14.")
    take_profit_1_r: float = Field(default=1.5, gt=0, description="First target in planned R.")
    take_profit_2_r: float = Field(default=3.0, gt=0, description="Second target in planned R.")


class EmaMomentum(Strategy):
    """A decisive bar in the direction of three ordered averages."""

    name: ClassVar[str] = "ema_momentum"
    version: ClassVar[str] = "1"
    description: ClassVar[str] = (
        "EMA21, EMA50 and EMA200 in order and rising, and a bar with a large body beyond EMA21 after a pause."
    )
    uses_ema200: ClassVar[bool] = True

    def __init__(self, parameters: EmaMomentumParameters | None = None) -> None:
        self.parameters: EmaMomentumParameters = parameters or EmaMomentumParameters()

    def find(self, bars: DirectedBars) -> Candidates:
        """Every bar of an armed leg that closes beyond EMA21 while the averages are in order."""
        rule = self.parameters
        fast, middle, slow = bars.ema(21), bars.ema(50), bars.ema(200)
        armed_by = np.maximum.accumulate(np.where(bars.close < fast, np.arange(len(bars)), -1))
        fast_rise, middle_rise = (_change(average, bars=rule.rising_bars) for average in (fast, middle))
        ordered = (fast > middle) & (middle > slow) & (fast_rise > 0) & (middle_rise > 0)
        at = np.flatnonzero(ordered & (bars.close > fast) & (armed_by >= 0))
        atr, extreme = bars.atr[at], self._behind(bars, at=at)
        stop = extreme - rule.stop_buffer_atr * atr
        risk = planned_risk(bars, at=at, stop=stop)
        fast_gap, slow_gap, distance = (fast - middle)[at], (middle - slow)[at], (bars.close - fast)[at]
        conditions = (
            Condition("ema21_above_ema50", fast_gap, ">", 0.0),
            Condition("ema50_above_ema200", slow_gap, ">", 0.0),
            Condition("ema21_rises", fast_rise[at], ">", 0.0),
            Condition("ema50_rises", middle_rise[at], ">", 0.0),
            Condition("close_beyond_ema21", distance, ">", 0.0),
            Condition("body", bars.body[at], ">=", rule.body_atr * atr),
            Condition("wide_fast_gap", fast_gap, ">", rule.fast_gap_atr * atr, points=5),
            Condition("far_close", distance, ">", rule.far_close_atr * atr, points=5),
            Condition("wide_slow_gap", slow_gap, ">", rule.slow_gap_atr * atr, points=5),
            *common_conditions(bars, at=at),
        )
        take_profit_1, take_profit_2 = (bars.close[at] + r * risk for r in (rule.take_profit_1_r, rule.take_profit_2_r))
        return Candidates(at, armed_by[at], stop, take_profit_1, take_profit_2, extreme, conditions, one_setup_per_leg=True)

    def _behind(self, bars: DirectedBars, *, at: Positions) -> Floats:
        """The low of the latest known swing within the lookback, else the lowest low of the lookback."""
        rule = self.parameters
        if len(at) == 0:
            return np.zeros(0)
        swing = np.maximum.accumulate(np.where(bars.swing_lows(rule.swing_order), np.arange(len(bars)), -1))
        latest = swing[at - rule.swing_order]
        windows = np.lib.stride_tricks.sliding_window_view(bars.low, rule.swing_lookback_bars + 1)
        lowest = windows[at - rule.swing_lookback_bars].min(axis=1)
        return np.asarray(np.where(latest >= at - rule.swing_lookback_bars, bars.low[latest], lowest))


def _change(values: Floats, *, bars: int) -> Floats:
    """How far each value lies above the one some bars ago; NaN at the beginning."""
    change = np.full(len(values), np.nan)
    change[bars:] = values[bars:] - values[:-bars]
    return change
