"""The kernel: one compiled walk from a candidate trade to its result, in whole numbers throughout.

1. `find_entries` names the base bar at whose open each candidate is filled.
2. `resolve_trades` walks every candidate from there. Prices are first turned so that up is gain (a SELL is negated), quoted
   on the side the trade exits on: BUY and SELL are then one piece of code.
3. `_scan` passes over bars in which neither stop nor target is touched, and charges swap at each roll.
4. `_in_full` settles the bar that ends it while the whole position is open, `_in_half` after the first target.
5. `_close` adds up gross, cost and net and names the result.

Instants are int64 microseconds. Swap is summed exactly and rounded
half-even to a unit once per trade. Everything is compiled on its first call and cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeVar, cast

import numba
import numpy as np

from goldsignal_pipeline.simulation.records import BarArrays, CandidateArrays, Integers, Terms, Trades

Function = TypeVar("Function", bound=Callable[..., Any])


class Result(IntEnum):
    """How a trade ended; OPEN while the data do not tell."""

    OPEN = 0
    TP2_HIT = 1
    TP1_HIT = 2
    SL_HIT = 3
    EXPIRED = 4
    MISSED = 5


class Miss(IntEnum):
    """Why a candidate was not filled."""

    NONE = 0
    BEYOND_STOP = 1
    BEYOND_TARGET = 2
    TOO_FAR = 3


class Exit(IntEnum):
    """What closed one half of a position."""

    NONE = 0
    TARGET_ONE = 1
    TARGET_TWO = 2
    STOP = 3
    BREAKEVEN = 4
    EXPIRY = 5


# All that is compiled in stands in this file: the cache on disk notices a change of this file only.
UNITS_PER_TICK: Final = 100
"""Money is counted in units of 0.0001 USD/oz, the grid of NUMERIC(10,4): half a position at one tick is 50 units, so the two
halves of a scaled exit lose nothing."""

UNITS_PER_HALF_TICK: Final = UNITS_PER_TICK // 2

SWAP_DIVISOR: Final = 2 * 365 * 10_000 // UNITS_PER_TICK
"""Turns halves x close in ticks x basis points a year into units a day: 2 halves, 365 days, 10,000 points, 100 units."""

NOT_YET: Final = np.iinfo(np.int64).min
"""An instant that has not come; as `datetime64` it is NaT."""

COARSE_MINUTES: Final = 15
"""Base bars longer than this take the first open at or after the confirming close."""


class Plan(NamedTuple):
    """One filled trade, turned so that up is gain; `quote` is the entry before spread and slippage, `fill` after both.

    `end` is the first bar that is not held, because it closes after the deadline.
    """

    sign: int
    stop: int
    target_one: int
    target_two: int
    quote: int
    fill: int
    end: int
    slippage: int
    swap_rate: int


class Leaving(NamedTuple):
    """An exit at a quoted price, and how far the quote lies from the source's price."""

    bar: int
    how: int
    price: int
    offset: int


_STOP: Final = int(Exit.STOP)
_BREAKEVEN: Final = int(Exit.BREAKEVEN)
_EXPIRY: Final = int(Exit.EXPIRY)
_TARGET_ONE: Final = int(Exit.TARGET_ONE)
_TARGET_TWO: Final = int(Exit.TARGET_TWO)
_BEYOND_STOP: Final = int(Miss.BEYOND_STOP)
_BEYOND_TARGET: Final = int(Miss.BEYOND_TARGET)
_TOO_FAR: Final = int(Miss.TOO_FAR)
_OPEN: Final = int(Result.OPEN)
_TP2_HIT: Final = int(Result.TP2_HIT)
_TP1_HIT: Final = int(Result.TP1_HIT)
_SL_HIT: Final = int(Result.SL_HIT)
_EXPIRED: Final = int(Result.EXPIRED)
_MISSED: Final = int(Result.MISSED)


def compiled(function: Function) -> Function:
    """The function compiled on its first call, its machine code kept beside the source."""
    return cast(Function, numba.njit(cache=True)(function))


@compiled
def find_entries(opens: Integers, minutes: Integers, confirmed_at: Integers, grace: int) -> Integers:
    """The first bar that opens at or after confirming close + grace (microseconds), -1 where there is none yet.

    A bar longer than `COARSE_MINUTES` is taken from the confirming close on.
    """
    entries = np.searchsorted(opens, confirmed_at)
    for position in range(len(entries)):
        bar = entries[position]
        earliest = confirmed_at[position] + grace
        while bar < len(opens) and minutes[bar] <= COARSE_MINUTES and opens[bar] < earliest:
            bar += 1
        entries[position] = bar if bar < len(opens) else -1
    return entries


