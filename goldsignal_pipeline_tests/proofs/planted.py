"""Planted leaks, each beside a clean twin that does nearly the same with what it can know.

Those of `MEASURES` measure a bar wrongly; those of `LEVELS` differ in what a setup carries, those of `REAL` spoil one of the four
strategies, those of `STATES` remember, those of `SIDES` tell BUY from SELL, and those of `BANNED` ask what the ban forbids.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from goldsignal_pipeline.strategies.base import Candidates, Condition, Strategy
from goldsignal_pipeline.strategies.breakout_expansion import BreakoutExpansion
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.ema_momentum import EmaMomentum
from goldsignal_pipeline.strategies.indicators import Floats
from goldsignal_pipeline.strategies.liquidity_sweep import LiquiditySweep
from goldsignal_pipeline.strategies.trend_continuation import TrendContinuation
from goldsignal_pipeline_tests.proofs.planted_measures import MEASURES, last_close, near_the_lowest_so_far, next_close
from goldsignal_pipeline_tests.proofs.planting import FUTURE, SOME, Measure, Pair, Planted, above, measured, series

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
