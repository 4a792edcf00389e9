"""Write docs/explanation/results-on-recorded-data.md from the recorded H1 files: what the strategies made there, honestly.

Run with `python -m goldsignal_pipeline_tests.docs.results_on_recorded_data`, with the recorded candles beside the project; the
random entries take some minutes. A test holds every figure but theirs to the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.selection.gate import GateReason
from goldsignal_pipeline.selection.history import History, Record
from goldsignal_pipeline.settings import PROJECT_ROOT
from goldsignal_pipeline.simulation.bootstrap import bootstrap_interval
from goldsignal_pipeline.simulation.closed_trades import KEY, scored
from goldsignal_pipeline.simulation.random_entries import MISSING, p_values, random_entries
from goldsignal_pipeline.simulation.rolling import iso_week, track_metrics
from goldsignal_pipeline.simulation.scored_trades import MICRO_R, ScoredTrades
from goldsignal_pipeline_tests.conftest import SHARED_DATA
from goldsignal_pipeline_tests.market.candle_data import CALENDAR
from goldsignal_pipeline_tests.selection.recorded_history import (
    FILES,
    months_of,
    recorded_history,
    recorded_record,
    trading_days,
)
from goldsignal_pipeline_tests.strategies.records import NAMES

PAGE: Final = PROJECT_ROOT / "docs" / "explanation" / "results-on-recorded-data.md"
COMMAND: Final = "python -m goldsignal_pipeline_tests.docs.results_on_recorded_data"
TITLES: Final = {"mt5-ejtraderlabs": "ejtraderlabs, H1", "oanda-lean-bid": "OANDA, H1, bid"}
EVERYTHING_DAYS: Final = 36_525
"""A window of a hundred years: all trades of a file."""

TRADE_HEAD: Final = (
    "strategy",
    "trades",
    "missed",
    "win rate",
    "profit factor",
    "expectancy, R",
    "error, R",
    "95 % interval, R",
    "largest drawdown, R",
)
CHANCE_HEAD: Final = ("strategy", "p-value", "chance before, R", "chance after, R")
SIGNAL_HEAD: Final = (
    "strategy",
    "signals",
    "closed",
    "win rate",
    "expectancy, R",
    "error, R",
    "95 % interval, R",
    "left healthy",
)


def trade_rows(history: History, record: Record, *, name: str) -> Iterator[list[str]]:
    """A row for each strategy: all its trades, whether the gate took them or not."""
    trades = scored(history.trades.closed())
    for strategy in NAMES:
        measured, interval = _measured(trades[trades["strategy"] == strategy], record, key=f"{name}/{strategy}/trades")
        yield [
            strategy,
            f"{int(measured['trades']):,}",
            f"{int(measured['missed']):,}",
            f"{measured['win_rate']:.3f}",
            f"{measured['profit_factor']:.2f}",
            f"{measured['expectancy']:.3f}",
            f"{measured['expectancy_error']:.3f}",
            _interval(interval),
            f"{measured['max_drawdown_r']:,.0f}",
        ]


def signal_rows(history: History, record: Record, *, name: str) -> Iterator[list[str]]:
    """A row for each strategy: the signals that the gate gave, and how often health left `healthy`."""
    signals = history.signals()
    closed = scored(signals[signals["resolved_at"].notna()])
    for strategy in NAMES:
        own = closed[closed["strategy"] == strategy]
        measured, interval = _measured(own, record, key=f"{name}/{strategy}/signals")
        moved = sum(track[0] == strategy and move.before.value == "healthy" for track, move in history.folded.transitions)
        yield [
            strategy,
            f"{int((signals['strategy'] == strategy).sum()):,}",
            f"{int(measured['trades']):,}",
            f"{measured['win_rate']:.3f}",
            f"{measured['expectancy']:.3f}",
            f"{measured['expectancy_error']:.3f}",
            _interval(interval),
            str(moved),
        ]


def verdict_rows(histories: Sequence[History]) -> Iterator[list[str]]:
    """A row for acceptance and for each reason: how many setups of each file it was the first for."""
    counts = [Counter(one.reasons[0].value if one.reasons else "accepted" for one in each.folded.decisions) for each in histories]
    for verdict in ("accepted", *(reason.value for reason in GateReason)):
        if any(count[verdict] for count in counts):
            yield [f"`{verdict}`", *(f"{count[verdict]:,}" for count in counts)]


def rate_sentence(history: History, record: Record) -> str:
    """How often a signal was given from the 13th month on."""
    warm = months_of(record)[12:]
    given = sum(one.is_accepted and f"{one.at:%Y-%m}" >= warm[0] for one in history.folded.decisions)
    days = trading_days(record, first_month=warm[0])
    return f"From the 13th month on {given:,} signals were given in {days:,} trading days, {given / days:.2f} a day."


def lines(cells: Iterable[Sequence[str]]) -> list[str]:
    """Rows of a table."""
    return [f"| {' | '.join(row)} |" for row in cells]


def _measured(trades: pd.DataFrame, record: Record, *, key: str) -> tuple[pd.Series, tuple[float, float]]:
    """Metrics of all these trades, and the bootstrap interval of their expectancy."""
    own = ScoredTrades.of(trades)
    metrics = track_metrics(own, days=_end(record), calendar=CALENDAR, record_start=record.start, windows_days=(EVERYTHING_DAYS,))
    return pd.DataFrame(metrics).iloc[0], bootstrap_interval(own.net_micro_r, weeks=iso_week(own.resolved_at), key=key)


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _end(record: Record) -> np.ndarray:
    """The first day after the record, to be measured as of."""
    last = instants_of(record.candles[Timeframe.H1]["timestamp"])[-1].astype("datetime64[D]")
    return np.array([last + np.timedelta64(1, "D")])


def chance_rows(history: History, record: Record) -> Iterator[list[str]]:
    """A row for each strategy: the p-value against 1,000 random entries for each trade, and what those made in the mean.

    Those that are due before the day on which the trade itself is due are told apart from those due after it.
    """
    drawn = random_entries(
        scored(history.trades.closed()),
        setups=history.evaluation.accepted(),
        bars=record.bars,
        candles=record.candles,
        symbol="XAUUSD",
        calendar=CALENDAR,
    )
    found = p_values(drawn, days=_end(record), windows_days=(EVERYTHING_DAYS,))
    by_strategy = dict(zip(found["strategy"], found["p_value"], strict=True))
    key = list(KEY)
    own = drawn.trades[key].merge(history.trades.frame[[*key, "deadline"]], on=key, how="left")
    days = instants_of(own["deadline"]).astype("datetime64[D]").astype(np.int64)[:, np.newaxis]
    known = drawn.micro_r != MISSING
    for strategy in NAMES:
        rows = (drawn.trades["strategy"] == strategy).to_numpy()[:, np.newaxis]
        before, after = (drawn.micro_r[rows & known & where].mean() / MICRO_R for where in (drawn.due < days, drawn.due > days))
        yield [strategy, f"{by_strategy[strategy]:.3f}", f"{before:.3f}", f"{after:.3f}"]


def page() -> str:
    """The whole page; raises ValueError where its sentences would not be true any more."""
    histories = {name: (recorded_history(SHARED_DATA, name), recorded_record(SHARED_DATA, name)) for name in FILES}
    parts = [INTRODUCTION]
    for name, (history, record) in histories.items():
        rows, given = (list(make(history, record, name=name)) for make in (trade_rows, signal_rows))
        _refuse_an_edge(rows, column=7)
        _refuse_an_edge(given, column=6)
        hours = record.candles[Timeframe.H1]["timestamp"]
        span = f"{hours.iloc[0]:%Y-%m-%d} to {hours.iloc[-1]:%Y-%m-%d}, {len(hours):,} bars"
        parts += [f"## {TITLES[name]}: {span}\n", "Every trade of every setup, before the gate:\n", *_table(TRADE_HEAD, rows)]
        parts += ["", "Random entries in their place:\n", *_table(CHANCE_HEAD, chance_rows(history, record))]
        parts += ["", "Signals, the setups that the gate let pass:\n", *_table(SIGNAL_HEAD, given)]
        parts += ["", rate_sentence(history, record), ""]
    parts += ["## Verdicts\n", "The first reason for which a setup was turned away:\n"]
    parts += _table(("verdict", *(TITLES[name] for name in FILES)), verdict_rows([history for history, _ in histories.values()]))
    return "\n".join(parts) + "\n"


def _refuse_an_edge(rows: Sequence[Sequence[str]], *, column: int) -> None:
    better = [row[0] for row in rows if float(row[column].split(" to ")[0]) > 0]
    if better:
        raise ValueError(f"the page says that nothing has an edge, but the interval of {better} lies above 0: write it anew")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [*lines([head]), "|" + "---|" * len(head), *lines(rows)]


INTRODUCTION: Final = f"""# Results on recorded data

<!-- Made by `{COMMAND}`; do not edit. -->

**No strategy has a demonstrated edge on these files.** No 95 % interval of an expectancy lies above 0.
GoldSignal proves that its figures are computed rightly, not that following them pays.

Both files went through the path of the product: setups by the four strategies with their default parameters, trades by the one
kernel (next open, spread of the session, slippage, swap, stop first), metrics and decisions as of each day. The base is H1, which
is coarse: a trade is entered at the first open after the confirming close, and where a bar holds stop and target the stop
counts. The account is 100,000 USD. Results are in R, the distance from fill to stop. The recordings belong to their makers and
are not part of the project.

The *error* is clustered by ISO week and the *interval* drawn from whole weeks. The *p-value* is the share of 1,000 sets of random
entries (same month, session, direction and multiples of ATR, same costs) that did at least as well. Random entries of a month may
also come before the move that made the strategy speak, and share in it: *chance before* is the mean result of those due before
the trade, *chance after* of those due after it. A strategy that follows a trend is thus compared with one that foresaw it, and a
p-value near 1 is no proof of harm. This page shows {len(NAMES) * len(FILES)} p-values; the smallest of so many is small by chance
alone.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
