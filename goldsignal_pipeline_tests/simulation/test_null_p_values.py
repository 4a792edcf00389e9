"""Where trades are entered by chance, p-values are uniform: 300 strategies that know nothing, in 20 markets.

Each trade is entered at an hour drawn as its own random entries are, so its result is one of 1,001 alike and p is uniform on
1/1001 ... 1 whatever the market did (hours of one strategy differ, which lowers the variance of its mean by 3 %). The greatest
distance of the 300 p-values from uniform exceeds sqrt(ln(2 / a) / (2 n)) with probability at most a (Dvoretzky, Kiefer and
Wolfowitz with Massart's constant); a = 0.001 gives 0.1126. Seeds are fixed.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import instants_of, timestamps_of
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.random_entries import p_values
from goldsignal_pipeline.strategies.indicators import atr
from goldsignal_pipeline_tests.simulation.entry_data import Case, candles_of, session_label
from goldsignal_pipeline_tests.simulation.markets import CALENDAR, coarser, random_walk

MARKETS, STRATEGIES, TRADES = 20, 15, 10
START, END = datetime(2024, 10, 7, tzinfo=UTC), datetime(2024, 12, 6, tzinfo=UTC)
FIRST, LAST_DAY = np.datetime64("2024-11-01"), np.datetime64("2024-11-30")


def usable_hours(opens: np.ndarray) -> np.ndarray:
    """Positions of the hours of November of which every minute can be held until the last day, as random entries are."""
    due = CALENDAR.add_open_time(opens + np.timedelta64(59, "m"), minutes=72 * 60)
    return np.flatnonzero((opens >= FIRST) & (due < LAST_DAY))


def chance_setups(candles: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Setups of strategies that confirm an hour before a random one; the session is that of the entry."""
    rng = np.random.default_rng(seed)
    opens = instants_of(candles["timestamp"])
    known = atr(*(candles[name].to_numpy(dtype=np.float64) for name in ("high", "low", "close")))
    usable = usable_hours(opens)
    entry = np.concatenate([rng.choice(usable, TRADES, replace=False) for _ in range(STRATEGIES)])
    direction = rng.choice(np.array([1, -1]), len(entry))
    reference = candles["close"].to_numpy()[entry - 1]
    risk = np.ceil(known[entry - 1] * rng.uniform(1, 3, len(entry))).astype(np.int64)
    return pd.DataFrame(
        {
            "strategy": np.repeat([f"chance-{number}" for number in range(STRATEGIES)], TRADES),
            "timeframe": "H1",
            "direction": np.where(direction == 1, "BUY", "SELL"),
            "timestamp": timestamps_of(opens[entry - 1]),
            "confirmed_at": timestamps_of(opens[entry]),
            "session": [session_label(moment.to_pydatetime()) for moment in timestamps_of(opens[entry])],
            "atr": known[entry - 1],
            "reference": reference,
            "stop": reference - direction * risk,
            "take_profit_1": reference + direction * (3 * risk // 2),
            "take_profit_2": reference + direction * 3 * risk,
        }
    )


def p_values_of_chance(seed: int) -> list[float]:
    bars = coarser(random_walk(seed=seed, start=START, end=END, step_ticks=5, steps=4), timeframe=Timeframe.H1)
    candles = candles_of(bars)
    case = Case(bars, candles, chance_setups(candles, seed=seed))
    trades = case.trades()
    assert len(trades) == STRATEGIES * TRADES
    assert not trades["is_missed"].any()
    return p_values(case.drawn(trades=trades), days=np.array([LAST_DAY]), windows_days=(60,))["p_value"].tolist()


def test_p_values_are_uniform_where_entries_are_chance() -> None:
    ordered = np.sort([p_value for market in range(MARKETS) for p_value in p_values_of_chance(market)])
    steps = np.arange(len(ordered) + 1) / len(ordered)
    distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
    assert len(ordered) == MARKETS * STRATEGIES
    assert distance < math.sqrt(math.log(2 / 0.001) / (2 * len(ordered)))
    assert ordered[0] > 0
    assert ordered[-1] <= 1
