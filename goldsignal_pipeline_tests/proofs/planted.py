"""Planted leaks, each beside a clean twin that does nearly the same with what it can know.

Most pairs are two ways to measure every bar; a bar is a setup where the measure is positive, which few are, and the risk is two
ATR14. Pairs of `LEVELS` differ in what a setup carries, those of `REAL` spoil one of the four strategies, those of `STATES`
remember, those of `SIDES` tell BUY from SELL, and those of `BANNED` ask what the ban forbids.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.record import Record, record_of
from goldsignal_pipeline.proofs.simulated import simulated_record
from goldsignal_pipeline.strategies.base import Candidates, Condition, Parameters, Strategy
from goldsignal_pipeline.strategies.breakout_expansion import BreakoutExpansion
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.ema_momentum import EmaMomentum
from goldsignal_pipeline.strategies.indicators import Floats
from goldsignal_pipeline.strategies.liquidity_sweep import LiquiditySweep
from goldsignal_pipeline.strategies.trend_continuation import TrendContinuation

Measure = Callable[[DirectedBars], Floats]
FIRST = 100
"""Bars of the warm-up that no measure needs more of."""


class Planted(Strategy):
    """A setup wherever a measure is positive."""

    name = "planted"
    version = "1"
    description = "A setup wherever a measure is positive."
    parameters = Parameters()

    def __init__(self, measure: Measure) -> None:
        self.measure = measure

    def find(self, bars: DirectedBars) -> Candidates:
        measured = np.asarray(self.measure(bars), dtype=np.float64)
        at = np.flatnonzero(measured > 0)
        at = at[at >= FIRST]
        risk = np.rint(2 * bars.atr[at])
        stop, targets = self.stop(bars, at, risk), (bars.close[at] + r * risk for r in (1.5, 3.0))
        conditions = (Condition("signal", measured[at], ">", 0.0), *self.optional(bars, at))
        return Candidates(at, at, stop, *targets, stop, conditions)

    def stop(self, bars: DirectedBars, at: np.ndarray, risk: Floats) -> Floats:
        return bars.close[at] - risk

    def optional(self, bars: DirectedBars, at: np.ndarray) -> tuple[Condition, ...]:
        return ()


@dataclass(frozen=True)
class Pair:
    """`proofs` are those that must find the leak, each of them."""

    name: str
    leak: Callable[[], Strategy]
    twin: Callable[[], Strategy]
    proofs: tuple[str, ...]


@cache
def short_record() -> Record:
    """Two months of the simulated market, which are warm for what needs 21 days."""
    bars = simulated_record(Planted(last_close), timeframe=Timeframe.H1).candles[Timeframe.H1]
    bars = bars[bars["timestamp"] >= "2024-09-05"].reset_index(drop=True)
    return record_of(bars, given=Timeframe.H1, timeframe=Timeframe.H1, warm_up_days=21)


def record_for(strategy: Strategy) -> Record:
    """The short record for a planted strategy, a whole one for the four, whose setups are rarer."""
    return short_record() if isinstance(strategy, Planted) else simulated_record(strategy, timeframe=Timeframe.H1)


FUTURE = ("prefix", "future_noise", "future_gaps", "future_nan")
SOME = ("prefix", "future_noise", "future_nan")


def measured(name: str, leak: Measure, twin: Measure, *proofs: str) -> Pair:
    return Pair(name, lambda: Planted(leak), lambda: Planted(twin), proofs or FUTURE)


def series(values: np.ndarray) -> pd.Series:
    return pd.Series(values)


def by_time(bars: DirectedBars, values: np.ndarray) -> pd.Series:
    return pd.Series(values, index=pd.DatetimeIndex(bars.opens))


def days(bars: DirectedBars) -> np.ndarray:
    return bars.opens.astype("datetime64[D]")


def four_hours(bars: DirectedBars) -> np.ndarray:
    return bars.opens.astype("datetime64[h]").astype(np.int64) // 4


def above(bars: DirectedBars, level: Floats, *, atr: float) -> Floats:
    """How far the close lies above a level and some ATR."""
    return bars.close - np.asarray(level) - atr * bars.atr


# --- prices of the future, in the guise of an indicator


def centred_mean(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).rolling(11, center=True).mean(), atr=1.0)


def trailing_mean(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).rolling(11).mean(), atr=1.5)


def next_close(bars: DirectedBars) -> Floats:
    return series(bars.close).shift(-1).to_numpy() - bars.close - bars.atr


def last_close(bars: DirectedBars) -> Floats:
    return bars.close - series(bars.close).shift(1).to_numpy() - bars.atr


def central_difference(bars: DirectedBars) -> Floats:
    return np.gradient(bars.close) - 0.8 * bars.atr


def backward_difference(bars: DirectedBars) -> Floats:
    return np.diff(bars.close, prepend=np.nan) - bars.atr


def smoothed_about_itself(bars: DirectedBars) -> Floats:
    return above(bars, np.convolve(bars.close, np.full(9, 1 / 9), mode="same"), atr=1.0)


def smoothed_behind_itself(bars: DirectedBars) -> Floats:
    return above(bars, np.convolve(bars.close, np.full(9, 1 / 9))[: len(bars)], atr=1.5)


def filtered_both_ways(bars: DirectedBars) -> Floats:
    forward = series(bars.close).ewm(span=10).mean()
    return above(bars, forward[::-1].ewm(span=10).mean()[::-1], atr=1.2)


def filtered_twice_forward(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).ewm(span=10).mean().ewm(span=10).mean(), atr=1.8)


def lowest_ahead(bars: DirectedBars) -> Floats:
    return -above(bars, series(bars.low)[::-1].rolling(8).min()[::-1], atr=0.2)


def lowest_behind(bars: DirectedBars) -> Floats:
    return -above(bars, series(bars.low).rolling(8).min(), atr=0.05)


# --- the whole series at once


def standardised_by_all(bars: DirectedBars) -> Floats:
    return (bars.body - bars.body.mean()) / bars.body.std() - 1.8


def standardised_by_the_past(bars: DirectedBars) -> Floats:
    body = series(bars.body)
    return ((body - body.expanding().mean()) / body.expanding().std() - 1.8).to_numpy()


def fitted_on_all(bars: DirectedBars) -> Floats:
    known = ~np.isnan(bars.atr)
    before, after = bars.body[known][:-1], bars.body[known][1:]
    slope, level = np.polyfit(before, after, 1)
    return np.abs(slope * bars.body + level) - 0.12 * bars.atr


def fitted_on_the_first_bars(bars: DirectedBars) -> Floats:
    slope, level = np.polyfit(bars.body[:FIRST][:-1], bars.body[:FIRST][1:], 1)
    return np.abs(slope * bars.body + level) - 0.15 * bars.atr


def detrended_by_a_line_through_all(bars: DirectedBars) -> Floats:
    x = np.arange(len(bars))
    return above(bars, np.polyval(np.polyfit(x, bars.close, 1), x), atr=4.0)


def detrended_by_a_trailing_mean(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.close).rolling(100).mean(), atr=4.0)


def near_the_highest_of_all(bars: DirectedBars) -> Floats:
    return -above(bars, np.full(len(bars), bars.low.min()), atr=3.0)


def near_the_lowest_so_far(bars: DirectedBars) -> Floats:
    return -above(bars, np.minimum.accumulate(bars.low), atr=3.0)


def above_a_quantile_of_all(bars: DirectedBars) -> Floats:
    return bars.body - np.quantile(bars.body, 0.97)


def above_a_trailing_quantile(bars: DirectedBars) -> Floats:
    return bars.body - series(bars.body).rolling(100).quantile(0.97).to_numpy()


def ranked_among_all(bars: DirectedBars) -> Floats:
    return series(bars.body).rank(pct=True).to_numpy() - 0.97


def ranked_among_the_last(bars: DirectedBars) -> Floats:
    return series(bars.body).rolling(100).rank(pct=True).to_numpy() - 0.97


def compared_with_the_last_bar(bars: DirectedBars) -> Floats:
    return bars.body - 0.9 * bars.atr[-1]


def compared_with_the_bar_before(bars: DirectedBars) -> Floats:
    return bars.body - 0.9 * series(bars.atr).shift(1).to_numpy()


def summed_from_the_end(bars: DirectedBars) -> Floats:
    return 15.0 - np.mod(np.cumsum(bars.body[::-1])[::-1], 400.0)


def summed_from_the_origin(bars: DirectedBars) -> Floats:
    return 15.0 - np.mod(np.cumsum(bars.body), 400.0)


def counted_from_the_end(bars: DirectedBars) -> Floats:
    return np.where((len(bars) - np.arange(len(bars))) % 24 == 0, bars.body, 0.0)


def counted_from_the_origin(bars: DirectedBars) -> Floats:
    return np.where(np.arange(len(bars)) % 24 == 0, bars.body, 0.0)


def best_of_the_next_day(bars: DirectedBars) -> Floats:
    gain = series(bars.close).shift(-20).to_numpy() - bars.close
    best = np.argsort(np.nan_to_num(-gain, nan=np.inf), kind="stable")[: len(bars) // 25]
    return np.isin(np.arange(len(bars)), best).astype(float)


def best_of_the_last_day(bars: DirectedBars) -> Floats:
    gain = series(bars.close - series(bars.close).shift(20).to_numpy())
    return (gain.rolling(75).rank() - 72.5).to_numpy()


# --- time frames, holes and labels


def day_of_which_the_end_is_known(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.high).groupby(days(bars)).transform("max"), atr=-0.15)


def day_so_far(bars: DirectedBars) -> Floats:
    return above(bars, series(bars.high).groupby(days(bars)).cummax(), atr=-0.02)


def unshifted_four_hours(bars: DirectedBars) -> Floats:
    return series(bars.close).groupby(four_hours(bars)).transform("last").to_numpy() - bars.close - bars.atr


def closed_four_hours(bars: DirectedBars) -> Floats:
    block = four_hours(bars)
    closes = series(bars.close).groupby(block).last().shift(1)
    return bars.close - closes.reindex(block).to_numpy() - 2 * bars.atr


def labelled_by_its_beginning(bars: DirectedBars) -> Floats:
    coarse = by_time(bars, bars.close).resample("4h", label="left", closed="left").last().dropna()
    return coarse.reindex(pd.DatetimeIndex(bars.opens), method="ffill").to_numpy() - bars.close - bars.atr


def labelled_by_its_end(bars: DirectedBars) -> Floats:
    coarse = by_time(bars, bars.close).resample("4h", label="right", closed="left").last().dropna()
    return bars.close - coarse.reindex(pd.DatetimeIndex(bars.opens), method="ffill").to_numpy() - 2 * bars.atr


def of_noon(bars: DirectedBars) -> pd.Series:
    noon = bars.opens.astype("datetime64[h]").astype(np.int64) % 24 == 12
    return series(np.where(noon, bars.close, np.nan))


def filled_backwards(bars: DirectedBars) -> Floats:
    return above(bars, of_noon(bars).bfill(), atr=4.0)


def filled_forwards(bars: DirectedBars) -> Floats:
    return above(bars, of_noon(bars).ffill(), atr=4.0)


def interpolated(bars: DirectedBars) -> Floats:
    return above(bars, of_noon(bars).interpolate(limit_area="inside"), atr=3.0)


def filled_forwards_in_reverse(bars: DirectedBars) -> Floats:
    levels = of_noon(bars).to_numpy()[::-1]
    last = np.maximum.accumulate(np.where(np.isnan(levels), 0, np.arange(len(levels))))
    return above(bars, levels[last][::-1], atr=4.0)


# --- what is known only later


def early_swings(bars: DirectedBars) -> Floats:
    return np.where(bars.swing_lows(5), 1.0, 0.0)


def known_swings(bars: DirectedBars) -> Floats:
    return np.concatenate([np.zeros(5), np.where(bars.swing_lows(5), 1.0, 0.0)[:-5]])


def rising(bars: DirectedBars) -> np.ndarray:
    return (bars.body > 0.7 * bars.atr) & (np.diff(bars.close, prepend=np.nan) > 0)


def last_of_a_run(bars: DirectedBars) -> Floats:
    follows = np.append(rising(bars)[1:], False)
    return (rising(bars) & ~follows).astype(float)


def first_of_a_run(bars: DirectedBars) -> Floats:
    followed = np.insert(rising(bars)[:-1], 0, False)
    return (rising(bars) & ~followed).astype(float)


MEASURES = (
    measured("centred window", centred_mean, trailing_mean),
    measured("negative shift", next_close, last_close),
    measured("central difference", central_difference, backward_difference),
    measured("smoothing kernel", smoothed_about_itself, smoothed_behind_itself),
    measured("filter run both ways", filtered_both_ways, filtered_twice_forward),
    measured("reversed rolling window", lowest_ahead, lowest_behind),
    measured("whole-series normalisation", standardised_by_all, standardised_by_the_past),
    measured("fit on the future", fitted_on_all, fitted_on_the_first_bars),
    measured("detrending", detrended_by_a_line_through_all, detrended_by_a_trailing_mean),
    measured("global minimum", near_the_highest_of_all, near_the_lowest_so_far),
    measured("quantile of the whole series", above_a_quantile_of_all, above_a_trailing_quantile),
    measured("rank in the whole series", ranked_among_all, ranked_among_the_last),
    measured("last bar", compared_with_the_last_bar, compared_with_the_bar_before),
    measured("sum from the end", summed_from_the_end, summed_from_the_origin),
    measured("count from the end", counted_from_the_end, counted_from_the_origin, "prefix", "future_gaps"),
    measured("sorted by the future", best_of_the_next_day, best_of_the_last_day),
    measured("day's high", day_of_which_the_end_is_known, day_so_far),
    measured("unshifted higher timeframe", unshifted_four_hours, closed_four_hours),
    measured("resample label", labelled_by_its_beginning, labelled_by_its_end),
    measured("backfilled holes", filled_backwards, filled_forwards),
    measured("interpolated holes", interpolated, filled_forwards),
    measured("forward fill in reverse", filled_forwards_in_reverse, filled_forwards),
    measured("swing before it is known", early_swings, known_swings),
    measured("last of a run", last_of_a_run, first_of_a_run),
)


# --- leaks in what a setup carries and not in where it is


class StopBelowTheNextLows(Planted):
    def stop(self, bars: DirectedBars, at: np.ndarray, risk: Floats) -> Floats:
        ahead = series(bars.low)[::-1].rolling(5, min_periods=1).min()[::-1].to_numpy()
        return np.clip(ahead[at], bars.close[at] - 2 * risk, bars.close[at] - 0.6 * risk)


class StopBelowTheLastLows(Planted):
    def stop(self, bars: DirectedBars, at: np.ndarray, risk: Floats) -> Floats:
        behind = series(bars.low).rolling(5).min().to_numpy()
        return np.clip(behind[at], bars.close[at] - 2 * risk, bars.close[at] - 0.6 * risk)


class PointsForTheNextBar(Planted):
    def optional(self, bars: DirectedBars, at: np.ndarray) -> tuple[Condition, ...]:
        after = np.append(bars.body[1:], 0.0)
        return (Condition("goes_on", after[at], ">", 0.0, points=5),)


class PointsForTheBarBefore(Planted):
    def optional(self, bars: DirectedBars, at: np.ndarray) -> tuple[Condition, ...]:
        return (Condition("went_on", bars.body[at - 1], ">", 0.0, points=5),)


LEVELS = (
    Pair("stop below lows to come", lambda: StopBelowTheNextLows(last_close), lambda: StopBelowTheLastLows(last_close), FUTURE),
    Pair("points for the next bar", lambda: PointsForTheNextBar(last_close), lambda: PointsForTheBarBefore(last_close), SOME),
)


# --- one of the four strategies, spoilt in one line


def kept_rows(found: Candidates, rows: np.ndarray) -> Candidates:
    """The candidates at a mask."""
    arrays = (getattr(found, name)[rows] for name in ("bar", "leg", "stop", "take_profit_1", "take_profit_2", "invalidation"))
    conditions = tuple(
        replace(each, measured=each.measured[rows], threshold=np.broadcast_to(each.threshold, rows.shape)[rows])
        for each in found.conditions
    )
    return Candidates(*arrays, conditions, found.one_setup_per_leg)


class SweepThatWillHold(LiquiditySweep):
    def find(self, bars: DirectedBars) -> Candidates:
        found = super().find(bars)
        ahead = series(bars.low)[::-1].rolling(4, min_periods=1).min()[::-1].to_numpy()
        return kept_rows(found, ahead[found.bar] >= found.invalidation)


class TargetAtASwingNotYetKnown(TrendContinuation):
    def _second_target(self, bars: DirectedBars, *, at: np.ndarray, risk: Floats) -> Floats:
        swings = np.flatnonzero(bars.swing_highs(self.parameters.swing_order))
        targets = bars.close[at] + 3 * risk
        for row, bar in enumerate(at):
            levels = bars.high[swings[(swings >= bar - 200) & (swings <= bar + 40)]]
            levels = levels[levels >= bars.close[bar] + 2.25 * risk[row]]
            targets[row] = levels.min() if len(levels) else targets[row]
        return targets


class StopBehindASwingNotYetKnown(EmaMomentum):
    def _behind(self, bars: DirectedBars, *, at: np.ndarray) -> Floats:
        ahead = bars.swing_lows(2)
        latest = np.maximum.accumulate(np.where(ahead, np.arange(len(bars)), 0))[np.minimum(at + 1, len(bars) - 1)]
        return np.minimum(bars.low[latest], bars.low[at])


class BoxOfAllWidths(BreakoutExpansion):
    def find(self, bars: DirectedBars) -> Candidates:
        found = super().find(bars)
        typical = np.nanmedian(bars.bollinger_width)
        quiet = Condition("quiet", bars.bollinger_width[found.bar - 1], "<", typical)
        return replace(found, conditions=(quiet, *found.conditions))


REAL = (
    Pair("liquidity_sweep that will hold", SweepThatWillHold, LiquiditySweep, ("future_noise",)),
    Pair("trend_continuation to an early swing", TargetAtASwingNotYetKnown, TrendContinuation, ("prefix", "future_noise")),
    Pair("ema_momentum behind an early swing", StopBehindASwingNotYetKnown, EmaMomentum, ("prefix", "future_noise")),
    Pair("breakout_expansion by a median of all", BoxOfAllWidths, BreakoutExpansion, ("prefix", "future_noise")),
)


# --- memory from one evaluation to the next


def remembering_the_lowest() -> Strategy:
    lowest = {1: np.inf, -1: np.inf}

    def measure(bars: DirectedBars) -> Floats:
        lowest[bars.sign] = min(lowest[bars.sign], bars.low.min())
        return -above(bars, np.minimum(np.minimum.accumulate(bars.low), lowest[bars.sign]), atr=3.0)

    return Planted(measure)


def remembering_the_longest() -> Strategy:
    """A cache by direction and first bar, which serves what a longer record once gave."""
    cache: dict[tuple[int, np.datetime64], Floats] = {}

    def measure(bars: DirectedBars) -> Floats:
        key = (bars.sign, bars.opens[0])
        if key not in cache or len(cache[key]) < len(bars):
            cache[key] = next_close(bars)
        return cache[key][: len(bars)]

    return Planted(measure)


def remembering_by_content() -> Strategy:
    cache: dict[bytes, Floats] = {}

    def measure(bars: DirectedBars) -> Floats:
        key = bars.close.tobytes()
        if key not in cache:
            cache[key] = last_close(bars)
        return cache[key]

    return Planted(measure)


def counting_calls() -> Strategy:
    calls = 0

    def measure(bars: DirectedBars) -> Floats:
        nonlocal calls
        calls += 1
        return last_close(bars) - (calls > 30) * 0.5 * bars.atr

    return Planted(measure)


def counting_calls_for_nothing() -> Strategy:
    calls = 0

    def measure(bars: DirectedBars) -> Floats:
        nonlocal calls
        calls += 1
        return last_close(bars)

    return Planted(measure)


def drawing_on() -> Strategy:
    generator = np.random.default_rng(5)
    return Planted(lambda bars: generator.random(len(bars)) - 0.95)


def drawing_anew() -> Strategy:
    return Planted(lambda bars: np.random.default_rng(5).random(len(bars)) - 0.95)


STATES = (
    Pair(
        "lowest low ever seen",
        remembering_the_lowest,
        lambda: Planted(near_the_lowest_so_far),
        ("origin", "chunks", "mirror", "repetition"),
    ),
    Pair("cache by first bar", remembering_the_longest, remembering_by_content, ("mirror",)),
    Pair("count of calls", counting_calls, counting_calls_for_nothing, ("chunks", "repetition")),
    Pair("generator drawn on", drawing_on, drawing_anew, ("repetition", "ban")),
)


# --- one side seen otherwise than the other


def large_in_percent(bars: DirectedBars) -> Floats:
    return bars.body - 0.002 * bars.close


def large_in_atr(bars: DirectedBars) -> Floats:
    return bars.body - 0.9 * bars.atr


def eager_to_buy(bars: DirectedBars) -> Floats:
    return last_close(bars) + (bars.sign > 0) * 0.2 * bars.atr


SIDES = (
    measured("percent of a negated price", large_in_percent, large_in_atr, "mirror"),
    measured("eager to buy", eager_to_buy, last_close, "mirror"),
)

# --- clock, chance and files, even where they change no value


def asking(question: Callable[[], object]) -> Measure:
    """Measures the same as the twin, after a question whose answer it ignores."""

    def measure(bars: DirectedBars) -> Floats:
        question()
        return last_close(bars)

    return measure


SETTING = Path(__file__).read_text(encoding="utf-8")[:3]


def in_the_morning(bars: DirectedBars) -> Floats:
    hour = bars.opens.astype("datetime64[h]").astype(np.int64) % 24
    return np.where(hour < 12, last_close(bars), 0.0)


def by_a_setting(bars: DirectedBars) -> Floats:
    return last_close(bars) - (SETTING == "") * bars.atr


def by_a_hash_of_its_time(bars: DirectedBars) -> Floats:
    mixed = bars.opens.astype(np.int64) // 3_600_000_000 * 2_654_435_761 % 1000
    return np.where(mixed < 30, np.abs(bars.body) + 1, 0.0)


BANNED = (
    measured("clock", asking(time.time), in_the_morning, "ban"),
    measured("chance", asking(np.random.random), by_a_hash_of_its_time, "ban"),
    measured("file", asking(lambda: Path(__file__).read_bytes()), by_a_setting, "ban"),
    measured("environment", asking(lambda: os.environ.get("HOME")), by_a_setting, "ban"),
)

PAIRS = (*MEASURES, *LEVELS, *REAL, *STATES, *SIDES, *BANNED)
