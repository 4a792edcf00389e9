"""The fan of an equity curve: what else the same trades could have looked like, by drawing their weeks again.

1. `weekly_sums` adds results up by ISO week, from the first week to the last, weeks without a trade included.
2. `equity_fan` draws as many weeks with replacement, many times, and says between which curves the draws run.

Trades of one week share their market, so a week is drawn whole. The draws are seeded from a key that names what is measured. A
fan tells the luck of the order and of the sample; it knows nothing of a market that has not been seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.simulation.records import Integers
from goldsignal_pipeline.simulation.rolling import iso_week
from goldsignal_pipeline.simulation.scored_trades import MICRO_R
from goldsignal_pipeline.simulation.seeding import uniform

FAN_DRAWS: Final = 1_000
FAN_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_FEWEST_WEEKS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class EquityFan:
    """R after 0, 1, 2 ... weeks: a row of `curves` per quantile of `FAN_QUANTILES`, and the curve that happened.

    `below_zero` is the share of draws that end below 0; the drawdowns are the middle and the worst twentieth of the draws.
    """

    curves: npt.NDArray[np.float64]
    happened: npt.NDArray[np.float64]
    below_zero: float
    middle_drawdown: float
    worst_drawdown: float


def weekly_sums(resolved_at: Instants, net_micro_r: Integers) -> Integers:
    """The result of every ISO week from the first trade's to the last's, in micro-R; empty without trades."""
    if not len(resolved_at):
        return np.zeros(0, dtype=np.int64)
    weeks = iso_week(resolved_at)
    sums = np.zeros(int(weeks.max() - weeks.min()) + 1, dtype=np.int64)
    np.add.at(sums, weeks - weeks.min(), net_micro_r)
    return sums


def equity_fan(weekly: Integers, *, key: str, draws: int = FAN_DRAWS) -> EquityFan | None:
    """The fan over as many weeks as happened; None below eight weeks, which tell nothing.

    `key` names symbol, strategy and what kind of trades these are.
    """
    count = len(weekly)
    if count < _FEWEST_WEEKS:
        return None
    picks = uniform(key, size=draws * count, below=count).reshape(draws, count)
    paths = np.zeros((draws, count + 1), dtype=np.int64)
    np.cumsum(weekly[picks], axis=1, out=paths[:, 1:])
    drawdowns = (np.maximum.accumulate(paths, axis=1) - paths).max(axis=1)
    middle, worst = np.quantile(drawdowns, [0.5, 0.95]) / MICRO_R
    return EquityFan(
        curves=np.quantile(paths, FAN_QUANTILES, axis=0) / MICRO_R,
        happened=np.concatenate([[0], np.cumsum(weekly)]) / MICRO_R,
        below_zero=float((paths[:, -1] < 0).mean()),
        middle_drawdown=float(middle),
        worst_drawdown=float(worst),
    )
