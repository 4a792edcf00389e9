"""Recorded years: every strategy has setups in every full one."""

from __future__ import annotations

import pandas as pd
import pytest

from goldsignal_pipeline.market.candles import instants_of, resample
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline_tests.market.candle_data import CALENDAR, recorded
from goldsignal_pipeline_tests.strategies.records import NAMES, run


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "years"), [("mt5-ejtraderlabs", range(2013, 2022)), ("oanda-lean-bid", range(2007, 2019))])
def test_mistake_5_every_strategy_fires_in_every_full_year(shared_data, name, years):
    record = recorded(shared_data, Timeframe.H1, name)
    first, last = record["timestamp"].iloc[0], record["timestamp"].iloc[-1]
    months = pd.period_range(f"{first:%Y-%m}", f"{last:%Y-%m}", freq="M").astype(str).tolist()
    result = run(record, months=months, record_start=first.to_pydatetime())
    found = result.accepted()
    counts = found.groupby(["strategy", found["confirmed_at"].dt.year, "direction"]).size()
    for strategy in NAMES:
        for year in years:
            for direction in ("BUY", "SELL"):
                assert counts.get((strategy, year, direction), 0) >= 20, (strategy, year, direction)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "warm"),
    [("mt5-budimanlai", "2025-04 2025-05 2025-06 2025-07 2025-08 2025-09 2025-10"), ("twelvedata-24x7", "2026-05")],
)
def test_h1_made_of_recorded_m5_gives_every_strategy_setups_in_every_warm_month(shared_data, name, warm):
    base = recorded(shared_data, Timeframe.M5, name)
    record = resample(base[CALENDAR.is_open(instants_of(base["timestamp"]))], target=Timeframe.H1)
    result = run(record, months=warm.split(), record_start=record["timestamp"].iloc[0].to_pydatetime())
    found = result.accepted()
    counts = found.groupby([found["confirmed_at"].dt.strftime("%Y-%m"), "strategy"]).size()
    assert result.silent_months == ()
    assert all(counts.get((month, strategy), 0) >= 3 for month in warm.split() for strategy in NAMES)
