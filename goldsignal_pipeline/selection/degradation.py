"""Degradation: when a strategy is no longer trusted, and how it earns trust back.

1. `conditions` says for each day d what the outcomes up to its end (UTC) show: the last 90 days against a baseline.
   The upper bound mean + z x error (week-clustered) of at least 20 outcomes must be below max(0, half the baseline) for a
   positive baseline, below the baseline otherwise: with z 2.33 the condition is *degraded*, with z 1.28 *watch*. The baseline is
   the expectancy of the accepted signals of the 365 days that end 90 days before; without one nothing is concluded.
2. `advance_degradation` folds days into a state: healthy, watch, degraded, probation, healthy again. Probation follows 7 trading
   days in a row without the condition, health 20 further outcomes.

The judged outcomes are those of signals and of shadows, which exist only from a degradation on. Were shadows left out after
recovery, the losses from before it would condemn the strategy anew at once. The baseline knows signals only.

The state carries how far its owner has come, never when it was computed: computing a day again changes nothing, and recovery is
always reachable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.hours import Days
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.simulation.metrics import Floats, clustered_error
from goldsignal_pipeline.simulation.rolling import iso_week
from goldsignal_pipeline.simulation.scored_trades import Flags, Integers

JUDGED_DAYS: Final = 90
BASELINE_DAYS: Final = 365
FEWEST_OUTCOMES: Final = 20
CALM_TRADING_DAYS: Final = 7
PROBATION_OUTCOMES: Final = 20
DEGRADED_Z: Final = 2.33
WATCH_Z: Final = 1.28
_DAY: Final = np.timedelta64(1, "D")


class Health(StrEnum):
    """How far a strategy is trusted."""

    HEALTHY = "healthy"
    WATCH = "watch"
    DEGRADED = "degraded"
    PROBATION = "probation"


@dataclass(frozen=True, slots=True, eq=False)
class ScoredOutcomes:
    """Outcomes of accepted signals and shadows of one strategy and timeframe, ascending by `exit` (`datetime64[us]`, UTC).

    `is_shadow` marks those of setups that only degradation had turned away.
    """

    exit: Instants
    net_r: Floats
    is_shadow: Flags


@dataclass(frozen=True, slots=True)
class DegradationState:
    """The state at the end of a day.

    `calm_days` counts trading days in a row without the condition while degraded, `outcomes` those seen in probation, and
    `since` is the day on which the state was entered, None when healthy has never been left.
    """

    health: Health = Health.HEALTHY
    since: date | None = None
    calm_days: int = 0
    outcomes: int = 0
    through: date | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of health on a day; each is one event and one alert."""

    day: date
    before: Health
    after: Health


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What each day shows: HEALTHY, WATCH or DEGRADED, the baseline (R, NaN while unknown), and the outcomes of that day."""

    shown: Sequence[Health]
    baseline: Floats
    outcomes_of_day: Integers


def conditions(outcomes: ScoredOutcomes, *, days: Days) -> Conditions:
    """The conditions as of the end of each of `days` (`datetime64[D]`); outcomes that exit later are not read (I5)."""
    ends = np.asarray(days).astype("datetime64[us]") + _DAY
    real = ~outcomes.is_shadow
    signals = ScoredOutcomes(outcomes.exit[real], outcomes.net_r[real], outcomes.is_shadow[real])
    baseline = np.array([_mean(signals, end - (JUDGED_DAYS + BASELINE_DAYS) * _DAY, end - JUDGED_DAYS * _DAY) for end in ends])
    return Conditions(
        shown=[_condition(outcomes, end, level) for end, level in zip(ends, baseline, strict=True)],
        baseline=baseline,
        outcomes_of_day=np.array([_span(outcomes, end - _DAY, end).size for end in ends], dtype=np.int64),
    )


def advance_degradation(
    state: DegradationState, outcomes: ScoredOutcomes, *, days: Days, is_trading_day: npt.NDArray[np.bool_]
) -> tuple[DegradationState, tuple[DegradationState, ...], tuple[Transition, ...]]:
    """The state after `days`, the state at the end of each, and the transitions between them.

    `days` are consecutive calendar days after `state.through`; DataError otherwise. `is_trading_day` has their length.
    """
    dates: list[date] = np.asarray(days).astype("datetime64[D]").tolist()
    if dates and (np.any(np.diff(days) != _DAY) or (state.through is not None and (dates[0] - state.through).days != 1)):
        raise DataError("days of the degradation fold are not consecutive", done="no state was changed")
    seen = conditions(outcomes, days=days)
    states, transitions = [], []
    for index, day in enumerate(dates):
        before = state.health
        state = _next(
            state,
            shown=seen.shown[index],
            outcomes=int(seen.outcomes_of_day[index]),
            is_trading_day=bool(is_trading_day[index]),
        )
        if state.health is not before:
            state = replace(state, since=day)
            transitions.append(Transition(day, before, state.health))
        state = replace(state, through=day)
        states.append(state)
    return state, tuple(states), tuple(transitions)


def _next(state: DegradationState, *, shown: Health, outcomes: int, is_trading_day: bool) -> DegradationState:
    """The state after one day."""
    if state.health is Health.DEGRADED:
        calm_days = 0 if shown is Health.DEGRADED else state.calm_days + is_trading_day
        if calm_days >= CALM_TRADING_DAYS:
            return replace(state, health=Health.PROBATION, calm_days=0, outcomes=0)
        return replace(state, calm_days=calm_days)
    if state.health is Health.PROBATION:
        if shown is Health.DEGRADED:
            return replace(state, health=Health.DEGRADED, outcomes=0)
        seen = state.outcomes + outcomes
        if seen >= PROBATION_OUTCOMES:
            return replace(state, health=Health.HEALTHY, outcomes=0)
        return replace(state, outcomes=seen)
    return replace(state, health=shown)


def _condition(outcomes: ScoredOutcomes, end: np.datetime64, baseline: float) -> Health:
    judged = _span(outcomes, end - JUDGED_DAYS * _DAY, end)
    if judged.size < FEWEST_OUTCOMES or np.isnan(baseline):
        return Health.HEALTHY
    mean = _mean(outcomes, end - JUDGED_DAYS * _DAY, end)
    error = clustered_error(outcomes.net_r[judged], iso_week(outcomes.exit[judged]))
    # NaN (a single week) compares false: too little is known to condemn.
    least = max(0.0, baseline / 2) if baseline > 0 else baseline
    if mean + DEGRADED_Z * error < least:
        return Health.DEGRADED
    return Health.WATCH if mean + WATCH_Z * error < least else Health.HEALTHY


def _span(outcomes: ScoredOutcomes, start: np.datetime64, end: np.datetime64) -> npt.NDArray[np.intp]:
    first, stop = np.searchsorted(outcomes.exit, [start, end], side="left")
    return np.arange(first, stop)


def _mean(outcomes: ScoredOutcomes, start: np.datetime64, end: np.datetime64) -> float:
    inside = outcomes.net_r[_span(outcomes, start, end)]
    return float(inside.sum() / inside.size) if inside.size else float("nan")
