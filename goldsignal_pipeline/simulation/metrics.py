"""Metrics: what windows of one list of closed trades are worth, for any number of windows in one pass.

1. A window is a run [first, stop) of trades in exit order together with the time it covers (`Windows`).
2. Sums are differences of cumulative int64 sums, and what variances subtract from one another are whole numbers of any size:
   exact, so every window equals a from-scratch computation (I13) and equal results have an error of exactly 0.
3. `_clustered` adds squares per cluster (trading day, ISO week); clusters cut by a window's edge count with what lies inside.
4. What depends on the order of trades (median, drawdown, losing run, exposure) is taken from gathered blocks of windows.

A number that is undefined is NaN, stored as NULL; it is never 0 and never 9999. A win is net R above 0, every other trade a loss.
The standard error of the expectancy is clustered: with S the net R and n the trades of a week, m the mean of N trades in G weeks,
error^2 = G / (G - 1) * sum((S - m n)^2) / N^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.simulation.scored_trades import MICRO_R, Flags, Integers, ScoredTrades

Floats = npt.NDArray[np.float64]

TRADING_DAYS_PER_YEAR: Final = 252
FEWEST_TRADING_DAYS: Final = 20
METRIC_COLUMNS: Final = (
    "trades",
    "wins",
    "win_rate",
    "profit_factor",
    "expectancy",
    "expectancy_error",
    "median_r",
    "average_win_r",
    "average_loss_r",
    "sharpe",
    "sortino",
    "max_drawdown_r",
    "calmar",
    "average_hold_hours",
    "exposure",
    "longest_losing_run",
    "ambiguous",
    "missed",
)
_BLOCK_CELLS: Final = 1_000_000
# Beyond this a sum of squares could leave int64; no market has produced a hundredth of it.
_LARGEST_SUM: Final = 4e18


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows over `ScoredTrades`: runs [first, stop) of trades, and the time that each covers.

    `opens` and `closes` are in market-open minutes since any fixed instant, as are `entry_minutes` and `exit_minutes` of the
    trades; `trading_days` counts the trading days a window touches. `day_of_trade` and `week_of_trade` are non-decreasing labels.
    """

    first: Integers
    stop: Integers
    missed: Integers
    opens: Integers
    closes: Integers
    trading_days: Integers
    day_of_trade: Integers
    week_of_trade: Integers
    entry_minutes: Integers
    exit_minutes: Integers


def window_metrics(trades: ScoredTrades, *, windows: Windows) -> dict[str, npt.NDArray[np.generic]]:
    """Every metric of `METRIC_COLUMNS` for every window, arrays of the windows' length."""
    first, stop = windows.first, windows.stop
    net = trades.net_micro_r
    count = stop - first
    wins = _sums(net > 0, first, stop)
    total = _sums(net, first, stop)
    won = _sums(np.maximum(net, 0), first, stop)
    columns: dict[str, npt.NDArray[np.generic]] = {
        "trades": count,
        "wins": wins,
        "win_rate": _ratio(wins, count),
        "profit_factor": _ratio(won, won - total),
        "expectancy": _ratio(total, count) / MICRO_R,
        "expectancy_error": _clustered_error(net, windows=windows),
        "average_win_r": _ratio(won, wins) / MICRO_R,
        "average_loss_r": _ratio(total - won, count - wins) / MICRO_R,
        "average_hold_hours": _ratio(_sums(trades.hold_minutes, first, stop), count) / 60,
        "ambiguous": _sums(trades.is_ambiguous, first, stop),
        "missed": windows.missed,
    }
    columns |= _ordered_metrics(net, windows=windows)
    daily_mean = _ratio(total, windows.trading_days) / MICRO_R
    columns |= _daily_ratios(net, total=total, daily_mean=daily_mean, windows=windows)
    columns["calmar"] = _ratio(daily_mean * TRADING_DAYS_PER_YEAR, np.asarray(columns["max_drawdown_r"], dtype=np.float64))
    return {name: columns[name] for name in METRIC_COLUMNS}


def clustered_error(net_r: Floats, clusters: Integers) -> float:
    """Standard error of the mean of `net_r` (R) with clusters (integer labels, any order); NaN below two clusters."""
    order = np.argsort(clusters, kind="stable")
    micro = np.rint(net_r[order] * MICRO_R).astype(np.int64)
    first, stop = np.array([0]), np.array([len(micro)])
    return float(_errors(micro, labels=clusters[order], first=first, stop=stop)[0])


