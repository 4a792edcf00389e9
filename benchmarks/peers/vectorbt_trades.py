"""The same trades by vectorbt: a column for each leg and lane, stops as shares of the entry price.

A trade with two targets is two positions of half the size. The second moves its stop to the entry quote once the first target
was touched, which needs a callback: only the numba engine has callbacks. With one target both engines can be asked.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import vectorbt as vbt
from numba import njit

from benchmarks.peers.given import Floats, Given, Made, lanes, quoted
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.records import Integers

Engine = Literal["numba", "rust"]


def accepts(trades: Given, bars: BaseBars) -> npt.NDArray[np.bool_]:
    """Where the peer can say what is meant: held for more than one bar, the first target beyond the fill."""
    spread = np.where(trades.direction > 0, bars.ask_above[trades.entry], -bars.bid_below[trades.entry])
    return (trades.last > trades.entry) & (trades.direction * (trades.target_one - bars.open[trades.entry] - spread) > 0)


def one_target(trades: Given, bars: BaseBars, *, engine: Engine) -> Made:
    """Trades whose two targets are one: a single position each."""
    made = _both_directions(trades, bars, targets=[trades.target_two], engine=engine, breakeven=False)
    bar, price, entry_price = made[0]
    return Made(entry_price, bar, price, bar, price)


def two_targets(trades: Given, bars: BaseBars) -> Made:
    """Trades with half closed at the first target and the rest guarded by the entry quote from the next bar on."""
    targets = [trades.target_one, trades.target_two]
    (first, second) = _both_directions(trades, bars, targets=targets, engine="numba", breakeven=True)
    return Made(first[2], first[0], first[1], second[0], second[1])


def _both_directions(
    trades: Given, bars: BaseBars, *, targets: list[Integers], engine: Engine, breakeven: bool
) -> list[tuple[Integers, Floats, Floats]]:
    """Exit bar, exit price and entry price of each leg."""
    legs = [(np.full(len(trades), -1), np.full(len(trades), np.nan), np.full(len(trades), np.nan)) for _ in targets]
    for direction in (1, -1):
        where = np.flatnonzero(trades.direction == direction)
        chosen = [target[where] for target in targets]
        records = _run(trades.take(where), bars, direction=direction, targets=chosen, engine=engine, breakeven=breakeven)
        for leg, made in zip(legs, records, strict=True):
            for column, values in zip(leg, made, strict=True):
                column[where] = values
    return legs


def _run(
    trades: Given, bars: BaseBars, *, direction: int, targets: list[Integers], engine: Engine, breakeven: bool
) -> list[tuple[Integers, Floats, Floats]]:
    prices = quoted(bars, direction=direction)
    lane = lanes(trades)
    width = int(lane.max(initial=-1)) + 1
    entry_price = (bars.open + (bars.ask_above if direction > 0 else -bars.bid_below)) / TICKS_PER_USD
    shape = (len(bars), width * len(targets))
    entries, exits = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    price = np.repeat(entry_price[:, np.newaxis], shape[1], axis=1)
    stops, gains, quote = (np.full(shape, np.nan) for _ in range(3))
    for number, target in enumerate(targets):
        column = number * width + lane
        filled = entry_price[trades.entry]
        entries[trades.entry, column] = True
        exits[trades.last, column] = True
        price[trades.last, column] = prices["close"][trades.last]
        stops[trades.entry, column] = direction * (1 - trades.stop / TICKS_PER_USD / filled)
        gains[trades.entry, column] = direction * (target / TICKS_PER_USD / filled - 1)
        quote[trades.entry, column] = direction * (1 - bars.open[trades.entry] / TICKS_PER_USD / filled)
    first_gain = np.tile(gains[:, :width], len(targets))
    moving: dict[str, Any] = {}
    if breakeven:
        moved = (prices["high"], prices["low"], first_gain, quote, width, direction)
        moving = {"adjust_sl_func_nb": _move_stop, "adjust_sl_args": (moved,)}
    candle = {name: values[:, np.newaxis] for name, values in prices.items()}
    portfolio = vbt.Portfolio.from_signals(
        candle["close"], entries, exits, direction="longonly" if direction > 0 else "shortonly", price=price,
        open=candle["open"], high=candle["high"], low=candle["low"], size=1.0, init_cash=1e9, sl_stop=stops, tp_stop=gains,
        stop_entry_price="price", stop_exit_price="stoplimit", engine=engine, **moving,
    )  # fmt: skip
    records = portfolio.trades.records_arr
    return [_leg(records[records["col"] // width == number], number * width + lane, trades) for number in range(len(targets))]


def _leg(records: np.ndarray, column: Integers, trades: Given) -> tuple[Integers, Floats, Floats]:
    """The records of one leg in the order of the trades."""
    made = records[np.lexsort((records["col"], records["entry_idx"]))]
    order = np.lexsort((column, trades.entry))
    if not (np.array_equal(made["entry_idx"], trades.entry[order]) and np.array_equal(made["col"], column[order])):
        raise RuntimeError("vectorbt did not open the trades that it was given")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return made["exit_idx"][back], made["exit_price"][back], made["entry_price"][back]


@njit
def _move_stop(context, moved):  # type: ignore[no-untyped-def]
    """The stop of the second leg: the entry quote once a bar before this one touched the first target."""
    high, low, first_gain, quote, width, direction = moved
    if context.col < width or context.i - 1 <= context.init_i:
        return context.curr_stop, context.curr_trail
    level = context.init_price * (1 + direction * first_gain[context.init_i, context.col])
    extreme = high[context.i - 1] if direction > 0 else low[context.i - 1]
    if direction * (extreme - level) >= 0:
        return quote[context.init_i, context.col], context.curr_trail
    return context.curr_stop, context.curr_trail
