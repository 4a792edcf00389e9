"""Ranking: which strategy comes first when several speak at one instant.

1. `shrunk_expectancy` ranks: a mean of few trades is drawn towards zero.
2. `composite_scores` is the planned composite; it is published beside the rank and decides nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

PRIOR_TRADES: Final = 50
LIVE_WEIGHT: Final = 0.3
FEWEST_LIVE_OUTCOMES: Final = 20
PROFIT_FACTOR_CAP: Final = 5.0
COMPOSITE_WEIGHTS: Final = {
    "win_rate": 0.30,
    "profit_factor": 0.25,
    "sharpe": 0.15,
    "expectancy": 0.15,
    "max_drawdown_r": 0.15,
}
_LESS_IS_BETTER: Final = frozenset({"max_drawdown_r"})


def shrunk_expectancy(expectancy: Floats, *, trades: npt.NDArray[np.int64]) -> Floats:
    """Expectancy (R) x n / (n + 50): what is left of a mean of n trades against 50 imagined ones of zero."""
    return np.asarray(expectancy * trades / (trades + PRIOR_TRADES))


def composite_scores(
    tested: pd.DataFrame, *, live: pd.DataFrame | None = None, groups: npt.NDArray[np.int64] | None = None
) -> Floats:
    """The planned composite of each row of `tested`, from 0 (worst in everything) to 1.

    0.30 win rate, 0.25 profit factor (capped at 5), 0.15 Sharpe, 0.15 expectancy, 0.15 (1 - drawdown), each scaled from the least
    to the greatest of the candidates; a single or equal value counts 0.5, an undefined one is the worst. `live` holds the same
    columns and `trades` in the same rows; from 20 outcomes on it enters each input at 0.3. Candidates are the rows of one number
    in `groups` (from 0 on), or all rows.
    """
    score = np.zeros(len(tested))
    groups = np.zeros(len(tested), dtype=np.int64) if groups is None else groups
    for name, weight in COMPOSITE_WEIGHTS.items():
        values = _blended(tested[name], live)
        if name == "profit_factor":
            values = np.minimum(values, PROFIT_FACTOR_CAP)
        score += weight * _scaled(-values if name in _LESS_IS_BETTER else values, groups)
    return score


def _blended(tested: pd.Series, live: pd.DataFrame | None) -> Floats:
    values = tested.to_numpy(dtype=np.float64)
    if live is None:
        return values
    observed = live[tested.name].to_numpy(dtype=np.float64)
    counts = (live["trades"].to_numpy(dtype=np.int64) >= FEWEST_LIVE_OUTCOMES) & ~np.isnan(observed)
    return np.where(counts, (1 - LIVE_WEIGHT) * values + LIVE_WEIGHT * observed, values)


def _scaled(values: Floats, groups: npt.NDArray[np.int64]) -> Floats:
    """Values from 0 (least of their group, or undefined) to 1 (greatest); 0.5 where all defined ones are equal."""
    number = int(groups.max()) + 1 if len(groups) else 0
    least, greatest = np.full(number, np.nan), np.full(number, np.nan)
    np.fmin.at(least, groups, values)
    np.fmax.at(greatest, groups, values)
    span = (greatest - least)[groups]
    scaled = np.divide(values - least[groups], span, out=np.full(len(values), 0.5), where=span > 0)
    return np.where(np.isnan(values), 0.0, scaled)