@compiled
def resolve_trades(bars: BarArrays, candidates: CandidateArrays, terms: Terms, trades: Trades) -> None:
    """Fill `trades` (of `TRADE_DTYPE`, zeroed), one for each candidate.

    Whether a trade is missed is judged on the quote: at or beyond the stop or the first target, or more than a quarter of
    the planned risk from the reference. A missed trade is walked all the same, as if filled at its reference.
    """
    for position in range(len(trades)):
        trade = trades[position]
        trade.entry_bar = candidates.entries[position]
        trade.first_bar = -1
        trade.second_bar = -1
        trade.resolved_at = NOT_YET
        trade.deadline = NOT_YET
        if trade.entry_bar < 0:
            continue
        sign = candidates.direction[position]
        reference = sign * candidates.reference[position]
        stop = sign * candidates.stop[position]
        target = sign * candidates.target_one[position]
        quote = sign * bars.open[trade.entry_bar]
        trade.miss = _miss(quote, reference, stop, target)
        if trade.miss:
            quote = reference
        offset = bars.ask_above[trade.entry_bar] if sign > 0 else bars.bid_below[trade.entry_bar]
        fill = quote + offset + terms.slippage
        rate = terms.swap_long if sign > 0 else terms.swap_short
        trade.deadline = candidates.deadlines[position]
        # The entry bar always counts, however short the hold.
        end = max(trade.entry_bar + 1, np.searchsorted(bars.closes, trade.deadline, side="right"))
        plan = Plan(sign, stop, target, sign * candidates.target_two[position], quote, fill, end, terms.slippage, rate)
        _walk(bars, plan, terms.known_until, trade)


@compiled
def _miss(quote: int, reference: int, stop: int, target: int) -> int:
    if quote <= stop:
        return _BEYOND_STOP
    if quote >= target:
        return _BEYOND_TARGET
    return _TOO_FAR if 4 * abs(quote - reference) > reference - stop else 0


@compiled
def _walk(bars: BarArrays, plan: Plan, known_until: int, trade: Any) -> None:
    """From the entry to the result: first with the whole position, after the first target with half of it."""
    trade.quote = plan.sign * plan.quote
    trade.entry_fill = plan.sign * plan.fill
    trade.risk = plan.fill - plan.stop
    trade.favourable = plan.fill
    trade.adverse = plan.fill
    trade.worst = np.iinfo(np.int64).max
    trade.best = np.iinfo(np.int64).min
    end = plan.end
    is_due = end < len(bars.closes) or known_until >= trade.deadline
    halves = 2
    bar = _scan(bars, trade.entry_bar, plan, halves, trade)
    if bar < end:
        halves = _in_full(bars, bar, plan, trade)
    if halves == 1:
        bar = _scan(bars, bar + 1, plan, halves, trade)
        if bar < end:
            _in_half(bars, bar, plan, trade)
            halves = 0
    is_due &= halves > 0
    if is_due:
        price, _, _, offset = _exit_side(bars.close[end - 1], bars, end - 1, plan.sign)
        _leave(trade, plan, halves, Leaving(end - 1, _EXPIRY, price, offset))
        halves = 0
    trade.favourable -= plan.fill
    trade.adverse = plan.fill - trade.adverse
    if halves == 0:
        closed = bars.closes[trade.second_bar]
        trade.resolved_at = max(closed, trade.deadline) if is_due else closed
        _close(plan, trade)
    else:
        trade.gross = trade.swap = trade.worst = trade.best = 0
    if trade.miss:
        trade.result = _MISSED


@compiled
def _scan(bars: BarArrays, first: int, plan: Plan, halves: int, trade: Any) -> int:
    """The first bar of [first, plan.end) that touches stop or target, else `plan.end`; charges swap up to its open.

    Swap is charged on the last close before each roll; until the trade is closed, `trade.swap` is the exact sum of halves x
    ticks x basis points.
    """
    stop = plan.stop if halves == 2 else plan.quote
    target = plan.target_one if halves == 2 else plan.target_two
    high_most = trade.favourable
    low_most = trade.adverse
    swap = 0
    found = plan.end
    # Said to the compiler: positions are never negative, so that it need not ask at each bar.
    for bar in range(max(first, 0), plan.end):
        if bars.rolls[bar] and bar > trade.entry_bar:
            swap += bars.rolls[bar] * halves * bars.close[bar - 1] * plan.swap_rate
        if plan.sign > 0:
            high = bars.high[bar] - bars.bid_below[bar]
            low = bars.low[bar] - bars.bid_below[bar]
        else:
            high = -bars.low[bar] - bars.ask_above[bar]
            low = -bars.high[bar] - bars.ask_above[bar]
        if low <= stop or high >= target:
            found = bar
            break
        high_most = max(high_most, high)
        low_most = min(low_most, low)
    trade.swap += swap
    trade.favourable = high_most
    trade.adverse = low_most
    return found


@compiled
def _exit_side(price: int, bars: BarArrays, bar: int, sign: int) -> tuple[int, int, int, int]:
    """`price`, high and low of a bar as quoted to a closing trade, turned so that up is gain; and what the quote costs."""
    if sign > 0:
        offset = bars.bid_below[bar]
        return price - offset, bars.high[bar] - offset, bars.low[bar] - offset, offset
    offset = bars.ask_above[bar]
    return -price - offset, -bars.low[bar] - offset, -bars.high[bar] - offset, offset


