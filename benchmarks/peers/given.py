"""What every side is given, trades by their entry, levels and last bar, and what a side makes of them: fills and gains.

`given` takes candidates that our kernel fills and resolves; `ours` is the kernel's answer in the same terms. Slippage and swap
are left out: no peer charges a fixed amount per fill, nor swap.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.costs import TradeCosts
from goldsignal_pipeline.simulation.kernel import NOT_YET, Result
from goldsignal_pipeline.simulation.records import Integers, Trades
from goldsignal_pipeline.simulation.trades import Candidates, resolve

Floats = npt.NDArray[np.float64]
FREE = TradeCosts(slippage_ticks=0, swap_long_basis_points=0)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Trades in order of entry: `entry` and `last` are positions of bars (`last` is held to its close), levels are ticks."""

    direction: Integers
    entry: Integers
    last: Integers
    stop: Integers
    target_one: Integers
    target_two: Integers

    def __len__(self) -> int:
        return len(self.entry)

    def take(self, where: npt.NDArray[np.generic]) -> Given:
        """Some of the trades."""
        return Given(*(getattr(self, field.name)[where] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What became of trades: prices in USD/oz, bars by position; each exit closes half of the position."""

    entry_price: Floats
    first_bar: Integers
    first_price: Floats
    second_bar: Integers
    second_price: Floats

    def take(self, where: npt.NDArray[np.generic]) -> Made:
        """Some of the trades."""
        return Made(*(getattr(self, field.name)[where] for field in fields(self)))

    def gain(self, direction: Integers) -> Floats:
        """Profit or loss of each trade in USD/oz."""
        return direction * ((self.first_price + self.second_price) / 2 - self.entry_price)


def given(candidates: Candidates, bars: BaseBars, *, calendar: TradingCalendar) -> tuple[Given, Trades]:
    """The candidates that are filled and resolved, and the kernel's trades of them, both in order of entry."""
    trades = resolve(candidates, bars, calendar=calendar, costs=FREE)
    known = np.flatnonzero((trades["resolved_at"] != NOT_YET) & (trades["result"] != Result.MISSED))
    chosen = known[np.argsort(trades["entry_bar"][known], kind="stable")]
    entry = trades["entry_bar"][chosen]
    held = np.searchsorted(bars.closes.astype(np.int64), trades["deadline"][chosen], side="right") - 1
    levels = (getattr(candidates, name)[chosen] for name in ("stop", "target_one", "target_two"))
    return Given(candidates.direction[chosen], entry, np.maximum(held, entry), *levels), trades[chosen]


def ours(trades: Trades) -> Made:
    """The kernel's answer."""
    prices = {name: trades[name] / TICKS_PER_USD for name in ("entry_fill", "first_fill", "second_fill")}
    return Made(prices["entry_fill"], trades["first_bar"], prices["first_fill"], trades["second_bar"], prices["second_fill"])


def lanes(trades: Given) -> Integers:
    """A lane for each trade so that no two of a lane are open at one bar: peers hold one position per column."""
    free_from: list[int] = []
    chosen = np.zeros(len(trades), dtype=np.int64)
    for position, (entry, last) in enumerate(zip(trades.entry.tolist(), trades.last.tolist(), strict=True)):
        lane = next((number for number, bar in enumerate(free_from) if bar <= entry), len(free_from))
        free_from[lane : lane + 1] = [last + 1]
        chosen[position] = lane
    return chosen


def quoted(bars: BaseBars, *, direction: int) -> dict[str, Floats]:
    """Open, high, low and close in USD/oz as a closing trade sees them: BUY leaves on the bid, SELL on the ask."""
    offset = -bars.bid_below if direction > 0 else bars.ask_above
    return {name: (getattr(bars, name) + offset) / TICKS_PER_USD for name in ("open", "high", "low", "close")}
