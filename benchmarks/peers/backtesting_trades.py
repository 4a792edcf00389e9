"""The same trades by backtesting.py: two orders of one unit each, hedged, with their own stop and target.

Orders are placed at the bar before the entry and filled at its open. When the first of a pair took its target, the stop of the
second is moved to the entry price. What is still open after the last bar is closed by a market order: at the next open.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from contextlib import redirect_stderr
from io import StringIO
from typing import ClassVar

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from benchmarks.peers.given import Given, Made
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.simulation.bars import BaseBars

LEGS = 2


def accepts(trades: Given, bars: BaseBars) -> np.ndarray:
    """Where a bar follows the last one, and the close before the entry lies between stop and first target.

    Other orders the peer refuses.
    """
    rising = [trades.direction * price for price in (trades.stop, bars.close[trades.entry - 1], trades.target_one)]
    within = (trades.entry > 1) & (trades.last < len(bars) - 1)
    return within & (rising[0] < rising[1]) & (rising[1] < rising[2])


def two_targets(trades: Given, bars: BaseBars) -> Made:
    """Trades that `accepts` lets pass, on the prices of the bars as they are (one side, no spread).

    An exit at the open after the last bar is told as one at its close.
    """
    frame = pd.DataFrame({name.title(): getattr(bars, name) / TICKS_PER_USD for name in ("open", "high", "low", "close")})
    pairs = type("Pairs", (_Pairs,), {"given": trades})
    with warnings.catch_warnings(), redirect_stderr(StringIO()):  # its progress bar
        warnings.simplefilter("ignore")
        result = Backtest(frame, pairs, cash=1e9, hedging=True, finalize_trades=True).run()
    records = result["_trades"].sort_values("Tag", kind="stable")
    legs = [records[records["Tag"] % LEGS == leg] for leg in range(LEGS)]
    if any(not np.array_equal(leg["EntryBar"], trades.entry) for leg in legs):
        raise RuntimeError("backtesting.py did not open the trades that it was given")
    bars_of_exit = [np.minimum(leg["ExitBar"].to_numpy(), trades.last) for leg in legs]
    prices = [leg[name].to_numpy() for leg, name in ((legs[0], "EntryPrice"), (legs[0], "ExitPrice"), (legs[1], "ExitPrice"))]
    return Made(prices[0], bars_of_exit[0], prices[1], bars_of_exit[1], prices[2])


class _Pairs(Strategy):
    """Places what it is given; the tag of an order is 2 x number of the trade + leg."""

    given: ClassVar[Given]

    def init(self) -> None:
        """Index trades by the bar after which they are ordered, and by the bar after which they are closed."""
        self.ordered: dict[int, list[int]] = defaultdict(list)
        self.closed: dict[int, list[int]] = defaultdict(list)
        self.moved: set[int] = set()
        for number, (entry, last) in enumerate(zip(self.given.entry.tolist(), self.given.last.tolist(), strict=True)):
            self.ordered[entry - 1].append(number)
            self.closed[last].append(number)

    def next(self) -> None:
        """Move stops, close what is due, order what comes next."""
        bar = len(self.data) - 1
        open_trades = {trade.tag: trade for trade in self.trades}
        for tag, trade in open_trades.items():
            if tag % LEGS and tag - 1 not in open_trades and tag not in self.moved:
                trade.sl = trade.entry_price
                self.moved.add(tag)
        for number in self.closed.get(bar, ()):
            for leg in range(LEGS):
                if LEGS * number + leg in open_trades:
                    open_trades[LEGS * number + leg].close()
        for number in self.ordered.get(bar, ()):
            order = self.buy if self.given.direction[number] > 0 else self.sell
            stop, *targets = (getattr(self.given, name)[number] / TICKS_PER_USD for name in ("stop", "target_one", "target_two"))
            for leg, target in enumerate(targets):
                order(size=1, sl=stop, tp=target, tag=LEGS * number + leg)
