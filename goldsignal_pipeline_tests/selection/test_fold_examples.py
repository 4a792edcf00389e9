"""The fold of decisions by hand: terms, pauses, news, shadows, given verdicts, trades over the edge of a month."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.degradation import DegradationState, Health
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate import GateReason
from goldsignal_pipeline.selection.gate_inputs import News, Pause, SetupKey, Step
from goldsignal_pipeline.selection.month_fold import Given, SelectionState, Terms, progress_of
from goldsignal_pipeline.selection.state_text import parse_state, state_text
from goldsignal_pipeline_tests.selection.fold_data import ALWAYS, BEGIN, DAY, DAYS, END, HOUR, POLICY, Story, plain, result, steps
from goldsignal_pipeline_tests.selection.gate_data import setup

MORNING = BEGIN + DAY + 9 * HOUR
"""09:00 UTC of a Tuesday."""
LAST_OF_MAY = datetime.combine(date(2024, 5, 31), time(9), tzinfo=BEGIN.tzinfo)
TRACK = ("alpha", "H1")


def alpha(at=MORNING, **other):
    return setup(at, strategy="alpha", entry_open=at, **other)


def fold(*setups, trades=None, state=None, **other):
    return Story(plain(*setups, trades=trades, **other), state or SelectionState()).fold()


def test_terms_that_change_within_a_day_hold_from_their_instant_on() -> None:
    halved = Terms(MORNING + HOUR, replace(POLICY, account_usd=Decimal(50_000), duplicate_minutes=0))
    setups = [alpha(MORNING + HOUR * n) for n in (0, 1)]
    before, after = fold(*setups, terms=(ALWAYS, halved)).decisions
    assert (before.size.ounces, after.size.ounces) == (200, 100)
    assert after.standing == replace(before.standing, at=MORNING + HOUR)
    strict = replace(halved, min_evidence=Evidence.PROVEN)
    assert fold(*setups, terms=(ALWAYS, strict)).decisions[1].reasons[0] is GateReason.NOT_ELIGIBLE


def test_of_terms_set_twice_at_one_instant_the_last_holds() -> None:
    twice = [Terms(MORNING, replace(POLICY, account_usd=Decimal(usd))) for usd in (10_000, 50_000)]
    assert fold(alpha(), terms=(ALWAYS, *twice)).decisions[0].size.ounces == 100


def test_a_pause_holds_over_days_and_calls_until_it_ends() -> None:
    setups = tuple(alpha(MORNING + DAY * n) for n in range(3))
    facts = (Pause(MORNING - HOUR, "alpha", True), Pause(MORNING + DAY * 2, "alpha", False))
    story = Story(plain(*setups, facts=facts), SelectionState())
    parts = story.folded_in_calls([2, 3])
    assert [one.reasons for part in parts for one in part.decisions] == [(GateReason.PAUSED,), (GateReason.PAUSED,), ()]
    assert parts[1].state.gate.paused == frozenset({"alpha"})


def test_news_is_remembered_while_it_can_matter_and_then_forgotten() -> None:
    midnight = BEGIN + DAY * 2
    facts = (News(BEGIN, midnight),)
    near = fold(alpha(midnight - HOUR / 2), alpha(midnight + HOUR / 2, direction=Direction.SELL), facts=facts)
    assert [one.reasons[0] for one in near.decisions] == [GateReason.NEWS_BLACKOUT] * 2
    assert near.state.gate.news == frozenset()


def test_a_day_without_results_and_a_track_without_one_are_not_eligible() -> None:
    results = {day: (result(TRACK),) for day in DAYS if day != MORNING.date()}
    one, other = fold(alpha(), alpha(MORNING + DAY), tested=results).decisions
    assert (one.reasons, one.standing.evidence, one.rank) == ((GateReason.NOT_ELIGIBLE,), Evidence.UNPROVEN, 1)
    assert other.is_accepted
    beta = setup(MORNING, strategy="beta", entry_open=MORNING)
    assert fold(beta, tested=results).decisions[0].reasons == (GateReason.NOT_ELIGIBLE,)


def test_a_block_turns_away_its_own_setups_and_not_the_later_ones_of_its_day() -> None:
    early, late = alpha(), alpha(MORNING + 6 * HOUR)
    one, other = fold(early, late, blocked=frozenset({early.key})).decisions
    assert (one.reasons, other.reasons) == ((GateReason.DATA_BLOCKED,), ())
    one, other = fold(early, late, blocked=frozenset({late.key}), trades={early.key: steps(early, hours=2)}).decisions
    assert (one.reasons, other.reasons) == ((), (GateReason.DATA_BLOCKED,))


def test_a_shadow_is_followed_into_health_and_never_into_the_gate() -> None:
    degraded = {TRACK: DegradationState(Health.DEGRADED, DAYS[0] - DAY, 0, 0, DAYS[0] - DAY)}
    setups = [alpha(MORNING + HOUR * 3 * n) for n in range(5)]
    trades = {one.key: steps(one, hours=2, net_r=-9.0) for one in setups}
    folded = fold(*setups, trades=trades, state=SelectionState(health=degraded))
    assert all(one.is_shadow for one in folded.decisions)
    # Five losses, 45 R: a breaker that counted them would hold, and two of them would be open at once.
    assert folded.state.gate == replace(SelectionState().gate, through=END - timedelta(microseconds=1))
    assert [(one.is_shadow, one.net_r) for one in folded.state.judged] == [(True, -9.0)] * 5
    assert folded.state.followed == {}
    open_ones = fold(*setups[:1], trades={setups[0].key: replace(steps(setups[0]), resolved_at=None)})
    assert open_ones.state.followed == {setups[0].key: False}


@pytest.mark.parametrize(("health", "reasons"), [(each, (GateReason.DEGRADED,) if each == "degraded" else ()) for each in Health])
def test_of_all_states_of_health_only_degraded_turns_setups_away(health, reasons) -> None:
    before = {TRACK: DegradationState(health, DAYS[0] - DAY, 0, 0, DAYS[0] - DAY)}
    assert fold(alpha(BEGIN + 9 * HOUR), state=SelectionState(health=before)).decisions[0].reasons == reasons


def test_a_missed_signal_is_open_until_it_is_known_to_be_missed_and_counts_in_nothing() -> None:
    first = alpha(confidence=70)
    later = [alpha(MORNING + HOUR * n) for n in (4, 8)]
    other = alpha(MORNING + HOUR, direction=Direction.SELL)
    trades = {first.key: steps(first, missed=True)}
    folded = fold(first, other, *later, trades=trades)
    # Known after an hour: the opposite direction is free at that very instant.
    assert [one.is_accepted for one in folded.decisions] == [True, True, False, False]
    assert folded.decisions[2].reasons == (GateReason.OPPOSITE_OPEN,)
    assert folded.state.judged == ()
    assert folded.state.followed == {other.key: False}
    assert folded.state.gate.breaker == SelectionState().gate.breaker


def test_a_trade_is_followed_over_the_edge_of_a_month() -> None:
    one = alpha(LAST_OF_MAY)
    ended = steps(one, hours=80, net_r=-1.0, target=True)
    story = Story(plain(one, trades={one.key: ended}), SelectionState())
    may, june = (list(days) for days in (DAYS[:12], DAYS[12:]))
    assert (may[-1].month, june[0].month) == (5, 6)
    first = story.fold(may)
    assert first.state.followed == {one.key: False}
    assert [signal.key for signal in first.state.gate.open_signals] == [one.key]
    # In June the setup is known as followed alone.
    alone = replace(story, material=replace(story.material, setups=()))
    second = alone.fold(june, state=parse_state(state_text(first.state)))
    assert second.state.gate.open_signals == ()
    assert (second.state.gate.breaker.losses_in_a_row, second.outcomes[0].net_r) == (1, -1.0)
    assert second.state == story.fold().state


def test_a_trade_that_revised_candles_end_before_the_first_day_does_not_stay_open_for_ever() -> None:
    one = alpha(LAST_OF_MAY)
    may, june = DAYS[:12], DAYS[12:]
    opened = Story(plain(one, trades={one.key: steps(one, hours=80, target=True)}), SelectionState()).fold(may)
    revised = Story(plain(trades={one.key: steps(one, hours=5, net_r=-1.0)}), opened.state).fold(june)
    assert (revised.state.gate.open_signals, revised.state.followed) == ((), {})
    assert revised.state.gate.breaker.losses_in_a_row == 1


def test_a_breaker_that_has_let_go_by_the_end_of_a_day_is_forgotten_whoever_asked_since() -> None:
    setups = [alpha(MORNING + HOUR * 5 * n) for n in range(2)] + [alpha(MORNING + DAY + HOUR * 5 * n) for n in range(3)]
    trades = {one.key: steps(one, hours=2, net_r=-0.1) for one in setups}
    # The fifth loss is known on Wednesday at 21:00 UTC; 24 hours of trading and two daily breaks later it is Thursday, 23:00.
    days, last = DAYS[:4], MORNING + DAY * 2
    held = Story(plain(*setups, trades=trades), SelectionState()).fold(days[:3])
    assert held.state.gate.breaker.holds_until == last.replace(hour=23)
    quiet = Story(plain(*setups, trades=trades), SelectionState()).fold(days)
    asked = Story(plain(*setups, alpha(last.replace(hour=23, minute=30), confidence=0), trades=trades), SelectionState()).fold(
        days
    )
    assert (quiet.state.gate.breaker, asked.state) == (SelectionState().gate.breaker, quiet.state)


def test_a_given_verdict_stands_whatever_the_candles_say_now() -> None:
    published, rejected = alpha(), alpha(MORNING + 5 * HOUR)
    live = fold(published, rejected, facts=(Pause(MORNING + HOUR, None, True),)).decisions
    given = {one.key: Given(setup, one) for setup, one in zip((published, rejected), live, strict=True)}
    # Now the first would not be a setup at all, the second would be accepted, and a third comes after them.
    third = alpha(MORNING + 9 * HOUR)
    trades = {published.key: replace(steps(published), resolved_at=None)}
    folded = fold(rejected, third, trades=trades, given=given)
    assert folded.decisions[:2] == live
    assert folded.decisions[2].is_accepted
    assert [signal.key for signal in folded.state.gate.open_signals] == [published.key, third.key]
    assert folded.state.followed == {published.key: False, third.key: False}


def test_a_live_decision_after_its_entry_opened_is_late_and_one_in_time_is_not() -> None:
    late, punctual = (alpha(MORNING + DAY * n, decided_at=MORNING + DAY * n + timedelta(seconds=n == 0)) for n in range(2))
    assert [one.reasons for one in fold(late, punctual).decisions] == [(GateReason.LATE,), ()]


def test_at_one_instant_decisions_come_in_the_order_of_judging_given_ones_too() -> None:
    results = {day: (result(("beta", "H1"), score=0.4), result(TRACK)) for day in DAYS}
    best = setup(MORNING, strategy="beta", entry_open=MORNING)
    judged = fold(alpha(), best, tested=results)
    assert [one.key.strategy for one in judged.decisions] == ["beta", "alpha"]
    given = {best.key: Given(best, judged.decisions[0])}
    assert fold(alpha(), best, tested=results, given=given) == judged


def test_a_day_that_is_not_over_advances_no_health_and_cannot_be_gone_on_from() -> None:
    story = Story(plain(alpha()), SelectionState())
    part = story.fold(until=MORNING)
    assert (list(part.health), part.state.gate.through) == ([DAYS[0]], MORNING)
    assert [one.is_accepted for one in part.decisions] == [True]
    with pytest.raises(DataError, match="too late"):
        story.fold(DAYS[1:], state=part.state)


def test_the_steps_of_a_trade_are_told_when_they_were_known() -> None:
    one = alpha()
    whole = steps(one, hours=10, net_r=1.5, target=True)
    told = [(step.step, step.at - MORNING) for step in progress_of(one.key, whole)]
    assert told == [(Step.FILLED, HOUR), (Step.TP1_REACHED, 5 * HOUR), (Step.CLOSED, 10 * HOUR)]
    missed = list(progress_of(one.key, steps(one, missed=True)))
    assert [(step.step, step.at - MORNING) for step in missed] == [(Step.MISSED, HOUR)]
    assert isinstance(missed[0].key, SetupKey)
