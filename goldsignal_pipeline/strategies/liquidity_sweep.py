"""Liquidity sweep: a bar takes the stops below earlier lows, closes above them again, and the market follows.

1. `_sweeps`: bar i pierces one or more known swing lows and closes above every one of them.
2. `_confirmations`: within three bars a close above its high, while its low holds. Told for BUY; SELL sees mirrored bars.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit
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
from goldsignal_pipeline.strategies.indicators import Flags, Floats


class LiquiditySweepParameters(Parameters):
    """Parameters of the liquidity sweep."""

    swing_order: int = Field(default=5, ge=1, description="Bars on each side that a swing stands out from.")
    swing_lookback_bars: int = Field(default=50, ge=1, description="Oldest swing that counts.")
    confirmation_bars: int = Field(default=3, ge=1, description="Bars within which a sweep must be confirmed.")
    stop_buffer_atr: float = Field(default=0.5, ge=0, description="Stop beyond the sweep's extreme, in ATR14.")
    long_wick_atr: float = Field(default=1.0, gt=0, description="Depth of a long wick, in ATR14.")
    strong_close_share: float = Field(default=0.7, gt=0, lt=1, description="Where in its range a strong bar closes.")
    take_profit_1_r: float = Field(default=1.5, gt=0, description="First target in planned R.")
    take_profit_2_r: float = Field(default=3.0, gt=0, description="Second target in planned R.")


class LiquiditySweep(Strategy):
    """Known lows are swept and at once reclaimed."""

    name: ClassVar[str] = "liquidity_sweep"
    version: ClassVar[str] = "1"
    description: ClassVar[str] = (
        "A bar sweeps the stops beyond earlier swings, closes back inside, and a close beyond it confirms."
    )

    def __init__(self, parameters: LiquiditySweepParameters | None = None) -> None:
        self.parameters: LiquiditySweepParameters = parameters or LiquiditySweepParameters()

    def find(self, bars: DirectedBars) -> Candidates:
        """Every sweep at the bar that confirms it, or at the last bar that could have."""
        rule = self.parameters
        swings = bars.swing_lows(rule.swing_order)
        swept, highest, lowest = _sweeps(bars.low, swings, rule.swing_lookback_bars, rule.swing_order)
        reclaimed = np.flatnonzero((swept > 0) & (bars.close > highest))
        at, confirmed = _confirmations(bars.high, bars.low, bars.close, reclaimed, rule.confirmation_bars)
        sweep, at = _lowest_of_each_bar(reclaimed[at >= 0], at[at >= 0], confirmed[at >= 0])
        extreme, span = bars.low[sweep], bars.high[at] - bars.low[at]
        stop = extreme - rule.stop_buffer_atr * bars.atr[at]
        risk = planned_risk(bars, at=at, stop=stop)
        position = np.divide(bars.close[at] - bars.low[at], span, out=np.full(len(at), np.nan), where=span > 0)
        conditions = (
            Condition("swings_swept", swept[sweep], ">=", 1.0, unit="count"),
            Condition("close_beyond_swept", bars.close[sweep] - highest[sweep], ">", 0.0),
            Condition("confirming_close", bars.close[at] - bars.high[sweep], ">", 0.0),
            Condition("long_wick", lowest[sweep] - extreme, ">", rule.long_wick_atr * bars.atr[at], points=10),
            Condition("several_swings", swept[sweep], ">=", 2.0, points=10, unit="count"),
            Condition("strong_close", position, ">=", rule.strong_close_share, points=5, unit="share"),
            *common_conditions(bars, at=at, overlap_at=sweep),
        )
        take_profit_1, take_profit_2 = (bars.close[at] + r * risk for r in (rule.take_profit_1_r, rule.take_profit_2_r))
        return Candidates(at, sweep, stop, take_profit_1, take_profit_2, extreme, conditions)


def _lowest_of_each_bar(sweep: Positions, at: Positions, confirmed: Flags) -> tuple[Positions, Positions]:
    """One sweep for each confirming bar, that of the lowest low: the first, because no low after it lies deeper."""
    _, first = np.unique(at[confirmed], return_index=True)
    rows = np.concatenate([np.flatnonzero(confirmed)[first], np.flatnonzero(~confirmed)])
    return sweep[rows], at[rows]


@njit(cache=True)
def _sweeps(low: Floats, swings: Flags, lookback: int, order: int) -> tuple[Floats, Floats, Floats]:
    """Of each bar: how many known swing lows it pierces, and the highest and the lowest of them."""
    count = np.zeros(len(low))
    highest = np.full(len(low), np.nan)
    lowest = np.full(len(low), np.nan)
    for i in range(len(low)):
        for s in range(max(i - lookback, 0), i - order + 1):
            if swings[s] and low[s] > low[i]:
                highest[i] = low[s] if count[i] == 0 else max(highest[i], low[s])
                lowest[i] = low[s] if count[i] == 0 else min(lowest[i], low[s])
                count[i] += 1
    return count, highest, lowest


@njit(cache=True)
def _confirmations(high: Floats, low: Floats, close: Floats, sweeps: Positions, within: int) -> tuple[Positions, Flags]:
    """The bar that confirms each sweep, or the last that could have; -1 where the low broke or the record ends first."""
    at = np.full(len(sweeps), -1, dtype=np.intp)
    confirmed = np.zeros(len(sweeps), dtype=np.bool_)
    for row in range(len(sweeps)):
        i = sweeps[row]
        for j in range(i + 1, min(i + within, len(low) - 1) + 1):
            if low[j] < low[i]:
                break
            if close[j] > high[i]:
                at[row], confirmed[row] = j, True
                break
            if j == i + within:
                at[row] = j
    return at, confirmed