def _clustered_error(net: Integers, *, windows: Windows) -> Floats:
    return _errors(net, labels=windows.week_of_trade, first=windows.first, stop=windows.stop)


def _errors(net: Integers, *, labels: Integers, first: Integers, stop: Integers) -> Floats:
    ones = np.ones(len(net), dtype=np.int64)
    squares, crossed, counts = (_clustered(*pair, labels, first, stop) for pair in ((net, net), (net, ones), (ones, ones)))
    clusters, trades = _whole(_cluster_counts(labels, first, stop)), _whole(stop - first)
    total = _whole(_sums(net, first, stop))
    residual = trades**2 * _whole(squares) - 2 * trades * total * _whole(crossed) + total**2 * _whole(counts)
    return np.sqrt(_exact_ratio(clusters * residual, (clusters - 1) * trades**4 * MICRO_R**2))


def _daily_ratios(net: Integers, *, total: Integers, daily_mean: Floats, windows: Windows) -> dict[str, npt.NDArray[np.generic]]:
    """Sharpe (sample deviation) and Sortino (root mean square of the negative days), both x sqrt(252)."""
    labels, first, stop = windows.day_of_trade, windows.first, windows.stop
    squares = _clustered(net, net, labels, first, stop)
    losing = _clustered(net, net, labels, first, stop, only_negative=True)
    days = _whole(windows.trading_days)
    # A trade that exits at the instant a window opens is booked on the day before, which the window does not touch.
    spread = np.maximum(days * _whole(squares) - _whole(total) ** 2, 0)
    deviation = np.sqrt(_exact_ratio(spread, days * (days - 1) * MICRO_R**2))
    downside = np.sqrt(_exact_ratio(_whole(losing), days * MICRO_R**2))
    annual = np.sqrt(TRADING_DAYS_PER_YEAR)
    defined = (windows.trading_days >= FEWEST_TRADING_DAYS) & (deviation > 0)
    return {
        name: np.where(defined, _ratio(daily_mean, risk) * annual, np.nan)
        for name, risk in (("sharpe", deviation), ("sortino", downside))
    }


def _clustered(
    left: Integers, right: Integers, labels: Integers, first: Integers, stop: Integers, *, only_negative: bool = False
) -> Integers:
    """Per window the sum over its clusters of (sum of left) x (sum of right), clusters cut to the window.

    `only_negative` leaves out the clusters whose sum of left is not negative.
    """

    def product(begin: Integers, end: Integers) -> Integers:
        sums = _sums(left, begin, end)
        result = sums * _sums(right, begin, end)
        return np.where(sums < 0, result, 0) if only_negative else result

    starts, number = _cluster_starts(labels)
    ends = np.append(starts[1:], len(labels)).astype(np.int64)
    whole = product(starts, ends)
    if float(np.sum(np.abs(whole.astype(np.float64)))) > _LARGEST_SUM:
        raise DataError("the net R of these trades is absurdly large", done="no metric was computed")
    empty = stop <= first
    low, high = np.where(empty, 0, first), np.where(empty, 1, stop)
    if not len(labels):
        return np.zeros(len(first), dtype=np.int64)
    cluster_first, cluster_last = number[low], number[high - 1]
    same = cluster_first == cluster_last
    inner = _sums(whole, np.minimum(cluster_first + 1, cluster_last), cluster_last)
    edges = product(low, np.minimum(ends[cluster_first], high)) + np.where(same, 0, product(starts[cluster_last], high))
    return np.where(empty, 0, inner + edges)


def _cluster_counts(labels: Integers, first: Integers, stop: Integers) -> Integers:
    if not len(labels):
        return np.zeros(len(first), dtype=np.int64)
    _, number = _cluster_starts(labels)
    empty = stop <= first
    low, high = np.where(empty, 0, first), np.where(empty, 1, stop)
    return np.where(empty, 0, number[high - 1] - number[low] + 1)


def _cluster_starts(labels: Integers) -> tuple[Integers, Integers]:
    """Where each run of equal labels begins, and the number of the run of every trade."""
    begins = np.append(True, labels[1:] != labels[:-1]) if len(labels) else np.zeros(0, dtype=bool)
    return np.flatnonzero(begins).astype(np.int64), np.asarray(np.cumsum(begins) - 1, dtype=np.int64)


