"""What a sweep of 1,000 parameter sets over 100,000 minutes costs beside vectorbt: trade records, and summaries of them.

Both sides are given the decisions of every set (four pairs of averages, ten stops, twenty-five targets) and what can be prepared
from them outside the clock. Ours looks entries and deadlines up once, because all sets decide at the same bars, and walks every
set with the kernel. vectorbt takes ten sets a call, which was its quickest. Gains and summaries are compared in the first round.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product

import numpy as np
import vectorbt as vbt

from benchmarks.harness import Comparison, Promise, median, take_turns
from benchmarks.market import CALENDAR, Floats, Levels, candidates, levels, m1_walk
from benchmarks.peers.speed import Engine, Prices, in_dollars
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.simulation import kernel
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.records import TRADE_DTYPE, BarArrays, CandidateArrays, Terms
from goldsignal_pipeline.simulation.trades import UNITS_PER_USD, deadlines, entry_bars
from goldsignal_pipeline.strategies import indicators

BARS = 100_000
PAIRS = ((13, 34), (21, 50), (34, 89), (50, 200))
RISKS = np.linspace(3.0, 5.0, 10)
REWARDS = np.linspace(1.0, 4.0, 25)
SETS_A_CALL = 10
SUMMARY = ("trades", "win_rate", "total", "best", "worst")


@dataclass(frozen=True, slots=True)
class Swept:
    """Processor seconds up to the trade records and up to the summaries; gains and summaries of every set, in USD/oz."""

    records: float
    summaries: float
    gains: Floats
    summary: Floats


def compare() -> list[Comparison]:
    """Ours beside the faster engine of vectorbt."""
    bars = m1_walk(BARS)
    sets = list(_sets(bars))
    ways = {"ours": partial(_ours, bars, sets)}
    ways |= {f"vectorbt {engine}": partial(_vectorbt, in_dollars(bars), sets, engine) for engine in ("numba", "rust")}
    swept = take_turns(ways)
    _refuse_differences({name: results[0] for name, results in swept.items()})
    same = f"{len(sets):,} sets, {swept['ours'][0].gains.size:,} trades, every gain compared"
    return [_row(swept, kind, bound=bound, same=same, bars=bars) for kind, bound in (("records", 15), ("summaries", 30))]


def _sets(bars: BaseBars) -> Iterator[Levels]:
    close, high, low = (prices.astype(np.float64) for prices in (bars.close, bars.high, bars.low))
    atr = indicators.atr(high, low, close)
    for fast, slow in PAIRS:
        averages = {"fast": indicators.ema(close, period=fast), "slow": indicators.ema(close, period=slow)}
        for risk, reward in product(RISKS, REWARDS):
            yield levels(bars, **averages, atr=atr, risk_atr=float(risk), reward=float(reward))


def _ours(bars: BaseBars, sets: list[Levels]) -> Swept:
    """Records are kept no longer than their set; of each the gains remain, of which all summaries are made at once."""
    gains = np.empty((len(sets), len(sets[0].at)))
    names = ("open", "high", "low", "close", "bid_below", "ask_above", "rolls")
    instants = [moments.view(np.int64) for moments in (bars.opens, bars.closes)]
    arrays = BarArrays(*instants, *(getattr(bars, name) for name in names))
    terms = Terms(int(bars.known_until.astype(np.int64)), 0, 0, 0)
    started = time.process_time()
    first = candidates(sets[0], bars)
    entries = entry_bars(first, bars, grace=timedelta(0))
    due = deadlines(first, entries, bars, calendar=CALENDAR).view(np.int64)
    for number, made in enumerate(sets):
        trades = np.zeros(len(entries), dtype=TRADE_DTYPE)
        prices = (made.direction, made.reference, made.stop, made.target_one, made.target_two)
        kernel.resolve_trades(arrays, CandidateArrays(*prices, entries, due), terms, trades)
        gains[number] = trades["gross"]
    gains /= UNITS_PER_USD
    recorded = time.process_time()
    parts = [(gains > 0).mean(axis=1), gains.sum(axis=1), gains.max(axis=1), gains.min(axis=1)]
    summary = np.column_stack([np.full(len(sets), gains.shape[1]), *parts])
    return Swept(recorded - started, time.process_time() - started, gains, summary)


def _vectorbt(prices: Prices, sets: list[Levels], engine: Engine) -> Swept:
    parts = [_some_sets(prices, sets[at : at + SETS_A_CALL], engine) for at in range(0, len(sets), SETS_A_CALL)]
    seconds = [sum(getattr(part, kind) for part in parts) for kind in ("records", "summaries")]
    return Swept(*seconds, *(np.concatenate([getattr(part, kind) for part in parts]) for kind in ("gains", "summary")))


def _some_sets(prices: Prices, sets: list[Levels], engine: Engine) -> Swept:
    shape = (len(prices["close"]), len(sets))
    buys, sells, exits = (np.zeros(shape, dtype=bool) for _ in range(3))
    stops, gains = np.full(shape, np.nan), np.full(shape, np.nan)
    price = prices["open"].copy()
    for column, made in enumerate(sets):
        entry, filled = made.at + 1, prices["open"][made.at + 1]
        buys[entry, column], sells[entry, column] = made.direction > 0, made.direction < 0
        exits[made.at + made.held, column] = True
        price[made.at + made.held] = prices["close"][made.at + made.held]
        stops[entry, column] = made.direction * (1 - made.stop / TICKS_PER_USD / filled)
        gains[entry, column] = made.direction * (made.target_two / TICKS_PER_USD / filled - 1)
    candle = {name: values[:, np.newaxis] for name, values in prices.items()}
    started = time.process_time()
    portfolio = vbt.Portfolio.from_signals(
        candle["close"], buys, exits, sells, exits, price=price[:, np.newaxis], open=candle["open"], high=candle["high"],
        low=candle["low"], size=1.0, init_cash=1e9, sl_stop=stops, tp_stop=gains, stop_entry_price="price",
        stop_exit_price="stoplimit", engine=engine,
    )  # fmt: skip
    records = portfolio.trades.records_arr
    recorded = time.process_time()
    trades = portfolio.trades
    pnl = trades.pnl
    summary = [trades.count(), trades.win_rate(), pnl.sum(), pnl.max(), pnl.min()]
    summed = time.process_time()
    gains_by_set = records["pnl"][np.lexsort((records["entry_idx"], records["col"]))].reshape(len(sets), -1)
    return Swept(recorded - started, summed - started, gains_by_set, np.column_stack([np.asarray(part) for part in summary]))


def _refuse_differences(swept: dict[str, Swept]) -> None:
    for name, other in swept.items():
        for kind in ("gains", "summary"):
            if not np.allclose(getattr(other, kind), getattr(swept["ours"], kind), rtol=0, atol=1e-6):
                raise RuntimeError(f"{kind} of {name} differ from ours")


def _row(swept: dict[str, list[Swept]], kind: str, *, bound: float, same: str, bars: BaseBars) -> Comparison:
    medians = {name: median([getattr(result, kind) for result in results]) for name, results in swept.items()}
    fastest = min((name for name in medians if name != "ours"), key=medians.__getitem__)
    return Comparison(
        work=f"sweep of {len(bars):,} bars, {kind}",
        against=fastest,
        ours=medians["ours"],
        floor=medians[fastest],
        unit="s",
        ratio=medians[fastest] / medians["ours"],
        promise=Promise(">=", bound),
        same_work=same,
    )
