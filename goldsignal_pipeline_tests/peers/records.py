"""What the peers are asked about: rough generated markets with every rule at work, and recorded H1 with the real strategies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import bars_of
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.trades import Candidates
from goldsignal_pipeline_tests.market.candle_data import recorded
from goldsignal_pipeline_tests.simulation.markets import random_candidates, rough_bars
from goldsignal_pipeline_tests.strategies.records import run

RECORD, FIRST, LAST = "mt5-ejtraderlabs", "2018-01", "2019-12"


def without_spread(bars: BaseBars) -> BaseBars:
    """The same prices, bid and ask alike."""
    nothing = np.zeros(len(bars), dtype=np.int64)
    return replace(bars, bid_below=nothing, ask_above=nothing)


def generated(*, seed: int, tight: bool, side: Side = Side.BID) -> tuple[Candidates, BaseBars]:
    """Six weeks of M5 with jumps and holes."""
    bars = rough_bars(Timeframe.M5, seed=seed, side=side)
    return random_candidates(bars, seed=seed, count=900, tight=tight), bars


def real_setups(shared_data: Path) -> tuple[Candidates, BaseBars]:
    """All setups of the four strategies in two recorded years of H1, and the bars of these years."""
    record = recorded(shared_data, Timeframe.H1, RECORD)
    months = pd.period_range(FIRST, LAST, freq="M").astype(str).tolist()
    evaluated = run(record, months=months, record_start=record["timestamp"].iloc[0].to_pydatetime())
    since = datetime.fromisoformat(f"{FIRST}-01").replace(tzinfo=UTC)
    until = (pd.Period(LAST, freq="M") + 1).to_timestamp().tz_localize("UTC")
    within = record[(record["timestamp"] >= since) & (record["timestamp"] < until)]
    bars = BaseBars.of(bars_of(within), timeframe=Timeframe.H1, side=Side.BID, spreads=SpreadTable())
    return Candidates.of_setups(evaluated.accepted()), bars
