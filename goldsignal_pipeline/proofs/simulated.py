"""Candles to prove on: a stretch of the simulated market, the same on every machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import pandas as pd

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.record import Record, record_of
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.strategies.base import Strategy
from goldsignal_pipeline.strategies.context import H4_WARM_UP_DAYS

SEED: Final = 3
END: Final = datetime(2024, 12, 1, tzinfo=UTC)
"""The months before hold both clock changes of autumn, Labor Day and Thanksgiving."""
_PROVED: Final = timedelta(days=92)
_OLDER_HISTORY: Final = timedelta(days=40)


def simulated_record(strategy: Strategy, *, timeframe: Timeframe) -> Record:
    """Three months of the simulated market, with history beyond every warm-up."""
    warm_up_days = strategy.warm_up_days(timeframe)
    finest = min(timeframe, Timeframe.H1, key=lambda key: key.minutes)
    bars = _bars(finest, max(warm_up_days, H4_WARM_UP_DAYS))
    return record_of(bars, given=finest, timeframe=timeframe, warm_up_days=warm_up_days)


@lru_cache(maxsize=4)
def _bars(timeframe: Timeframe, warm_up_days: int) -> pd.DataFrame:
    market = SimulatedProvider(seed=SEED, calendar=load_calendar(), base_timeframe=timeframe, clock=lambda: END)
    start = END - _PROVED - _OLDER_HISTORY - timedelta(days=warm_up_days)
    window = FetchWindow(timeframe=timeframe, start=start, end=END)
    return pd.concat([delivery.rows for delivery in market.fetch(window)], ignore_index=True)
