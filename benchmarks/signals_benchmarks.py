"""What resolving 10,000 signals against 1,000,000 minutes costs beside a numpy slice for each signal.

The slice is the loop that one writes without a kernel: cut the bars that a signal may live, ask which of them touch a level, take
the first. It knows one target, no missed fills, spread, swap, excursions or ambiguity, so both sides are given signals for which
that does not matter, and exit bars and prices are compared. Both are given the bar of each entry; the slice also the last one,
which ours finds by the calendar.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import numpy as np

from benchmarks.harness import Comparison, Promise, median, processor_seconds, take_turns
from benchmarks.market import CALENDAR, FREE, m1_walk
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.records import Integers, Trades
from goldsignal_pipeline.simulation.trades import HOLD_MINUTES, Candidates, entry_bars, resolve_entries

BARS = 1_000_000
SIGNALS = 10_000
HOLD = HOLD_MINUTES[Timeframe.H1]
PROMISE = Promise(">=", 4)


def compare() -> list[Comparison]:
    """Signals that mostly run until their deadline, which is the most there is to walk, and signals that mostly do not."""
    bars = m1_walk(BARS)
    return [_row(bars, risk_ticks=risk, name=name) for risk, name in ((4_001, "most expire"), (801, "most are closed early"))]


def _row(bars: BaseBars, *, risk_ticks: int, name: str) -> Comparison:
    signals = _signals(bars, risk_ticks=risk_ticks)
    entries = entry_bars(signals, bars, grace=timedelta(0))
    resolve_ours = partial(resolve_entries, signals, entries, bars, calendar=CALENDAR, costs=FREE)
    trades = resolve_ours()
    due = np.searchsorted(bars.closes.astype(np.int64), trades["deadline"], side="right")
    by_slices = partial(_slices, signals, bars, entries=entries, ends=due)
    _refuse_differences(trades, *by_slices())
    seconds = take_turns({"ours": partial(processor_seconds, resolve_ours), "slices": partial(processor_seconds, by_slices)})
    ours, floor = (1000.0 * median(seconds[side]) for side in ("ours", "slices"))
    walked = int((trades["second_bar"] - trades["entry_bar"] + 1).mean())
    return Comparison(
        work=f"resolve {SIGNALS:,} signals on {BARS:,} M1, {name}",
        against="a numpy slice a signal",
        ours=ours,
        floor=floor,
        unit="ms",
        ratio=floor / ours,
        promise=PROMISE,
        same_work=f"{SIGNALS:,} exits compared, {walked:,} bars each",
    )


def _signals(bars: BaseBars, *, risk_ticks: int) -> Candidates:
    """Random instants and directions; stop and target equally far, on odd ticks."""
    rng = np.random.default_rng(2)
    at = np.sort(rng.integers(0, len(bars) - 2 * HOLD, SIGNALS))
    direction, reference = rng.choice(np.array([-1, 1]), SIGNALS), bars.close[at]
    target = reference + direction * risk_ticks
    levels = (reference, reference - direction * risk_ticks, target, target)
    return Candidates(direction, *levels, bars.closes[at], np.full(SIGNALS, HOLD))


def _slices(signals: Candidates, bars: BaseBars, *, entries: Integers, ends: Integers) -> tuple[Integers, Integers]:
    """Exit bar and price (ticks) of each signal."""
    left = np.empty(len(signals), dtype=np.int64)
    price = np.empty(len(signals), dtype=np.int64)
    given = (signals.direction, signals.stop, signals.target_two, entries, ends)
    for number, (direction, stop, target, entry, end) in enumerate(zip(*(each.tolist() for each in given), strict=True)):
        high, low = bars.high[entry:end], bars.low[entry:end]
        stopped = low <= stop if direction > 0 else high >= stop
        touched = stopped | (high >= target if direction > 0 else low <= target)
        first = int(touched.argmax())
        if not touched[first]:
            left[number], price[number] = end - 1, bars.close[end - 1]
        else:
            left[number], price[number] = entry + first, stop if stopped[first] else target
    return left, price


def _refuse_differences(trades: Trades, left: Integers, price: Integers) -> None:
    if not (np.array_equal(trades["second_bar"], left) and np.array_equal(trades["second_fill"], price)):
        raise RuntimeError("the slices did not leave where we left")
