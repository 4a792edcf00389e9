"""Generated markets and the one rule that all sides of a comparison play on them.

Prices lie on even ticks and each bar opens at the close before it; stops and targets lie on odd ticks. So no extreme meets a
level exactly, no bar jumps over one, and the rules of the peers coincide with ours: see `docs/explanation/peers.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.candles import Bars
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.costs import TradeCosts
from goldsignal_pipeline.simulation.records import Integers, Trades
from goldsignal_pipeline.simulation.trades import Candidates, resolve
from goldsignal_pipeline.strategies import indicators

Floats = npt.NDArray[np.float64]

CALENDAR: Final = load_calendar()
FREE: Final = TradeCosts(slippage_ticks=0, swap_long_basis_points=0)
WARM_UP_BARS: Final = 5_000
DECIDE_EVERY: Final = 60
"""Bars between decisions, and how long a trade is held at most: one trade at a time, which every peer knows."""
SETUP_EVERY, SETUP_HELD = 8, 72
"""As the real setups lie: 1,504 in the 11,744 bars of recorded H1 of 2018 and 2019, held for 72 bars at most."""
FAST, SLOW = 21, 50
RISK_ATR: Final = 3.0
REWARD: Final = 2.0


def m1_walk(count: int, *, seed: int = 1) -> BaseBars:
    """Minutes of real trading hours, one side and no spread."""
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M1, start=datetime(2004, 1, 4, tzinfo=UTC), end=_end(count))[:count]
    rng = np.random.default_rng(seed)
    close = 500_000 + 2 * np.cumsum(rng.integers(-20, 21, count))
    open_ = np.concatenate([[500_000], close[:-1]])
    high = np.maximum(open_, close) + 2 * rng.integers(0, 10, count)
    low = np.minimum(open_, close) - 2 * rng.integers(0, 10, count)
    bars = Bars(opens, open_, high, low, close, np.full(count, np.nan))
    return BaseBars.of(bars, timeframe=Timeframe.M1, side=Side.BID, spreads=np.zeros(count, dtype=np.int64))


def _end(count: int) -> datetime:
    """Late enough for `count` minutes of trading, of which there are some 350,000 a year."""
    return datetime(2005 + count // 330_000, 1, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Decisions at the closes of bars `at`: direction +1 or -1, levels in ticks, and how many bars a trade is held at most."""

    at: Integers
    direction: Integers
    reference: Integers
    stop: Integers
    target_one: Integers
    target_two: Integers
    held: int

    @property
    def lanes(self) -> int:
        """How many of the trades may be open at once."""
        return -(-self.held // int(self.at[1] - self.at[0]))


def levels(
    bars: BaseBars,
    *,
    fast: Floats,
    slow: Floats,
    atr: Floats,
    risk_atr: float = RISK_ATR,
    reward: float = REWARD,
    two: bool = False,
    every: int = DECIDE_EVERY,
    held: int = DECIDE_EVERY,
) -> Levels:
    """BUY while the fast average is above the slow one, else SELL; target at `reward` R, or half at 1 R and the rest there."""
    at = np.arange(WARM_UP_BARS, len(bars) - held - 2, every)
    direction = np.where(fast[at] > slow[at], 1, -1)
    reference = bars.close[at]
    risk = 2 * np.rint(risk_atr * atr[at] / 2).astype(np.int64) + 1
    far = reference + direction * (2 * np.rint(reward * risk / 2).astype(np.int64) + 1)
    near = reference + direction * risk if two else far
    return Levels(at, direction, reference, reference - direction * risk, near, far, held)


def our_levels(bars: BaseBars, *, two: bool = False, every: int = DECIDE_EVERY, held: int = DECIDE_EVERY) -> Levels:
    """The rule by our indicators."""
    close, high, low = (prices.astype(np.float64) for prices in (bars.close, bars.high, bars.low))
    averages = {"fast": indicators.ema(close, period=FAST), "slow": indicators.ema(close, period=SLOW)}
    return levels(bars, **averages, atr=indicators.atr(high, low, close), two=two, every=every, held=held)


def our_trades(bars: BaseBars, *, two: bool = False, every: int = DECIDE_EVERY, held: int = DECIDE_EVERY) -> Trades:
    """Indicators, decisions and trades by the public way: entered at the next open, left at the close of the last bar held."""
    made = our_levels(bars, two=two, every=every, held=held)
    return resolve(candidates(made, bars), bars, calendar=CALENDAR, costs=FREE, grace=timedelta(0))


def candidates(made: Levels, bars: BaseBars) -> Candidates:
    """The decisions as candidates of the kernel."""
    prices = (made.direction, made.reference, made.stop, made.target_one, made.target_two)
    return Candidates(*prices, bars.closes[made.at], np.full(len(made.at), made.held))
