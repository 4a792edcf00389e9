"""Degradation: conditions by hand, the fold by properties, and recovery that can be reached."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.selection.degradation import (
    DegradationState,
    Health,
    ScoredOutcomes,
    advance_degradation,
    conditions,
)

START = date(2023, 1, 2)


def outcomes(*rows: tuple[date, float, bool]) -> ScoredOutcomes:
    """(day, net R, is_shadow) at noon, ascending."""
    ordered = sorted(rows)
    exits = np.array([np.datetime64(day, "us") + np.timedelta64(12, "h") for day, _, _ in ordered], dtype="datetime64[us]")
    return ScoredOutcomes(
        exits, np.array([r for _, r, _ in ordered], dtype=float), np.array([s for _, _, s in ordered], dtype=bool)
    )


def every_day(first: date, days: int, net_r: tuple[float, ...], *, shadow: bool = False) -> list[tuple[date, float, bool]]:
    return [(first + timedelta(days=n), net_r[n % len(net_r)], shadow) for n in range(days)]


def run(rows, *, first: date, days: int, state: DegradationState | None = None):
    span = np.arange(np.datetime64(first), np.datetime64(first) + np.timedelta64(days, "D"))
    trading = np.is_busday(span)
    return advance_degradation(state or DegradationState(), outcomes(*rows), days=span, is_trading_day=trading)


GOOD = every_day(START, 400, (0.5, -0.3))
COLLAPSE = START + timedelta(days=400)


def test_known_mistake_16_recovery_is_reachable_through_shadows_probation_and_20_outcomes() -> None:
    bad = every_day(COLLAPSE, 60, (-1.0, -0.8))
    shadows = every_day(COLLAPSE + timedelta(days=60), 200, (0.6, 0.4), shadow=True)
    state, states, transitions = run([*GOOD, *bad, *shadows], first=COLLAPSE, days=260)
    path = [(one.before.value, one.after.value) for one in transitions]
    assert path[-3:] == [("watch", "degraded"), ("degraded", "probation"), ("probation", "healthy")]
    assert state.health is Health.HEALTHY
    into, probation, healthy = (one.day for one in transitions[-3:])
    assert states[(into - COLLAPSE).days].since == into
    # One outcome a day: the twentieth day after the start of probation restores health.
    assert (healthy - probation).days == 20
    # Computing the last days again from the stored state moves nothing; a stored day never restarts a count.
    middle = (probation - COLLAPSE).days - 2
    again, _, later = run(
        [*GOOD, *bad, *shadows], first=COLLAPSE + timedelta(days=middle), days=260 - middle, state=states[middle - 1]
    )
    assert (again, later) == (state, transitions[-2:])


def test_a_degraded_strategy_without_any_outcome_comes_to_probation_when_the_losses_leave_the_window() -> None:
    bad = every_day(COLLAPSE, 60, (-1.0, -0.8))
    state, _, _ = run([*GOOD, *bad], first=COLLAPSE, days=200)
    assert state.health is Health.PROBATION


def test_probation_falls_back_when_the_condition_returns() -> None:
    bad = every_day(COLLAPSE, 120, (-1.0, -0.8))
    state = DegradationState(Health.PROBATION, COLLAPSE, 0, 5, COLLAPSE + timedelta(days=89))
    after, _, transitions = run([*GOOD, *bad], first=COLLAPSE + timedelta(days=90), days=1, state=state)
    assert (after.health, after.outcomes) == (Health.DEGRADED, 0)
    assert len(transitions) == 1


def test_seven_trading_days_in_a_row_are_needed_and_one_bad_day_starts_the_count_again() -> None:
    shadows = every_day(COLLAPSE - timedelta(days=90), 90, (0.6, 0.4), shadow=True)
    state = DegradationState(Health.DEGRADED, START, 6, 0, COLLAPSE - timedelta(days=1))
    # 2024-02-06 is a Tuesday.
    assert run([*GOOD, *shadows], first=COLLAPSE, days=1, state=state)[0].health is Health.PROBATION
    bad = every_day(COLLAPSE - timedelta(days=90), 91, (-1.0, -0.8), shadow=True)
    quiet = [row for row in GOOD if row[0] < COLLAPSE - timedelta(days=90)]
    assert run([*quiet, *bad], first=COLLAPSE, days=1, state=state)[0].calm_days == 0


def oracle(rows, day: date, z: float) -> bool | None:
    """The condition by its definition, in plain Python."""
    end = day + timedelta(days=1)
    judged = [(d, r) for d, r, _ in rows if end - timedelta(days=90) <= d < end]
    old = [r for d, r, shadow in rows if not shadow and end - timedelta(days=455) <= d < end - timedelta(days=90)]
    if len(judged) < 20 or not old:
        return False
    mean, baseline = math.fsum(r for _, r in judged) / len(judged), math.fsum(old) / len(old)
    weeks: dict[tuple[int, int], float] = {}
    for d, r in judged:
        # Noon of a Saturday or Sunday is booked on the trading day of that date; weeks run Monday to Sunday.
        weeks[d.isocalendar()[:2]] = weeks.get(d.isocalendar()[:2], 0.0) + r - mean
    groups = len(weeks)
    error = math.sqrt(groups / (groups - 1) * math.fsum(s * s for s in weeks.values())) / len(judged)
    bound, least = mean + z * error, max(0.0, baseline / 2) if baseline > 0 else baseline
    return None if abs(bound - least) < 1e-6 else bound < least


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), drift=st.floats(-0.8, 0.3), before=st.floats(-0.3, 0.4))
def test_the_condition_is_the_upper_bound_against_half_a_positive_or_the_whole_of_another_baseline(seed, drift, before) -> None:
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(560):
        if draw.random() < 0.45:
            mean = before if n < 470 else drift
            rows.append((START + timedelta(days=n), round(float(draw.normal(mean, 1.0)), 4), bool(draw.random() < 0.2)))
    day = START + timedelta(days=559)
    seen = conditions(outcomes(*rows), days=np.array([np.datetime64(day)]))
    degraded, watch = oracle(rows, day, 2.33), oracle(rows, day, 1.28)
    if degraded is not None and watch is not None:
        assert seen.shown[0] is (Health.DEGRADED if degraded else Health.WATCH if watch else Health.HEALTHY)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 119))
def test_the_fold_in_chunks_equals_one_pass_and_reads_no_future_i5_i8(seed, cut) -> None:
    draw = np.random.default_rng(seed)
    rows = [(START + timedelta(days=n), float(draw.choice([-1.0, 0.5, 1.5], p=[0.75, 0.15, 0.1])), n > 480) for n in range(560)]
    rows = [*every_day(START, 400, (0.5, -0.3)), *rows[400:]]
    first = START + timedelta(days=440)
    whole = run(rows, first=first, days=120)
    early_rows = [row for row in rows if row[0] < first + timedelta(days=cut)]
    early, early_states, early_events = run(early_rows, first=first, days=cut)
    late, late_states, late_events = run(rows, first=first + timedelta(days=cut), days=120 - cut, state=early)
    assert (late, early_states + late_states, early_events + late_events) == whole


def test_few_outcomes_and_an_unknown_baseline_condemn_nobody() -> None:
    losing = every_day(START, 60, (-1.0, -0.9))
    assert run(losing, first=START, days=60)[0].health is Health.HEALTHY
    nineteen = every_day(COLLAPSE + timedelta(days=90), 19, (-1.0, -0.9))
    assert run([*GOOD, *nineteen], first=COLLAPSE + timedelta(days=108), days=1)[0].health is Health.HEALTHY


def test_days_that_do_not_follow_are_refused() -> None:
    state, _, _ = run(GOOD, first=COLLAPSE, days=3)
    with pytest.raises(DataError, match="consecutive"):
        run(GOOD, first=COLLAPSE, days=3, state=state)
