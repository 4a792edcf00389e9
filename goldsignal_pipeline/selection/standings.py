"""Standings: what tested results say of each strategy and timeframe on a day, as the gate is told it.

1. `kept` rounds metrics as they are stored, half-even at 0.0001; whoever computes and whoever reads judge the same numbers.
2. `tested_by_day` turns the rows of the evidence window into one `Tested` per day, strategy and timeframe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.selection.evidence import EVIDENCE_WINDOW_DAYS, Evidence, judge
from goldsignal_pipeline.selection.ranking import shrunk_expectancy

Floats = npt.NDArray[np.float64]
Track = tuple[str, str]
"""A strategy on a timeframe."""

METRIC_STEPS: Final = 10_000
"""Metrics are kept in steps of 1 / 10,000."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The evidence window of a strategy on a timeframe as of 00:00 UTC of a day; metrics as they are kept."""

    strategy: str
    timeframe: str
    trades: int
    expectancy: float
    error: float
    evidence: Evidence
    rank_score: float


def kept(values: Floats) -> Floats:
    """Metrics rounded half-even to 0.0001, NaN left as it is: bit for bit what a NUMERIC(10,4) gives back."""
    return np.asarray(np.rint(np.asarray(values, dtype=np.float64) * METRIC_STEPS) / METRIC_STEPS)


def tested_by_day(results: pd.DataFrame) -> Mapping[date, tuple[Tested, ...]]:
    """The standings of every day of `results` (`rolling.ROLLING_COLUMNS`, `day` as dates), strategies by name.

    Only the rows of the evidence window are read.
    """
    rows = results[results["window_days"] == EVIDENCE_WINDOW_DAYS].sort_values(["day", "strategy", "timeframe"], kind="stable")
    trades = rows["trades"].to_numpy(dtype=np.int64)
    expectancy, error = (kept(rows[name].to_numpy()) for name in ("expectancy", "expectancy_error"))
    scores = shrunk_expectancy(expectancy, trades=trades)
    found: dict[date, list[Tested]] = defaultdict(list)
    columns = (
        rows["day"],
        rows["strategy"],
        rows["timeframe"],
        *(array.tolist() for array in (trades, expectancy, error, scores)),
    )
    for day, strategy, timeframe, number, mean, deviation, score in zip(*columns, strict=True):
        evidence = judge(expectancy=mean, error=deviation)
        found[_date(day)].append(Tested(strategy, timeframe, number, mean, deviation, evidence, score))
    return {day: tuple(ones) for day, ones in found.items()}


def _date(day: pd.Timestamp | np.datetime64 | date) -> date:
    return pd.Timestamp(day).date()
