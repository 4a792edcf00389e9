"""The kernel: one compiled walk from a candidate trade to its result, in whole numbers throughout.

1. `find_entries` names the base bar at whose open each candidate is filled.
2. `resolve_trades` walks every candidate from there. Prices are first turned so that up is gain (a SELL is negated), quoted
   on the side the trade exits on: BUY and SELL are then one piece of code.
3. `_scan` passes over bars in which neither stop nor target is touched, in blocks that trades share, and charges swap.
4. `_in_full` settles the bar that ends it while the whole position is open, `_in_half` after the first target.
5. `_close` adds up gross, cost and net and names the result.

Instants are int64 microseconds. Swap is summed exactly and rounded half-even to a unit once per trade. Everything is compiled
on its first call and cached on disk. The walk allocates nothing and counts no references: that cost more than the walk itself.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np

from goldsignal_pipeline.simulation.records import BarArrays, Blocks, CandidateArrays, Integers, Leaving, Plan, Terms, Trades

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
_LOWEST, _HIGHEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
NOT_YET: Final = _LOWEST
"""An instant that has not come; as `datetime64` it is NaT."""
COARSE_MINUTES: Final = 15
"""Base bars longer than this take the first open at or after the confirming close."""
BLOCK_BARS: Final = 32
"""Bars whose extremes are taken together: without a branch the processor compares several at once, and trades share them."""

_, _TARGET_ONE, _TARGET_TWO, _STOP, _BREAKEVEN, _EXPIRY = (int(member) for member in Exit)
_, _BEYOND_STOP, _BEYOND_TARGET, _TOO_FAR = (int(member) for member in Miss)
_OPEN, _TP2_HIT, _TP1_HIT, _SL_HIT, _EXPIRED, _MISSED = (int(member) for member in Result)

# Without `_nrt` numba refuses what would allocate, and leaves out counting references to nine arrays at each call of a helper.
_WALK: Final[dict[str, Any]] = {"cache": True, "_nrt": False, "forceinline": True}


def compiled(function: Function) -> Function:
    """The function compiled on its first call, a part of its caller; machine code is kept beside the source."""
    return cast(Function, numba.njit(**_WALK)(function))


@numba.njit(cache=True)
def find_entries(opens: Integers, minutes: Integers, confirmed_at: Integers, grace: int) -> Integers:
    """The first bar that opens at or after confirming close + grace (microseconds), -1 where there is none yet.

    A bar longer than `COARSE_MINUTES` is taken from the confirming close on.
    """
    entries = np.empty_like(confirmed_at)
    bar = 0
    for position in range(len(entries)):
        is_later = position > 0 and confirmed_at[position] >= confirmed_at[position - 1]
        bar = _first_after(opens, confirmed_at[position] - 1, bar if is_later else 0)
        entry = bar
        earliest = confirmed_at[position] + grace
        while entry < len(opens) and minutes[entry] <= COARSE_MINUTES and opens[entry] < earliest:
            entry += 1
        entries[position] = entry if entry < len(opens) else -1
    return entries


@compiled
def _first_after(instants: Integers, limit: int, start: int) -> int:
    """The first position from `start` on whose instant (ascending) is after `limit`; quick where that is near `start`."""
    step = 1
    low = high = start
    while high < len(instants) and instants[high] <= limit:
        low = high + 1
        high += step
        step *= 2
    high = min(high, len(instants))
    while low < high:
        middle = (low + high) // 2
        if instants[middle] <= limit:
            low = middle + 1
        else:
            high = middle
    return low


def resolve_trades(bars: BarArrays, candidates: CandidateArrays, terms: Terms, trades: Trades) -> None:
    """Fill `trades` (of `TRADE_DTYPE`, zeroed), one for each candidate.

    Whether a trade is missed is judged on the quote: at or beyond the stop or the first target, or more than a quarter of
    the planned risk from the reference. A missed trade is walked all the same, as if filled at its reference.
    """
    _resolve(bars, np.zeros((2, len(bars.closes) // BLOCK_BARS, 3), dtype=np.int64), candidates, terms, trades)


@compiled
def _resolve(bars: BarArrays, blocks: Blocks, candidates: CandidateArrays, terms: Terms, trades: Trades) -> None:
    for position in range(len(trades)):
        trade = trades[position]
        trade.entry_bar = candidates.entries[position]
        trade.first_bar = trade.second_bar = -1
        trade.resolved_at = trade.deadline = NOT_YET
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
        end = _first_after(bars.closes, trade.deadline, trade.entry_bar + 1)
        plan = Plan(sign, stop, target, sign * candidates.target_two[position], quote, fill, end, terms.slippage, rate)
        _walk(bars, blocks, plan, terms.known_until, trade)


@compiled
def _miss(quote: int, reference: int, stop: int, target: int) -> int:
    if quote <= stop:
        return _BEYOND_STOP
    if quote >= target:
        return _BEYOND_TARGET
    return _TOO_FAR if 4 * abs(quote - reference) > reference - stop else 0


@compiled
def _walk(bars: BarArrays, blocks: Blocks, plan: Plan, known_until: int, trade: Any) -> None:
    """From the entry to the result: first with the whole position, after the first target with half of it."""
    trade.quote = plan.sign * plan.quote
    trade.entry_fill = plan.sign * plan.fill
    trade.risk = plan.fill - plan.stop
    trade.favourable = trade.adverse = plan.fill
    trade.worst = _HIGHEST
    trade.best = _LOWEST
    end = plan.end
    is_due = end < len(bars.closes) or known_until >= trade.deadline
    halves = 2
    bar = _scan(bars, blocks, trade.entry_bar, plan, trade)
    if bar < end:
        halves = _in_full(bars, bar, plan, trade)
    if halves == 1:
        bar = _scan(bars, blocks, bar + 1, plan, trade)
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
def _scan(bars: BarArrays, blocks: Blocks, first: int, plan: Plan, trade: Any) -> int:
    """The first bar of [first, plan.end) that touches stop or target, else `plan.end`; charges swap up to its open.

    Swap is charged on the last close before each roll; until the trade is closed, `trade.swap` is the exact sum of halves x
    ticks x basis points.
    """
    halves = 1 if trade.first_exit else 2
    stop = plan.stop if halves == 2 else plan.quote
    target = plan.target_one if halves == 2 else plan.target_two
    found = first
    is_touched = False
    while found < plan.end and not is_touched:
        begin = found
        found = min((begin // BLOCK_BARS + 1) * BLOCK_BARS, plan.end)
        if found - begin == BLOCK_BARS and begin > trade.entry_bar:
            high, low, closes = _block(bars, blocks, begin // BLOCK_BARS, plan.sign)
        else:
            high, low, closes = _stretch(bars, begin, found, plan.sign, trade.entry_bar)
        is_touched = low <= stop or high >= target
        if is_touched:
            found = _first_touch(bars, begin, plan.sign, stop, target)
            high, low, _ = _stretch(bars, begin, found, plan.sign, trade.entry_bar)
            closes = _rolled(bars, begin, found + 1, trade.entry_bar) if closes else 0
        trade.swap += closes * halves * plan.swap_rate
        trade.favourable = max(trade.favourable, high)
        trade.adverse = min(trade.adverse, low)
    return found


@compiled
def _block(bars: BarArrays, blocks: Blocks, number: int, sign: int) -> tuple[int, int, int]:
    """The stretch of one block, remembered for the next trade that passes over it."""
    known = blocks[0 if sign > 0 else 1, number]
    if not known[2]:
        begin = number * BLOCK_BARS
        known[0], known[1], rolled = _stretch(bars, begin, begin + BLOCK_BARS, sign, -1)
        known[2] = rolled + 1
    return known[0], known[1], known[2] - 1


@compiled
def _stretch(bars: BarArrays, begin: int, end: int, sign: int, entry_bar: int) -> tuple[int, int, int]:
    """Highest high and lowest low of [begin, end) as quoted to a closing trade, turned so that up is gain, and `_rolled`."""
    high = _LOWEST
    low = _HIGHEST
    rolls = 0
    # Unsigned: else the compiler asks at each bar whether its position counts from the end.
    for bar in range(np.uint64(begin), np.uint64(end)):
        _, bar_high, bar_low, _ = _exit_side(0, bars, bar, sign)
        high = max(high, bar_high)
        low = min(low, bar_low)
        rolls += bars.rolls[bar]
    return high, low, _rolled(bars, begin, end, entry_bar) if rolls else 0


@compiled
def _rolled(bars: BarArrays, begin: int, end: int, entry_bar: int) -> int:
    """The sum of the last closes before each roll at the opens of [begin, end), but for that of the entry bar."""
    closes = 0
    for bar in range(max(begin, entry_bar + 1), end):
        closes += bars.rolls[bar] * bars.close[bar - 1]
    return closes


@compiled
def _first_touch(bars: BarArrays, bar: int, sign: int, stop: int, target: int) -> int:
    """The first bar from `bar` on that touches stop or target; there is one."""
    _, high, low, _ = _exit_side(0, bars, bar, sign)
    while low > stop and high < target:
        bar += 1
        _, high, low, _ = _exit_side(0, bars, bar, sign)
    return bar


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
    if opened < plan.target_two:
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
    _see(trade, min(opened, plan.target_two))
    if opened >= plan.target_two or low > plan.quote:
        _see(trade, plan.target_two)
        _see(trade, low if opened < plan.target_two else plan.target_two)
        _leave(trade, plan, 1, Leaving(bar, _TARGET_TWO, plan.target_two, offset))
        return
    stopped = min(opened, plan.quote)
    _see(trade, stopped)
    _leave(trade, plan, 1, Leaving(bar, _BREAKEVEN, stopped, offset))
    if opened > plan.quote:
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
    return units + (2 * rest > SWAP_DIVISOR or (2 * rest == SWAP_DIVISOR and units % 2 == 1))


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
