"""Breakout expansion: a quiet box ends with one bar that leaves it decisively.

Told for BUY; SELL sees mirrored bars. `_boxes` finds for every bar the box that ends just before it: the longest run of little
height, and where there is none the run of narrow Bollinger bands. A box is named by its first bar.
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
from goldsignal_pipeline.strategies.indicators import Flags, Floats, share_below


class BreakoutExpansionParameters(Parameters):
    """Parameters of the breakout expansion."""

    least_box_bars: int = Field(default=6, ge=1, description="Shortest box.")
    most_box_bars: int = Field(default=120, ge=1, description="Longest box of little height.")
    box_height_atr: float = Field(default=2.5, gt=0, description="Largest height of a box, in ATR14 of its last bar.")
    squeeze_bars: int = Field(default=120, ge=1, description="Widths that a width is compared with.")
    squeeze_share: float = Field(default=0.25, gt=0, lt=1, description="Share of them that must not be narrower.")
    break_atr: float = Field(default=0.1, ge=0, description="Least close beyond the box, in ATR14 of its last bar.")
    body_atr: float = Field(default=1.0, gt=0, description="Least body of the confirming bar, in ATR14 of the box's last bar.")
    large_stop_atr: float = Field(default=2.0, gt=0, description="Height above which the stop is the middle, in ATR14.")
    long_box_bars: int = Field(default=12, ge=1, description="Bars of a long box.")
    strong_body_atr: float = Field(default=1.5, gt=0, description="A strong body, in ATR14 of the confirming bar.")
    take_profit_1_r: float = Field(default=1.5, gt=0, description="First target in planned R.")
    take_profit_2_r: float = Field(default=3.0, gt=0, description="Second target in planned R.")


class BreakoutExpansion(Strategy):
    """One decisive bar leaves a quiet box."""

    name: ClassVar[str] = "breakout_expansion"
    version: ClassVar[str] = "1"
    description: ClassVar[str] = "After a quiet box one bar with a large body closes beyond it."

    def __init__(self, parameters: BreakoutExpansionParameters | None = None) -> None:
        self.parameters: BreakoutExpansionParameters = parameters or BreakoutExpansionParameters()

    def find(self, bars: DirectedBars) -> Candidates:
        """Every bar that closes beyond the box that ended before it."""
        rule = self.parameters
        narrower = share_below(bars.bollinger_width, count=rule.squeeze_bars)
        squeezed = narrower < rule.squeeze_share
        limits = (rule.least_box_bars, rule.most_box_bars)
        first, top, bottom = _boxes((bars.high, bars.low), rule.box_height_atr * bars.atr, squeezed, limits)
        beyond = np.zeros(len(bars), dtype=bool)
        beyond[1:] = (first[1:] >= 0) & (bars.close[1:] - top[1:] >= rule.break_atr * bars.atr[:-1])
        at = np.flatnonzero(beyond)
        box, height, atr = first[at], top[at] - bottom[at], bars.atr[at - 1]
        stop = np.where(height > rule.large_stop_atr * atr, (top[at] + bottom[at]) / 2, bottom[at])
        risk = planned_risk(bars, at=at, stop=stop)
        box_bars = (at - box).astype(np.float64)
        conditions = (
            Condition("box_bars", box_bars, ">=", float(rule.least_box_bars), unit="count"),
            Condition("close_beyond_box", bars.close[at] - top[at], ">=", rule.break_atr * atr),
            Condition("body", bars.body[at], ">=", rule.body_atr * atr),
            Condition("low_box", height, "<=", rule.box_height_atr * atr, points=0),
            Condition("narrow_bands", narrower[at - 1], "<", rule.squeeze_share, points=0, unit="share"),
            Condition("long_box", box_bars, ">=", float(rule.long_box_bars), points=5, unit="count"),
            Condition("strong_body", bars.body[at], ">=", rule.strong_body_atr * bars.atr[at], points=5),
            Condition("london_open", bars.sessions.london_open[at].astype(np.float64), ">=", 1.0, points=5, unit="flag"),
            *common_conditions(bars, at=at),
        )
        take_profit_1, take_profit_2 = (bars.close[at] + r * risk for r in (rule.take_profit_1_r, rule.take_profit_2_r))
        return Candidates(at, box, stop, take_profit_1, take_profit_2, stop, conditions, one_setup_per_leg=True)


@njit(cache=True)
def _boxes(
    extremes: tuple[Floats, Floats], highest: Floats, squeezed: Flags, limits: tuple[int, int]
) -> tuple[Positions, Floats, Floats]:
    """Of each bar: first bar (-1 without a box), top and bottom of the box that ends one bar earlier.

    `highest` is the largest height of a box that ends at each bar, `limits` are its least and most bars.
    """
    high, low = extremes
    least, most = limits
    first = np.full(len(high), -1, dtype=np.intp)
    tops = np.full(len(high), np.nan)
    bottoms = np.full(len(high), np.nan)
    for i in range(1, len(high)):
        for by_height in (True, False):
            top, bottom, begin = -np.inf, np.inf, i
            while begin > 0 and (not by_height or i - begin < most):
                wider, deeper = max(top, high[begin - 1]), min(bottom, low[begin - 1])
                belongs = wider - deeper <= highest[i - 1] if by_height else squeezed[begin - 1]
                if not belongs:
                    break
                top, bottom, begin = wider, deeper, begin - 1
            if i - begin >= least:
                first[i], tops[i], bottoms[i] = begin, top, bottom
                break
    return first, tops, bottoms