def _ordered_metrics(net: Integers, *, windows: Windows) -> dict[str, npt.NDArray[np.generic]]:
    """Median, drawdown, losing run and exposure, which no cumulative sum can give, block by block of windows."""
    number = len(windows.first)
    median, drawdown, exposure = (np.full(number, np.nan) for _ in range(3))
    run = np.zeros(number, dtype=np.int64)
    widest = int(np.max(windows.stop - windows.first, initial=1))
    step = max(1, _BLOCK_CELLS // max(widest, 1))
    for begin in range(0, number, step):
        part = slice(begin, begin + step)
        first, stop = windows.first[part], windows.stop[part]
        index = first[:, None] + np.arange(int(np.max(stop - first, initial=0)))
        inside = index < stop[:, None]
        index = np.where(inside, index, 0)
        if inside.any():
            values = net[index]
            median[part], drawdown[part] = _medians(values, inside), _drawdowns(values, inside)
            run[part] = _longest_runs((values <= 0) & inside)
        exposure[part] = _exposures(index, inside, windows=windows, part=part)
    return {"median_r": median, "max_drawdown_r": drawdown, "longest_losing_run": run, "exposure": exposure}


def _medians(values: Integers, inside: Flags) -> Floats:
    """Medians per row; the mean of the two middle values where their number is even."""
    ordered = np.sort(np.where(inside, values, np.iinfo(np.int64).max), axis=1)
    count = inside.sum(axis=1)
    rows = np.arange(len(count))
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, np.maximum(count, 1) // 2]
    high = np.where(count % 2 == 0, high, low)
    return np.where(count > 0, (low / 2 + high / 2) / MICRO_R, np.nan)


def _drawdowns(values: Integers, inside: Flags) -> Floats:
    """Deepest fall of cumulated R from its peak, which is 0 at the beginning; 0 when it never fell."""
    cumulated = np.cumsum(np.where(inside, values, 0), axis=1)
    peaks = np.maximum(np.maximum.accumulate(cumulated, axis=1), 0)
    return np.where(inside.any(axis=1), np.max(peaks - cumulated, axis=1) / MICRO_R, np.nan)


def _longest_runs(losing: Flags) -> Integers:
    position = np.arange(1, losing.shape[1] + 1)
    last_other = np.maximum.accumulate(np.where(losing, 0, position), axis=1)
    return np.asarray(np.max(np.where(losing, position - last_other, 0), axis=1), dtype=np.int64)


def _exposures(index: Integers, inside: Flags, *, windows: Windows, part: slice) -> Floats:
    """Share of a window's market-open minutes in which at least one of its trades was open.

    In exit order later trades cover earlier ones only from the right: what a trade adds ends where the earliest later entry is.
    """
    opens, closes = windows.opens[part], windows.closes[part]
    if not inside.any():
        return np.where(closes > opens, 0.0, np.nan)
    far = np.iinfo(np.int64).max
    entries = np.where(inside, np.maximum(windows.entry_minutes[index], opens[:, None]), far)
    exits = np.minimum(windows.exit_minutes[index], closes[:, None])
    earliest = np.minimum.accumulate(entries[:, ::-1], axis=1)[:, ::-1]
    later = np.concatenate([earliest[:, 1:], np.full((len(earliest), 1), far)], axis=1)
    covered = np.where(inside, np.maximum(np.minimum(exits, later) - entries, 0), 0).sum(axis=1)
    return _ratio(covered, closes - opens)


def _sums(values: Integers | Flags, first: Integers, stop: Integers) -> Integers:
    """Sums of values[first:stop], exact."""
    cumulated = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return np.asarray(cumulated[np.maximum(stop, first)] - cumulated[first])


def _ratio(numerator: Integers | Floats, denominator: Integers | Floats) -> Floats:
    """Quotients as float64, NaN where the denominator is not above 0."""
    above, below = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    quotient = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient


def _whole(values: Integers) -> npt.NDArray[np.object_]:
    """The same numbers as whole numbers of any size: products of sums leave int64."""
    return values.astype(object)


def _exact_ratio(numerator: npt.NDArray[np.object_], denominator: npt.NDArray[np.object_]) -> Floats:
    """Quotients of whole numbers, each rounded once; NaN where the denominator is not above 0."""
    pairs = zip(numerator.tolist(), denominator.tolist(), strict=True)
    return np.array([above / below if below > 0 else np.nan for above, below in pairs], dtype=np.float64)
