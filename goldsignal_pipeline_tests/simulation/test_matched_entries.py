"""What matching month and direction tells a random entry, measured where nothing can be known.

The page docs/explanation/random-entries.md holds the figures of 12 walks of 4 years; they are made again with PROVE=1.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.settings import PROJECT_ROOT
from goldsignal_pipeline.simulation.closed_trades import scored, trade_table
from goldsignal_pipeline.simulation.random_entries import MISSING, p_values, random_entries
from goldsignal_pipeline.strategies.base import Strategy
from goldsignal_pipeline.strategies.ema_momentum import EmaMomentum
from goldsignal_pipeline_tests.simulation.markets import CALENDAR
from goldsignal_pipeline_tests.simulation.walks import START, Walk
from goldsignal_pipeline_tests.strategies.records import ALL

PAGE = PROJECT_ROOT / "docs" / "explanation" / "random-entries.md"


def measured(seed: int, *, years: int, strategies: tuple[Strategy, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trades of a walk with the mean of their draws (R), and the p-values of 365 days at the end of each year; H1 base."""
    walk = Walk.of(seed, years=years)
    setups, bars = walk.setups(strategies), walk.base(Timeframe.H1)
    trades = scored(trade_table(setups, bars, calendar=CALENDAR).closed())
    entries = random_entries(
        trades, setups=setups, bars=bars, candles={Timeframe.H1: walk.h1}, symbol=f"WALK-{seed}", calendar=CALENDAR
    )
    known = np.where(entries.micro_r == MISSING, np.nan, entries.micro_r)
    ends = np.array([f"{START.year + year}-12-31" for year in range(years)], dtype="datetime64[D]")
    return entries.trades.assign(drawn=np.nanmean(known, axis=1) / 1e6), p_values(entries, days=ends, windows_days=(365,))


def test_random_entries_of_a_trend_follower_know_the_month_and_do_better_than_nothing() -> None:
    """The strategy goes with the month's direction after it has shown; its random entries go with it from the first day."""
    trades = pd.concat([measured(seed, years=2, strategies=(EmaMomentum(),))[0] for seed in range(4)])
    costs = trades["cost_r"].mean()
    assert trades["drawn"].mean() + costs > 0.08
    by_month = (trades["net_r"] - trades["drawn"]).groupby(trades["resolved_at"].dt.strftime("%Y-%m")).mean()
    assert by_month.mean() < -3 * by_month.std(ddof=1) / np.sqrt(len(by_month))


@pytest.mark.skipif(os.environ.get("PROVE") != "1", reason="make prove only: a minute of random entries")
def test_the_page_tells_what_is_measured() -> None:
    found = [measured(seed, years=4, strategies=ALL) for seed in range(100, 112)]
    trades, chances = (pd.concat(parts) for parts in zip(*found, strict=True))
    means = trades.groupby("strategy")[["net_r", "drawn"]].mean()
    groups = chances.groupby("strategy")["p_value"]
    rows = [
        f"| {name} | {group.mean():.2f} | {100 * (group < 0.1).mean():.0f} % | {100 * (group > 0.9).mean():.0f} % | "
        f"{means.loc[str(name), 'net_r']:+.3f} | {means.loc[str(name), 'drawn']:+.3f} |"
        for name, group in groups
    ]
    assert (groups.size() == 48).all()
    assert [row for row in rows if row not in PAGE.read_text().splitlines()] == []
