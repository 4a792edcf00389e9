"""Records for strategy tests: walks on real market hours, their H4 bars, the four strategies, and one way to evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import resample
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.strategies.base import Strategy
from goldsignal_pipeline.strategies.breakout_expansion import BreakoutExpansion
from goldsignal_pipeline.strategies.ema_momentum import EmaMomentum
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline.strategies.liquidity_sweep import LiquiditySweep
from goldsignal_pipeline.strategies.setups import Evaluation
from goldsignal_pipeline.strategies.trend_continuation import TrendContinuation
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, utc

ALL: tuple[Strategy, ...] = (LiquiditySweep(), TrendContinuation(), BreakoutExpansion(), EmaMomentum())
NAMES = [strategy.name for strategy in ALL]
START, END = utc(2019, 1, 1), utc(2020, 3, 1)
MONTHS = ("2019-11", "2019-12", "2020-01", "2020-02")
"""Months in which everything is warm on a record from START: 260 days of H4 lie before the first."""


@cache
def walk_h1(seed: int, *, start: datetime = START, end: datetime = END) -> pd.DataFrame:
    """H1 bars on every expected hour: calm and wild stretches, each hour a walk of twelve steps."""
    opens = CALENDAR.expected_opens(timeframe=Timeframe.H1, start=start, end=end)
    rng = np.random.default_rng(seed)
    scale = 40.0 * np.exp(np.repeat(rng.normal(0, 0.6, len(opens) // 40 + 1), 40)[: len(opens)])
    drift = np.repeat(rng.normal(0, 0.12, len(opens) // 90 + 1), 90)[: len(opens)]
    steps = np.rint(scale[:, np.newaxis] * (rng.normal(0, 1, (len(opens), 12)) / np.sqrt(12) * 2 + drift[:, np.newaxis] / 6))
    paths = 2_000_000 + np.cumsum(steps.ravel()).reshape(steps.shape).astype(np.int64)
    first = np.concatenate([[2_000_000], paths[:-1, -1]])
    return pd.DataFrame(
        {
            "timestamp": pd.DatetimeIndex(opens).tz_localize("UTC"),
            "open": first,
            "high": np.maximum(first, paths.max(axis=1)),
            "low": np.minimum(first, paths.min(axis=1)),
            "close": paths[:, -1],
            "volume": np.nan,
        }
    )


def run(
    h1: pd.DataFrame,
    *,
    months: Sequence[str] = MONTHS,
    record_start: datetime = START,
    strategies: Sequence[Strategy] = ALL,
) -> Evaluation:
    """Evaluate on H1 with H4 made from it."""
    candles = {Timeframe.H1: h1, Timeframe.H4: resample(h1, target=Timeframe.H4)}
    return evaluate(strategies, candles=candles, timeframe=Timeframe.H1, months=months, record_start=record_start)


def assert_same(one: Evaluation, other: Evaluation) -> None:
    """Bit for bit."""
    pd.testing.assert_frame_equal(one.setups, other.setups, check_exact=True)
    pd.testing.assert_frame_equal(one.conditions, other.conditions, check_exact=True)
