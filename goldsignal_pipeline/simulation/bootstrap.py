"""Bootstrap: how sure an expectancy is, and how often random entries do as well.

1. `bootstrap_interval` draws whole ISO weeks with replacement, because trades of one week share their market.
2. `random_entry_p_value` replaces every entry by a random one of the same kind and lets the caller's resolver (the one kernel)
   trade it, 1,000 times.

Both are seeded from a key that names what is measured, so equal inputs give equal bits on every machine: only the raw stream of
a named bit generator is used, whose stability numpy guarantees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.simulation.metrics import Floats
from goldsignal_pipeline.simulation.scored_trades import MICRO_R, Integers

BOOTSTRAP_DRAWS: Final = 2_000
RANDOM_ENTRY_DRAWS: Final = 1_000
CONFIDENCE: Final = 0.95
_FEWEST_WEEKS: Final = 2
_CHUNK_TRADES: Final = 200_000

# (number of the trade to imitate, index of the base bar to enter at) -> net R, NaN where that entry is missed.
Resolver = Callable[[Integers, Integers], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class EntryPools:
    """The base bars at which each trade could as well have been entered: same month, direction and session.

    The bars of trade i are `bars[starts[i]:starts[i + 1]]`; `starts` has one element more than there are trades.
    """

    bars: Integers
    starts: Integers


def bootstrap_interval(net_micro_r: Integers, *, weeks: Integers, key: str, draws: int = BOOTSTRAP_DRAWS) -> tuple[float, float]:
    """The central 95 % interval of the expectancy (R) over `draws` resamplings of ISO weeks; NaN below two weeks.

    `weeks` labels the week of each trade. `key` names strategy, timeframe, window and day.
    """
    labels, number = np.unique(weeks, return_inverse=True)
    if len(labels) < _FEWEST_WEEKS:
        return float("nan"), float("nan")
    sums, counts = np.zeros(len(labels), dtype=np.int64), np.bincount(number)
    np.add.at(sums, number, net_micro_r)
    picks = _uniform(key, size=draws * len(labels), below=np.array(len(labels))).reshape(draws, len(labels))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1) / MICRO_R
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], method="linear")
    return float(low), float(high)


def random_entry_p_value(
    net_r: Floats, *, pools: EntryPools, resolve: Resolver, key: str, draws: int = RANDOM_ENTRY_DRAWS
) -> float:
    """(1 + number of draws whose expectancy is at least that of `net_r`) / (1 + draws); NaN without trades.

    Each draw enters every trade at a random bar of its pool; missed ones are left out of that draw's mean. Raises DataError when
    a pool is empty or the pools are not those of `net_r`.
    """
    sizes = np.diff(pools.starts)
    if len(sizes) != len(net_r) or np.any(sizes < 1):
        raise DataError("a trade has no bar at which it could have been entered at random", done="no p-value was computed")
    if not len(net_r):
        return float("nan")
    observed = _mean(net_r[None, :])[0]
    trades = np.arange(len(net_r))
    at_least = 0
    step = max(1, _CHUNK_TRADES // len(net_r))
    offsets = _uniform(key, size=draws * len(net_r), below=np.tile(sizes, draws)).reshape(draws, len(net_r))
    for begin in range(0, draws, step):
        part = offsets[begin : begin + step]
        bars = pools.bars[pools.starts[:-1] + part]
        results = resolve(np.tile(trades, len(part)), bars.ravel()).reshape(part.shape)
        at_least += int(np.count_nonzero(_mean(results) >= observed))
    return (1 + at_least) / (1 + draws)


def _mean(results: Floats) -> Floats:
    """Means of the rows without their NaN, over whole micro-R so that no order of summing matters; NaN for an empty row."""
    known = ~np.isnan(results)
    total = np.rint(np.where(known, results, 0.0) * MICRO_R).astype(np.int64).sum(axis=1)
    count = known.sum(axis=1)
    mean = np.full(len(results), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _uniform(key: str, *, size: int, below: npt.NDArray[np.int64]) -> Integers:
    """`size` whole numbers in [0, below), seeded by `key`; the bias of the remainder is below 2^-40."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")
    raw = np.random.PCG64(seed).random_raw(size)
    return np.asarray((raw % below.astype(np.uint64)).astype(np.int64))
