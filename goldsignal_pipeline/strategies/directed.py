"""Directed bars: a stretch of bars as one direction sees it, so that a rule is written once, for BUY.

For SELL every price is negated and highs and lows change places: what falls then rises, a swing high is a swing low, and
negation is exact in float64. The bars begin at the fixed origin and hold nothing from after the evaluated month.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.strategies import indicators
from goldsignal_pipeline.strategies.context import Sessions
from goldsignal_pipeline.strategies.indicators import Flags, Floats


@dataclass(frozen=True, eq=False)
class DirectedBars:
    """Bars from the origin on in ascending order; prices are float64 whole ticks, times the direction's sign.

    `h4_gap` is EMA50 - EMA200 of the last H4 bar closed by each bar's close, in the direction, NaN where it is not available.
    """

    timeframe: Timeframe
    direction: Direction
    opens: Instants
    closes: Instants
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    sessions: Sessions
    h4_gap: Floats

    def __len__(self) -> int:
        return len(self.opens)

    def first_at(self, instant: np.datetime64) -> int:
        """Position of the first bar that closes at `instant` or later."""
        return int(np.searchsorted(self.closes, instant))

    @property
    def sign(self) -> int:
        """1 for BUY, -1 for SELL."""
        return sign_of(self.direction)

    @cached_property
    def atr(self) -> Floats:
        """ATR14 in ticks."""
        return indicators.atr(self.high, self.low, self.close)

    @cached_property
    def body(self) -> Floats:
        """Close less open: positive when the bar went the direction's way."""
        return np.asarray(self.close - self.open)

    @cached_property
    def bollinger_width(self) -> Floats:
        """Width of the Bollinger(20, 2) bands in ticks."""
        return indicators.bollinger_width(self.close)

    def ema(self, period: int) -> Floats:
        """EMA of the closes."""
        return indicators.ema(self.close, period=period)

    def swing_lows(self, order: int) -> Flags:
        """Swing lows at their own bar; a decision at bar i may use those up to i - order only."""
        return indicators.swing_lows(self.low, order=order)

    def swing_highs(self, order: int) -> Flags:
        """Swing highs at their own bar; a decision at bar i may use those up to i - order only."""
        return indicators.swing_highs(self.high, order=order)


def sign_of(direction: Direction) -> int:
    """1 for BUY, -1 for SELL."""
    return 1 if direction is Direction.BUY else -1