@compiled
def _in_full(bars: BarArrays, bar: int, plan: Plan, trade: Any) -> int:
    """Settle a touched bar while the whole position is open; returns the halves still open after it."""
    opened, high, low, offset = _exit_side(bars.open[bar], bars, bar, plan.sign)
    _see(trade, min(opened, plan.target_two))
    if opened <= plan.stop:
        _leave(trade, plan, 2, Leaving(bar, _STOP, opened, offset))
        return 0
    if opened < plan.target_one and low <= plan.stop:
        _leave(trade, plan, 2, Leaving(bar, _STOP, plan.stop, offset))
        _see(trade, plan.stop)
        _bound(trade, plan, low - plan.slippage, low - plan.slippage)
        if high >= plan.target_one:
            trade.ambiguous = True
            _bound(trade, plan, plan.target_one, plan.target_two)
        return 0
    _leave(trade, plan, 2, Leaving(bar, _TARGET_ONE, plan.target_one, offset))
    if opened >= plan.target_two:
        _leave(trade, plan, 1, Leaving(bar, _TARGET_TWO, plan.target_two, offset))
        return 0
    _see(trade, low)
    _see(trade, min(high, plan.target_two))
    if low <= plan.quote:
        trade.ambiguous = True
        _bound(trade, plan, plan.target_one, low - plan.slippage)
        _bound(trade, plan, plan.target_one, plan.quote - plan.slippage)
    if high < plan.target_two:
        return 1
    _leave(trade, plan, 1, Leaving(bar, _TARGET_TWO, plan.target_two, offset))
    return 0


@compiled
def _in_half(bars: BarArrays, bar: int, plan: Plan, trade: Any) -> None:
    """Settle a touched bar after the first target: the stop is the entry quote."""
    opened, high, low, offset = _exit_side(bars.open[bar], bars, bar, plan.sign)
    if opened <= plan.quote:
        _see(trade, opened)
        _leave(trade, plan, 1, Leaving(bar, _BREAKEVEN, opened, offset))
        return
    if opened >= plan.target_two:
        _see(trade, plan.target_two)
        _leave(trade, plan, 1, Leaving(bar, _TARGET_TWO, plan.target_two, offset))
        return
    _see(trade, opened)
    if low > plan.quote:
        _see(trade, low)
        _see(trade, plan.target_two)
        _leave(trade, plan, 1, Leaving(bar, _TARGET_TWO, plan.target_two, offset))
        return
    _see(trade, plan.quote)
    _leave(trade, plan, 1, Leaving(bar, _BREAKEVEN, plan.quote, offset))
    _bound(trade, plan, plan.target_one, low - plan.slippage)
    if high >= plan.target_two:
        trade.ambiguous = True
        _bound(trade, plan, plan.target_one, plan.target_two)


@compiled
def _see(trade: Any, price: int) -> None:
    trade.favourable = max(trade.favourable, price)
    trade.adverse = min(trade.adverse, price)


@compiled
def _leave(trade: Any, plan: Plan, halves: int, leaving: Leaving) -> None:
    """Close what is open (`halves`) at a quoted `price`; the first target closes only the first half."""
    slippage = 0 if leaving.how in (_TARGET_ONE, _TARGET_TWO) else plan.slippage
    fill = plan.sign * (leaving.price - slippage)
    gain = UNITS_PER_HALF_TICK * (leaving.price + leaving.offset - plan.quote)
    if halves == 2:
        trade.first_bar = leaving.bar
        trade.first_exit = leaving.how
        trade.first_fill = fill
        trade.gross += gain
    if leaving.how != _TARGET_ONE:
        trade.second_bar = leaving.bar
        trade.second_exit = leaving.how
        trade.second_fill = fill
        trade.gross += gain


@compiled
def _swap_units(swap: int) -> int:
    """Halves x ticks x basis points as units, half-even."""
    units, rest = divmod(swap, SWAP_DIVISOR)
    if 2 * rest > SWAP_DIVISOR or (2 * rest == SWAP_DIVISOR and units % 2 == 1):
        units += 1
    return units


@compiled
def _net(plan: Plan, first: int, second: int, swap: int) -> int:
    return UNITS_PER_HALF_TICK * (first + second - 2 * plan.fill) - _swap_units(swap)


@compiled
def _bound(trade: Any, plan: Plan, first: int, second: int) -> None:
    """Widen worst and best by a possible pair of exits."""
    net = _net(plan, first, second, trade.swap)
    trade.worst = min(trade.worst, net)
    trade.best = max(trade.best, net)


@compiled
def _close(plan: Plan, trade: Any) -> None:
    first = plan.sign * trade.first_fill
    second = plan.sign * trade.second_fill
    _bound(trade, plan, first, second)
    trade.net = _net(plan, first, second, trade.swap)
    trade.swap = _swap_units(trade.swap)
    trade.cost = trade.gross - trade.net
    if trade.second_exit == _TARGET_TWO:
        trade.result = _TP2_HIT
    elif trade.first_exit == _TARGET_ONE:
        trade.result = _TP1_HIT
    else:
        trade.result = _SL_HIT if trade.second_exit == _STOP else _EXPIRED
