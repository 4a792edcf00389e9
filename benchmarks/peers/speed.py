"""The rule of `benchmarks.market` by the peers, from prices to trade records, as fast as their public surface allows.

vectorbt is asked with each of its engines and, for the second target, through the callback that moves a stop. backtesting.py
computes the same indicators by TA-Lib and is called once a bar, which is how it works.
"""

from __future__ import annotations

import warnings
from contextlib import redirect_stderr
from io import StringIO
from typing import Any, Literal

import numpy as np
import pandas as pd
import talib
import vectorbt as vbt
from backtesting import Backtest, Strategy
from numba import njit

from benchmarks.market import DECIDE_EVERY, FAST, SLOW, Floats, Levels, levels
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.simulation.bars import BaseBars

Engine = Literal["numba", "rust"]
Prices = dict[str, Floats]

WILDER_AS_SPAN = 2 * 14 - 1
"""The span of an exponential average whose weight is that of Wilder's over 14 bars."""


def in_dollars(bars: BaseBars) -> Prices:
    """Prices as peers take them."""
    return {name: getattr(bars, name) / TICKS_PER_USD for name in ("open", "high", "low", "close")}


def vectorbt_levels(
    bars: BaseBars,
    prices: Prices,
    *,
    engine: Engine,
    two: bool = False,
    every: int = DECIDE_EVERY,
    held: int = DECIDE_EVERY,
) -> Levels:
    """The rule by vectorbt's indicators. Its exponential ATR exists in numba only."""
    high, low, close = (prices[name] for name in ("high", "low", "close"))
    fast, slow = (vbt.MA.run(close, period, ewm=True, engine=engine).ma.to_numpy() for period in (FAST, SLOW))
    atr = vbt.ATR.run(high, low, close, WILDER_AS_SPAN, ewm=True, engine="numba").atr.to_numpy()
    return levels(bars, fast=fast, slow=slow, atr=TICKS_PER_USD * atr, two=two, every=every, held=held)


def vectorbt_trades(prices: Prices, made: Levels, *, engine: Engine, two: bool = False) -> np.ndarray:
    """Trade records; a column for each trade that may be open at once, with two targets one for each of its halves."""
    legs = [made.target_one, made.target_two] if two else [made.target_two]
    entry, last = made.at + 1, made.at + made.held
    lane = np.arange(len(made.at)) % made.lanes
    shape = (len(prices["close"]), made.lanes * len(legs))
    buys, sells, exits = (np.zeros(shape, dtype=bool) for _ in range(3))
    price = prices["open"].copy()
    price[last] = prices["close"][last]
    filled = prices["open"][entry]
    stops, gains = np.full(shape, np.nan), np.full(shape, np.nan)
    for leg, target in enumerate(legs):
        column = leg * made.lanes + lane
        buys[entry, column] = made.direction > 0
        sells[entry, column] = made.direction < 0
        exits[last, column] = True
        stops[entry, column] = made.direction * (1 - made.stop / TICKS_PER_USD / filled)
        gains[entry, column] = made.direction * (target / TICKS_PER_USD / filled - 1)
    moving: dict[str, Any] = {}
    if two:
        moving = {"adjust_sl_func_nb": _to_entry, "adjust_sl_args": ((prices["high"], prices["low"], gains, made.lanes),)}
    candle = {name: values[:, np.newaxis] if two else values for name, values in prices.items()}
    signals = (buys, exits, sells, exits) if two else tuple(flags[:, 0] for flags in (buys, exits, sells, exits))
    portfolio = vbt.Portfolio.from_signals(
        candle["close"], *signals, price=price[:, np.newaxis] if two else price, open=candle["open"], high=candle["high"],
        low=candle["low"], size=1.0, init_cash=1e9, sl_stop=stops if two else stops[:, 0], tp_stop=gains if two else gains[:, 0],
        stop_entry_price="price", stop_exit_price="stoplimit", engine=engine, **moving,
    )  # fmt: skip
    return portfolio.trades.records_arr


@njit
def _to_entry(context, given):  # type: ignore[no-untyped-def]
    """The second half's stop: the entry once a bar before this one touched the first target."""
    high, low, gains, lanes = given
    if context.col < lanes or context.i - 1 <= context.init_i:
        return context.curr_stop, context.curr_trail
    gain = gains[context.init_i, context.col - lanes]
    if context.position_now > 0 and high[context.i - 1] >= context.init_price * (1 + gain):
        return 0.0, context.curr_trail
    if context.position_now < 0 and low[context.i - 1] <= context.init_price * (1 - gain):
        return 0.0, context.curr_trail
    return context.curr_stop, context.curr_trail


def backtesting_trades(bars: BaseBars, frame: pd.DataFrame, *, two: bool = False) -> pd.DataFrame:
    """Trade records in order of entry; with two targets a row for each half."""
    rule = type("Rule", (_Rule,), {"bars": bars, "two": two})
    with warnings.catch_warnings(), redirect_stderr(StringIO()):  # its progress bar
        warnings.simplefilter("ignore")
        result = Backtest(frame, rule, cash=1e9, hedging=two, finalize_trades=True).run()
    return result["_trades"].sort_values(["EntryBar", "Tag"], kind="stable")


class _Rule(Strategy):
    """Decides at the close of every 60th bar."""

    bars: BaseBars
    two = False

    def init(self) -> None:
        """Indicators and levels in one pass, as this library recommends."""
        close, high, low = (getattr(self.data, name) for name in ("Close", "High", "Low"))
        fast, slow, atr = talib.EMA(close, FAST), talib.EMA(close, SLOW), talib.ATR(high, low, close, 14)
        made = levels(self.bars, fast=fast, slow=slow, atr=TICKS_PER_USD * atr, two=self.two)
        self.orders_at = {bar: number for number, bar in enumerate(made.at.tolist())}
        names = ("direction", "stop", "target_one", "target_two")
        self.made = list(zip(*(getattr(made, name).tolist() for name in names), strict=True))

    def next(self) -> None:
        """Order at a decision, close what is still open at the next one, move a stop after the first target."""
        bar = len(self.data) - 1
        number = self.orders_at.get(bar)
        if self.two:
            self._move_stop()
        if number is None and bar - DECIDE_EVERY not in self.orders_at:
            return
        for trade in self.trades:
            trade.close()
        if number is None:
            return
        direction, stop, *targets = self.made[number]
        order = self.buy if direction > 0 else self.sell
        for leg, target in enumerate(targets if self.two else targets[1:]):
            order(size=1, sl=stop / TICKS_PER_USD, tp=target / TICKS_PER_USD, tag=leg)

    def _move_stop(self) -> None:
        if len(self.trades) == 1 and self.trades[0].sl != self.trades[0].entry_price:
            self.trades[0].sl = self.trades[0].entry_price
