"""A record with one tick moved: one value of one candle, within its range, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import bars_of
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.parity import changed_by_a_tick
from goldsignal_pipeline.selection.history import Record
from goldsignal_pipeline.simulation.bars import BaseBars

OPENS = pd.date_range("2024-03-04", periods=4, freq="h", tz="UTC").as_unit("us")
PRICES = {
    "open": [200_000, 200_010, 200_020, 200_030],
    "high": [200_050, 200_060, 200_020, 200_080],
    "low": [199_950, 199_960, 200_020, 199_980],
    "close": [200_010, 200_060, 200_020, 199_980],
}


@pytest.fixture
def record() -> Record:
    frame = pd.DataFrame({"timestamp": OPENS, **PRICES, "volume": np.ones(4)})
    bars = BaseBars.of(bars_of(frame), timeframe=Timeframe.H1, side=Side.BID, spreads=SpreadTable())
    return Record({Timeframe.H1: frame}, bars, Timeframe.H1, OPENS[0].to_pydatetime())


@pytest.mark.parametrize(("hour", "after"), [(0, 200_011), (1, 200_059), (3, 199_981)])
def test_the_close_of_one_candle_moves_by_a_tick_within_its_range(record: Record, hour: int, after: int) -> None:
    changed, tick = changed_by_a_tick(record, timeframe=Timeframe.H1, timestamp=OPENS[hour].to_pydatetime())
    before, now = record.candles[Timeframe.H1], changed.candles[Timeframe.H1]
    differs = before != now
    assert differs.to_numpy().sum() == 1
    assert differs.loc[hour, "close"]
    assert now.loc[hour, "close"] == after == tick.after
    assert tick.before == PRICES["close"][hour]
    assert now.loc[hour, "low"] <= after <= now.loc[hour, "high"]


@pytest.mark.parametrize(
    "at", [OPENS[2].to_pydatetime(), datetime(2024, 3, 4, 0, 30, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)]
)
def test_a_candle_without_range_or_none_cannot_be_moved(record: Record, at: datetime) -> None:
    with pytest.raises(DataError, match="cannot be moved"):
        changed_by_a_tick(record, timeframe=Timeframe.H1, timestamp=at)
