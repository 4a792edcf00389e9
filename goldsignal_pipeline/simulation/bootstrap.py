"""Bootstrap: how sure an expectancy is, by drawing whole ISO weeks with replacement.

Trades of one week share their market, so a week is drawn with all its trades. The draws are seeded from a key that names what
is measured.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from goldsignal_pipeline.simulation.records import Integers
from goldsignal_pipeline.simulation.scored_trades import MICRO_R
from goldsignal_pipeline.simulation.seeding import uniform

BOOTSTRAP_DRAWS: Final = 2_000
CONFIDENCE: Final = 0.95
_FEWEST_WEEKS: Final = 2


def bootstrap_interval(net_micro_r: Integers, *, weeks: Integers, key: str, draws: int = BOOTSTRAP_DRAWS) -> tuple[float, float]:
    """The central 95 % interval of the expectancy (R) over `draws` resamplings of ISO weeks; NaN below two weeks.

    `weeks` labels the week of each trade. `key` names strategy, timeframe, window and day.
    """
    labels, number = np.unique(weeks, return_inverse=True)
    if len(labels) < _FEWEST_WEEKS:
        return float("nan"), float("nan")
    sums, counts = np.zeros(len(labels), dtype=np.int64), np.bincount(number)
    np.add.at(sums, number, net_micro_r)
    picks = uniform(key, size=draws * len(labels), below=len(labels)).reshape(draws, len(labels))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1) / MICRO_R
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], method="linear")
    return float(low), float(high)
