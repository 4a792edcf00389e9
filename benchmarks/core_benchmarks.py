"""What the core costs by itself: thirteen years of all strategies, and how one run grows with its bars, in time and in memory.

1. Four strategies, their trades and all rolling metrics (without bootstrap and random entries) on a generated H1 of 13 years.
2. One run with indicators (`benchmarks.market`) on 10,000 to 4,000,000 minutes: the dearest bar beside the cheapest.
3. The memory that this run takes above the bars it is given, as `tracemalloc` counts it in a process of its own.
4. The first trade of a new process, machine code kept on disk beside an empty cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tracemalloc
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import Comparison, Promise, median, processor_seconds, take_turns
from benchmarks.market import CALENDAR, m1_walk, our_trades
from goldsignal_pipeline.market.candles import bars_of, resample
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import scored, trade_table
from goldsignal_pipeline.simulation.rolling import RESULT_WINDOWS_DAYS, rolling_metrics
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline.strategies.registry import load_strategies

PROJECT = Path(__file__).resolve().parent.parent
START, END = datetime(2012, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
SIZES = (10_000, 100_000, 1_000_000, 4_000_000)
REPEATS = {10_000: 40, 100_000: 10}
ONE_TRADE = "from benchmarks.market import m1_walk, our_trades; our_trades(m1_walk(6_000))"


def compare() -> list[Comparison]:
    """Thirteen years, growth, memory, compiling."""
    return [*_thirteen_years(), _growth(), _memory(), _compiling()]


def h1_walk(*, seed: int = 4) -> pd.DataFrame:
    """Thirteen years of hours, calm and wild, with stretches of trend."""
    opens = CALENDAR.expected_opens(timeframe=Timeframe.H1, start=START, end=END)
    rng = np.random.default_rng(seed)
    scale = 40.0 * np.exp(np.repeat(rng.normal(0, 0.6, len(opens) // 40 + 1), 40)[: len(opens)])
    drift = np.repeat(rng.normal(0, 0.12, len(opens) // 90 + 1), 90)[: len(opens)]
    steps = np.rint(scale[:, np.newaxis] * (rng.normal(0, 0.58, (len(opens), 12)) + drift[:, np.newaxis] / 6))
    paths = 2_000_000 + np.cumsum(steps.ravel()).reshape(steps.shape).astype(np.int64)
    first = np.concatenate([[2_000_000], paths[:-1, -1]])
    high, low = np.maximum(first, paths.max(axis=1)), np.minimum(first, paths.min(axis=1))
    prices = {"open": first, "high": high, "low": low, "close": paths[:, -1], "volume": np.nan}
    return pd.DataFrame({"timestamp": pd.DatetimeIndex(opens).tz_localize("UTC"), **prices})


def _thirteen_years() -> list[Comparison]:
    h1 = h1_walk()
    candles = {Timeframe.H1: h1, Timeframe.H4: resample(h1, target=Timeframe.H4)}
    bars = BaseBars.of(bars_of(h1), timeframe=Timeframe.H1, side=Side.BID, spreads=SpreadTable())
    months = pd.period_range(START.date(), END.date(), freq="M")[:-1].astype(str).tolist()
    strategies = list(load_strategies().values())

    def setups() -> pd.DataFrame:
        made = evaluate(strategies, candles=candles, timeframe=Timeframe.H1, months=months, record_start=START)
        return made.accepted().reset_index(drop=True)

    def metrics(found: pd.DataFrame) -> pd.DataFrame:
        closed = trade_table(found, bars, calendar=CALENDAR).closed()
        days = np.arange(START.date(), END.date(), dtype="datetime64[D]")
        return rolling_metrics(scored(closed), days=days, calendar=CALENDAR, record_start=START)

    found = setups()
    rows = len(metrics(found))
    same = f"{len(h1):,} bars, {len(found):,} setups, {rows:,} rows of metrics in {len(RESULT_WINDOWS_DAYS)} windows"
    seconds = take_turns(
        {"setups": partial(processor_seconds, setups), "metrics": partial(processor_seconds, lambda: metrics(found))}
    )
    parts = {name: median(values) for name, values in seconds.items()}
    total = sum(parts.values())
    return [
        Comparison("13 years of H1, 4 strategies, trades, metrics", f"{name} alone", total, part, "s", total / part, None, same)
        for name, part in parts.items()
    ]


def _growth() -> Comparison:
    ways = {f"{size}": partial(_nanoseconds_a_bar, m1_walk(size)) for size in SIZES}
    costs = {name: median(values) for name, values in take_turns(ways).items()}
    dear, cheap = max(costs, key=costs.__getitem__), min(costs, key=costs.__getitem__)
    return Comparison(
        work=f"indicators and trades, a bar of {int(dear):,}",
        against=f"a bar of {int(cheap):,}",
        ours=costs[dear],
        floor=costs[cheap],
        unit="ns",
        ratio=costs[dear] / costs[cheap],
        promise=Promise("<=", 1.5),
        same_work=", ".join(f"{int(name):,}: {cost:.1f} ns" for name, cost in costs.items()),
    )


def _nanoseconds_a_bar(bars: BaseBars) -> float:
    repeats = REPEATS.get(len(bars), 1)

    def run() -> None:
        for _ in range(repeats):
            our_trades(bars)

    return processor_seconds(run) * 1e9 / len(bars) / repeats


def _memory() -> Comparison:
    size = SIZES[-1]
    work = "import benchmarks.core_benchmarks as core; print(core.peak_bytes_a_bar())"
    finished = subprocess.run([sys.executable, "-c", work], cwd=PROJECT, capture_output=True, text=True, check=True)
    peak, given = map(float, finished.stdout.split())
    return Comparison(
        work=f"indicators and trades, {size:,} bars, peak memory a bar",
        against="the bars given",
        ours=peak,
        floor=given,
        unit="bytes",
        ratio=peak,
        promise=Promise("<=", 200),
        same_work="above the bars given; the ratio is bytes",
    )


def peak_bytes_a_bar() -> str:
    """The most that the run holds above its input, and the input, both in bytes a bar."""
    bars = m1_walk(SIZES[-1])
    given = sum(array.nbytes for name in BaseBars.__slots__ if isinstance(array := getattr(bars, name), np.ndarray))
    our_trades(m1_walk(10_000))
    tracemalloc.start()
    our_trades(bars)
    peak = tracemalloc.get_traced_memory()[1]
    return f"{peak / len(bars)} {given / len(bars)}"


def _compiling() -> Comparison:
    """Whole processes; the empty cache is a new folder each time."""
    with tempfile.TemporaryDirectory() as kept:
        ways = {"kept": lambda: _process_seconds(kept), "empty": lambda: _process_seconds(tempfile.mkdtemp(dir=kept))}
        seconds = {name: median(values) for name, values in take_turns(ways).items()}
    return Comparison(
        work="a process that resolves its first trades",
        against="an empty cache of machine code",
        ours=seconds["kept"],
        floor=seconds["empty"],
        unit="s",
        ratio=seconds["kept"] / seconds["empty"],
        promise=None,
        same_work="the same trades; a test holds that the second compiles nothing",
    )


def _process_seconds(cache: str) -> float:
    before = os.times()
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    subprocess.run([sys.executable, "-c", ONE_TRADE], cwd=PROJECT, env=environment, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system
