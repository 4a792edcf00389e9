"""Walk-forward: whether what a training span promised was kept in the span that followed.

1. `folds` cuts a range into rolling folds: train 180 days, embargo, test 30 days, moved on by the length of the test.
2. `walk_forward` takes the trades whose result was known in each span. The embargo is the longest time to a result in the range,
   at least three days, so that no trade of a test was entered in its training. Trades known outside the range are not looked at:
   the efficiency of a day depends neither on what came later nor on how many earlier trades were at hand.
3. Efficiency is out-of-sample over in-sample expectancy, NaN when the in-sample one is not positive or its error exceeds it.

A range too short for one fold has no efficiency: NaN, which is no pass. Nothing is fitted here, so the number is reported only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.zones import Instants, to_instant
from goldsignal_pipeline.simulation.metrics import clustered_error
from goldsignal_pipeline.simulation.rolling import iso_week
from goldsignal_pipeline.simulation.scored_trades import ScoredTrades

TRAIN_DAYS: Final = 180
TEST_DAYS: Final = 30
MINIMUM_EMBARGO_DAYS: Final = 3
FOLD_COLUMNS: Final = (
    "train_start",
    "train_end",
    "test_start",
    "test_end",
    "train_trades",
    "test_trades",
    "in_sample",
    "in_sample_error",
    "out_of_sample",
    "efficiency",
)
_DAY: Final = np.timedelta64(1, "D")

# Train start, train end, test start, test end.
Fold = tuple[np.datetime64, np.datetime64, np.datetime64, np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class WalkForward:
    """The folds (`FOLD_COLUMNS`) and the median efficiency of those that have one, NaN without any."""

    folds: pd.DataFrame
    efficiency: float


def embargo_days(trades: ScoredTrades, *, start: datetime, end: datetime) -> int:
    """The longest time from entry to a result known in [start, end) in whole calendar days, rounded up, at least 3."""
    first, stop = _known(trades, to_instant(start), to_instant(end))
    if first == stop:
        return MINIMUM_EMBARGO_DAYS
    longest = int((trades.resolved_at[first:stop] - trades.entry[first:stop]).max() // np.timedelta64(1, "us"))
    return max(MINIMUM_EMBARGO_DAYS, -(-longest // 86_400_000_000))


def folds(*, start: datetime, end: datetime, embargo: int) -> list[Fold]:
    """(train start, train end, test start, test end) of every fold that fits wholly into [start, end); spans are half-open."""
    first, last = to_instant(start), to_instant(end)
    found: list[Fold] = []
    while True:
        train_end = first + TRAIN_DAYS * _DAY
        test_start = train_end + embargo * _DAY
        test_end = test_start + TEST_DAYS * _DAY
        if test_end > last:
            return found
        found.append((first, train_end, test_start, test_end))
        first = first + TEST_DAYS * _DAY


def walk_forward(trades: ScoredTrades, *, start: datetime, end: datetime) -> WalkForward:
    """Every fold of [start, end) over the trades of one strategy and timeframe."""
    rows = []
    embargo = embargo_days(trades, start=start, end=end)
    for train_start, train_end, test_start, test_end in folds(start=start, end=end, embargo=embargo):
        trained, in_sample, error = _expectancy(trades, train_start, train_end)
        tested, out_of_sample, _ = _expectancy(trades, test_start, test_end)
        # A comparison with NaN is false: an unknown in-sample result or error leaves the efficiency unknown.
        trusted = in_sample > 0 and error <= in_sample
        efficiency = out_of_sample / in_sample if trusted else float("nan")
        spans = (train_start, train_end, test_start, test_end)
        rows.append((*spans, trained, tested, in_sample, error, out_of_sample, efficiency))
    table = pd.DataFrame(rows, columns=list(FOLD_COLUMNS))
    known = table["efficiency"].dropna().to_numpy(dtype=np.float64)
    return WalkForward(folds=table, efficiency=float(np.median(known)) if len(known) else float("nan"))


def _expectancy(trades: ScoredTrades, start: np.datetime64, end: np.datetime64) -> tuple[int, float, float]:
    """Number, expectancy (R) and clustered error (R) of the trades known in [start, end)."""
    first, stop = _known(trades, start, end)
    if first == stop:
        return 0, float("nan"), float("nan")
    known: Instants = trades.resolved_at[first:stop]
    net_r = trades.net_r[first:stop]
    return len(net_r), float(net_r.sum() / len(net_r)), clustered_error(net_r, iso_week(known))


def _known(trades: ScoredTrades, start: np.datetime64, end: np.datetime64) -> tuple[int, int]:
    """The positions of the trades known in [start, end)."""
    first, stop = np.searchsorted(trades.resolved_at, np.array([start, end], dtype="datetime64[us]"), side="left")
    return int(first), int(stop)
