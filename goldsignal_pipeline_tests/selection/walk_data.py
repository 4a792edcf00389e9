"""A history for the tests of deciding: a gapless random walk of fourteen months from candles to decisions, computed once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from goldsignal_pipeline.market.candles import bars_of, resample
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.history import Conditions, History, Record, run_history
from goldsignal_pipeline.selection.month_fold import Terms
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline_tests.market.candle_data import CALENDAR
from goldsignal_pipeline_tests.strategies.records import ALL, START, walk_h1

POLICY = GatePolicy(account_usd=Decimal(100_000))
TERMS = (Terms(datetime(1970, 1, 1, tzinfo=UTC), POLICY),)
MONTHS = tuple(f"{year}-{month:02}" for year in (2019, 2020) for month in range(1, 13))[:14]


@cache
def walk_record(seed: int = 2) -> Record:
    """The walk with H4 made from it, traded on its H1 bars."""
    h1 = walk_h1(seed)
    bars = BaseBars.of(bars_of(h1), timeframe=Timeframe.H1, side=Side.BID, spreads=SpreadTable())
    return Record({Timeframe.H1: h1, Timeframe.H4: resample(h1, target=Timeframe.H4)}, bars, Timeframe.H1, START)


@cache
def walk_history(seed: int = 2) -> History:
    """Everything that follows from the walk, by the four strategies and plain terms."""
    return run_history(walk_record(seed), ALL, months=MONTHS, conditions=Conditions(TERMS), calendar=CALENDAR)
