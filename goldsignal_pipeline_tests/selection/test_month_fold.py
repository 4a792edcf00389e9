"""The fold of decisions over generated weeks: what must hold whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.selection.degradation import DegradationState, Health, advance_degradation
from goldsignal_pipeline.selection.evidence import is_eligible
from goldsignal_pipeline.selection.gate import Decision, GateReason
from goldsignal_pipeline.selection.month_fold import Given, Judged, TradeSteps, outcomes_of
from goldsignal_pipeline.selection.state_text import parse_state, state_text
from goldsignal_pipeline_tests.market.candle_data import CALENDAR
from goldsignal_pipeline_tests.selection.fold_data import BEGIN, DAY, DAYS, HOUR, TRACKS, only_known, stories, told

few = settings(max_examples=15, deadline=None)
ends = st.integers(0, 21 * 24)
MONTH_ENDS = [n for n, day in enumerate(DAYS) if n and day.day == 1]


@few
@given(story=stories(live=True), cuts=st.lists(st.integers(0, 21), max_size=5))
def test_any_cutting_of_days_into_calls_through_text_gives_the_same_i8(story, cuts) -> None:
    whole = story.fold()
    parts = story.folded_in_calls(cuts)
    assert told(one for part in parts for one in part.decisions) == told(whole.decisions)
    assert [one for part in parts for one in part.transitions] == list(whole.transitions)
    assert [one for part in parts for one in part.outcomes] == list(whole.outcomes)
    assert {day: health for part in parts for day, health in part.health.items()} == whole.health
    assert parts[-1].state == whole.state
    assert state_text(parts[-1].state) == state_text(whole.state)
    assert parse_state(state_text(whole.state)) == whole.state


@few
@given(story=stories(), hour=ends)
def test_what_is_not_known_yet_changes_nothing_i5_i6(story, hour) -> None:
    until = BEGIN + HOUR * hour
    whole, early = story.fold(), story.fold(until=until)
    assert told(early.decisions) == told(one for one in whole.decisions if one.at <= until)
    over = {day: health for day, health in whole.health.items() if BEGIN + DAY * (DAYS.index(day) + 1) <= until}
    assert early.health == over
    blind = replace(story, material=only_known(story.material, at=until)).fold(until=until)
    assert told(blind.decisions) == told(early.decisions)
    assert (blind.state, blind.health, blind.outcomes) == (early.state, early.health, early.outcomes)


@few
@given(story=stories(live=True), share=st.sampled_from([0.1, 0.5, 1.0]))
def test_a_verdict_taken_as_given_gives_what_judging_it_again_from_its_own_instant_gives(story, share) -> None:
    judged = story.fold()
    setups = {one.key: one for one in story.material.setups}
    chosen = {at for at in {one.at for one in judged.decisions} if int(at.timestamp() // 3600) % 10 < share * 10}
    verdicts = {one.key: Given(setups[one.key], one) for one in judged.decisions if one.at in chosen}
    replayed = story.with_material(given=verdicts).fold()
    assert told(replayed.decisions) == told(judged.decisions)
    assert replace(replayed, decisions=()) == replace(judged, decisions=())


@few
@given(story=stories(live=True), which=st.sampled_from(MONTH_ENDS))
def test_the_state_of_a_month_end_follows_from_earlier_signals_shadows_and_candles_alone(story, which) -> None:
    own = story.fold(DAYS[:which])
    setups = {one.key: one for one in story.material.setups}
    kept = {one.key: Given(setups[one.key], one) for one in own.decisions if one.is_accepted or one.is_shadow}
    rebuilt = story.with_material(setups=(), tested={}, blocked=frozenset(), given=kept).fold(DAYS[:which])
    assert rebuilt.state == own.state
    assert rebuilt.health == own.health


@few
@given(story=stories())
def test_every_setup_has_one_verdict_by_what_was_known_of_its_track_that_day(story) -> None:
    folded = story.fold()
    assert sorted(one.key for one in folded.decisions) == sorted(one.key for one in story.material.setups)
    for one in folded.decisions:
        known = {(t.strategy, t.timeframe): t for t in story.material.tested.get(one.at.date(), ())}
        result, track = known.get((one.key.strategy, one.key.timeframe)), (one.key.strategy, one.key.timeframe)
        terms = [terms for terms in story.material.terms if terms.since <= one.at][-1]
        before = folded.health.get(one.at.date() - DAY, {}).get(track, DegradationState())
        assert one.standing is not None
        assert one.standing.is_degraded == (before.health is Health.DEGRADED) == (GateReason.DEGRADED in one.reasons)
        eligible = result is not None and is_eligible(
            evidence=result.evidence, trades=result.trades, min_evidence=terms.min_evidence
        )
        assert (GateReason.NOT_ELIGIBLE in one.reasons) == (not eligible)
        assert (GateReason.DATA_BLOCKED in one.reasons) == (one.key in story.material.blocked)
        allowed = terms.policy.account_usd / 100
        assert one.size.risk_usd <= allowed


@few
@given(story=stories())
def test_health_is_that_of_all_outcomes_of_signals_and_shadows_and_of_nothing_else(story) -> None:
    folded = story.fold()
    followed = {one.key: one.is_shadow for one in folded.decisions if one.is_accepted or one.is_shadow}
    expected = sorted(
        Judged(steps.resolved_at, steps.entry_at, key, steps.net_r, is_shadow)
        for key, is_shadow in followed.items()
        if (steps := story.material.steps.get(key)) and steps.resolved_at and steps.resolved_at < BEGIN + DAY * len(DAYS)
    )
    assert sorted(folded.outcomes) == expected
    days = np.array(DAYS, dtype="datetime64[D]")
    # No exceptional day of these weeks rests from roll to roll.
    trading = np.is_busday(days)
    for track in TRACKS:
        every = outcomes_of(sorted([*story.state.judged, *folded.outcomes]), track=track)
        _, states, moved = advance_degradation(DegradationState(), every, days=days, is_trading_day=trading)
        assert [folded.health[day][track] for day in DAYS] == list(states)
        assert [transition for whose, transition in folded.transitions if whose == track] == list(moved)


def end_of(steps: TradeSteps | None):
    """When a signal stops being open; None for never."""
    if steps is None:
        return None
    return steps.entry_known_at if steps.is_missed else steps.resolved_at


@few
@given(story=stories())
def test_only_signals_that_are_neither_over_nor_missed_count_as_open(story) -> None:
    accepted: list[Decision] = []
    for one in story.fold().decisions:
        ended = [end_of(story.material.steps.get(other.key)) for other in accepted]
        still = [other for other, end in zip(accepted, ended, strict=True) if end is None or end > one.at]
        assert (GateReason.MAX_OPEN in one.reasons) == (len(still) >= 2)
        assert (GateReason.OPPOSITE_OPEN in one.reasons) == any(o.key.direction is not one.key.direction for o in still)
        if one.is_accepted:
            accepted.append(one)


@few
@given(story=stories())
def test_the_breaker_counts_results_of_signals_never_those_of_shadows_or_missed_ones(story) -> None:
    decisions = story.fold().decisions
    closes = []
    for one in decisions:
        steps = story.material.steps.get(one.key)
        if one.is_accepted and steps and steps.resolved_at:
            tie = (steps.entry_at, one.key.strategy, one.key.direction, one.key.timeframe, one.key.timestamp)
            closes.append((steps.resolved_at, tie, steps.net_r))
    for one in decisions:
        run, total, peak, until = 0, 0, 0, None
        for at, _, net_r in sorted(closes):
            if at > one.at:
                break
            if until is not None and until <= at:
                run, total, peak, until = 0, 0, 0, None
            if until is not None:
                continue
            total += round(net_r * 1_000_000)
            run, peak = (0 if net_r > 0 else run + 1), max(peak, total)
            if run >= 5 or peak - total >= 20_000_000:
                until = after_a_trading_day(at)
        assert (GateReason.CIRCUIT_BREAKER in one.reasons) == (until is not None and until > one.at)


def after_a_trading_day(at):
    """24 hours of trading later, minute by minute on full hours."""
    left, now = 24, at
    while left:
        left -= bool(CALENDAR.is_open(np.array([now.replace(tzinfo=None)], dtype="datetime64[us]"))[0])
        now += timedelta(hours=1)
    return now
