"""What one run over a million minutes costs beside vectorbt and backtesting.py: from prices by indicators to trade records.

The rule is the same on all sides (`benchmarks.market`) and as simple as the peers need it: no spread, slippage or swap, on a
market where their fills coincide with ours. Our kernel does its full work all the same, it knows no simpler one. Setups overlap,
so the rule that is equal to ours has trades as dense as they are; one trade at a time is simpler than what vectorbt knows, and
is shown without a promise about it. Every side computes indicators with what it has; all gains are compared before anything is
timed. Times are processor time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.harness import Comparison, Promise, median, processor_seconds, take_turns
from benchmarks.market import CALENDAR, FREE, SETUP_EVERY, SETUP_HELD, candidates, m1_walk, our_levels, our_trades
from benchmarks.peers import speed
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.trades import UNITS_PER_USD, resolve

BARS = 1_000_000
ALIKE_USD = 1e-6
ENGINES: tuple[speed.Engine, ...] = ("numba", "rust")

Way = Callable[[], object]


def compare() -> list[Comparison]:
    """As setups lie; simpler, one trade at a time with one target and with two; and one target from given decisions."""
    bars = m1_walk(BARS)
    return [*_as_setups_lie(bars), *_one_target(bars), *_two_targets(bars), *_without_indicators(bars)]


def _as_setups_lie(bars: BaseBars) -> list[Comparison]:
    """Only vectorbt's numba engine has the callback that moves the stop; it needs a column for each trade open at once."""
    prices = speed.in_dollars(bars)

    def vectorbt() -> np.ndarray:
        made = speed.vectorbt_levels(bars, prices, engine="rust", two=True, every=SETUP_EVERY, held=SETUP_HELD)
        return speed.vectorbt_trades(prices, made, engine="numba", two=True)

    ways: dict[str, Way] = {
        "ours": lambda: our_trades(bars, two=True, every=SETUP_EVERY, held=SETUP_HELD),
        "vectorbt numba": vectorbt,
    }
    return _rows(ways, work=f"indicators, two targets, moved stop, overlapping as setups do, {len(bars):,} bars", vectorbt=20)


def _one_target(bars: BaseBars) -> list[Comparison]:
    prices = speed.in_dollars(bars)

    def vectorbt(engine: speed.Engine) -> np.ndarray:
        return speed.vectorbt_trades(prices, speed.vectorbt_levels(bars, prices, engine=engine), engine=engine)

    ways: dict[str, Way] = {"ours": lambda: our_trades(bars)}
    ways |= {f"vectorbt {engine}": partial(vectorbt, engine) for engine in ENGINES}
    ways["backtesting.py"] = lambda: speed.backtesting_trades(bars, _frame(prices))
    return _rows(ways, work=f"indicators and one target, {len(bars):,} bars", backtesting=300)


def _two_targets(bars: BaseBars) -> list[Comparison]:
    """Only vectorbt's numba engine has the callback that moves the stop."""
    prices = speed.in_dollars(bars)

    def vectorbt() -> np.ndarray:
        return speed.vectorbt_trades(
            prices, speed.vectorbt_levels(bars, prices, engine="rust", two=True), engine="numba", two=True
        )

    ways: dict[str, Way] = {
        "ours": lambda: our_trades(bars, two=True),
        "vectorbt numba": vectorbt,
        "backtesting.py": lambda: speed.backtesting_trades(bars, _frame(prices), two=True),
    }
    return _rows(ways, work=f"indicators, two targets, moved stop, {len(bars):,} bars", backtesting=300)


def _without_indicators(bars: BaseBars) -> list[Comparison]:
    prices, made = speed.in_dollars(bars), our_levels(bars)
    given = candidates(made, bars)
    ways: dict[str, Way] = {"ours": lambda: resolve(given, bars, calendar=CALENDAR, costs=FREE, grace=timedelta(0))}
    ways |= {f"vectorbt {engine}": partial(speed.vectorbt_trades, prices, made, engine=engine) for engine in ENGINES}
    return _rows(ways, work=f"one target from given decisions, {len(bars):,} bars")


def _frame(prices: speed.Prices) -> pd.DataFrame:
    return pd.DataFrame({name.title(): values for name, values in prices.items()})


def _rows(ways: dict[str, Way], *, work: str, vectorbt: int | None = None, backtesting: int | None = None) -> list[Comparison]:
    """Ours beside the fastest engine of vectorbt, and beside backtesting.py where it takes part."""
    same = _same_gains(ways)
    times = take_turns({name: partial(processor_seconds, way) for name, way in ways.items()})
    medians = {name: 1000.0 * median(seconds) for name, seconds in times.items()}
    fastest = min((name for name in medians if name.startswith("vectorbt")), key=medians.__getitem__)
    promises = {fastest: vectorbt, "backtesting.py": backtesting}
    return [
        Comparison(
            work=work,
            against=name,
            ours=medians["ours"],
            floor=medians[name],
            unit="ms",
            ratio=medians[name] / medians["ours"],
            promise=Promise(">=", least) if least else None,
            same_work=same,
        )
        for name, least in promises.items()
        if name in medians
    ]


def _same_gains(ways: dict[str, Way]) -> str:
    """Run every way once, refuse to go on when a gain differs, and say what was compared."""
    gains = {name: _gains(way()) for name, way in ways.items()}
    for name, of_peer in gains.items():
        if len(of_peer) != len(gains["ours"]) or np.abs(of_peer - gains["ours"]).max() > ALIKE_USD:
            raise RuntimeError(f"{name} did not make the trades that we made")
    return f"{len(gains['ours']):,} trades, every gain compared"


def _gains(made: object) -> np.ndarray:
    """USD/oz of each trade in order of entry; two halves are one trade."""
    if isinstance(made, pd.DataFrame):
        halves, entries = made["PnL"].to_numpy(), made["EntryBar"].to_numpy()
    else:
        assert isinstance(made, np.ndarray)
        if "gross" in made.dtype.names:
            return made["gross"] / UNITS_PER_USD
        ordered = made[np.lexsort((made["col"], made["entry_idx"]))]
        halves, entries = ordered["pnl"], ordered["entry_idx"]
    _, first, parts = np.unique(entries, return_index=True, return_counts=True)
    return np.add.reduceat(halves, first) / parts
