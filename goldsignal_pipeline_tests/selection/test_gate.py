"""The gate: properties of the fold first, then every rule, then the mistakes of an earlier system."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.gate import RULES, GateReason, advance
from goldsignal_pipeline.selection.gate_inputs import DataBlock, News, Pause, Published, Setup, Step
from goldsignal_pipeline.selection.gate_state import GateState, reach
from goldsignal_pipeline_tests.selection.gate_data import (
    CALENDAR,
    HOUR,
    NOON,
    POLICY,
    closed,
    histories,
    judge,
    setup,
    standing,
    step,
)

SELL = Direction.SELL


def fold(inputs, state=None):
    return advance(state or GateState(), inputs, policy=POLICY, calendar=CALENDAR)


@settings(max_examples=60, deadline=None)
@given(inputs=histories(), cuts=st.lists(st.integers(0, 340), max_size=6), seed=st.randoms(use_true_random=False))
def test_any_chunking_and_any_order_of_arrival_equals_one_pass_i8(inputs, cuts, seed) -> None:
    whole_state, whole = fold(inputs)
    shuffled = list(inputs)
    seed.shuffle(shuffled)
    state, decisions, edges = GateState(), [], [NOON - HOUR * 9999, *sorted(NOON + HOUR * c for c in cuts), NOON + HOUR * 9999]
    for begin, end in pairwise(edges):
        state, some = fold([one for one in shuffled if begin <= one.at < end], state)
        decisions += some
    assert tuple(decisions) == whole
    assert state == whole_state


@settings(max_examples=60, deadline=None)
@given(inputs=histories(), cut=st.integers(0, 340))
def test_the_state_is_rebuilt_from_earlier_signals_and_candles_alone(inputs, cut) -> None:
    state, decisions = fold(inputs)
    accepted = {decision.key: decision for decision in decisions if decision.is_accepted}
    # What is left of the setups after deciding: the signals that were given; trades and events are derived or recorded.
    given_signals = [
        Published(one, accepted[one.key].size.ounces) for one in inputs if isinstance(one, Setup) and one.key in accepted
    ]
    rebuilt, none = fold([one for one in inputs if not isinstance(one, Setup)] + given_signals)
    assert none == ()
    if state.through is not None:
        rebuilt = replace(reach(rebuilt, state.through), through=state.through)
    assert rebuilt == state
    edge = NOON + HOUR * cut
    early, _ = fold([one for one in [*inputs, *given_signals] if one.at < edge and not isinstance(one, Setup)])
    _, resumed = fold([one for one in inputs if one.at >= edge], early)
    assert resumed == tuple(decision for decision in decisions if decision.at >= edge)


@settings(max_examples=60, deadline=None)
@given(inputs=histories(), cut=st.integers(0, 340))
def test_the_future_changes_no_decision_i5_i6(inputs, cut) -> None:
    edge = NOON + HOUR * cut
    _, decisions = fold(inputs)
    _, early = fold([one for one in inputs if one.at <= edge])
    assert early == tuple(decision for decision in decisions if decision.at <= edge)


@settings(max_examples=60, deadline=None)
@given(inputs=histories())
def test_every_setup_gets_exactly_one_verdict_and_limits_hold(inputs) -> None:
    _, decisions = fold(inputs)
    setups = {one.key: one for one in inputs if isinstance(one, Setup)}
    assert sorted(decision.key for decision in decisions) == sorted(setups)
    ends = {one.key: one.at for one in inputs if getattr(one, "step", None) in (Step.CLOSED, Step.MISSED)}
    accepted = [decision.key for decision in decisions if decision.is_accepted]
    for key in accepted:
        at = setups[key].at
        alive = [other for other in accepted if setups[other].at <= at < ends[other]]
        assert len(alive) <= POLICY.maximum_open
        assert len({other.direction for other in alive}) == 1


@pytest.mark.parametrize(
    ("reason", "others", "candidate"),
    [
        (GateReason.LATE, [], {"decided_at": NOON + timedelta(minutes=6)}),
        (GateReason.PAUSED, [Pause(NOON - HOUR, None, True)], {}),
        (GateReason.PAUSED, [Pause(NOON, "ema_momentum", True)], {}),
        (GateReason.DATA_BLOCKED, [DataBlock(NOON, NOON.date(), True)], {}),
        (GateReason.NOT_ELIGIBLE, [standing(at=NOON, is_eligible=False)], {}),
        (GateReason.DEGRADED, [standing(at=NOON, is_degraded=True)], {}),
        (GateReason.RISK_REWARD, [], {"take_profit_1": 230_749}),
        (GateReason.CONFIDENCE, [], {"confidence": 59}),
        (GateReason.NEWS_BLACKOUT, [News(NOON, NOON + timedelta(minutes=30))], {}),
        (GateReason.TOO_SMALL, [], {"stop": 180_000, "take_profit_1": 330_000, "atr": 4.0, "median_atr": 0.3}),
    ],
)
def test_each_rule_turns_a_setup_away_alone_and_with_its_own_reason(reason, others, candidate) -> None:
    assert judge(setup())[1][0].is_accepted
    assert judge(*others, setup(**candidate))[1][0].reasons == (reason,)


@pytest.mark.parametrize(
    "passing",
    [
        [setup(decided_at=NOON + timedelta(minutes=5))],
        [Pause(NOON - HOUR, None, True), Pause(NOON, None, False), setup()],
        [Pause(NOON, "liquidity_sweep", True), setup()],
        [DataBlock(NOON, NOON.date() - timedelta(days=1), True), setup()],
        [News(NOON, NOON + timedelta(minutes=31)), setup()],
        [News(NOON - HOUR, NOON), News(NOON, NOON, is_withdrawn=True), setup()],
        [setup(confidence=60)],
    ],
)
def test_just_inside_every_limit_a_setup_is_accepted(passing) -> None:
    assert judge(*passing)[1][0].is_accepted


def test_asia_is_low_liquidity_only_when_so_set() -> None:
    careful = replace(POLICY, avoids_asia=True)
    assert judge(setup(is_asia=True))[1][0].is_accepted
    assert judge(setup(is_asia=True), policy=careful)[1][0].reasons == (GateReason.LOW_LIQUIDITY,)


def test_the_same_direction_is_a_duplicate_for_four_market_open_hours_of_any_strategy() -> None:
    # 15:00 New York on Wednesday; the break from 17:00 to 18:00 is no market time, so four hours end at 20:00.
    first = setup(datetime(2024, 6, 5, 19, 0, tzinfo=UTC))
    for hours, expected in ((4, (GateReason.DUPLICATE,)), (5, ())):
        later = setup(first.at + HOUR * hours, strategy="other")
        facts = [standing("other"), first, step(first, Step.MISSED, at=first.entry_open), later]
        assert judge(*facts)[1][1].reasons == expected


def test_an_open_signal_blocks_the_opposite_direction_until_it_ends() -> None:
    first, later = setup(), setup(NOON + HOUR * 6, direction=SELL)
    assert judge(first, later)[1][1].reasons == (GateReason.OPPOSITE_OPEN,)
    assert judge(first, closed(first, at=later.at, net_r=0.5), later)[1][1].is_accepted


def test_two_signals_may_be_open_and_missed_ones_never_count() -> None:
    small = replace(POLICY, daily_loss_share=Decimal("0.5"))
    first, second, third = (setup(NOON + HOUR * n) for n in (0, 4, 8))
    assert judge(first, second, third, policy=small)[1][2].reasons == (GateReason.MAX_OPEN,)
    missed = step(second, Step.MISSED, at=second.entry_open)
    assert judge(first, second, missed, third, policy=small)[1][2].is_accepted


def test_at_one_instant_the_best_ranked_is_judged_first() -> None:
    _, decisions = judge(standing("zeta", score=0.2), setup(), setup(strategy="zeta"))
    assert [decision.key.strategy for decision in decisions] == ["zeta", "ema_momentum"]
    assert [decision.rank for decision in decisions] == [1, 2]
    assert decisions[1].reasons == (GateReason.DUPLICATE,)


def test_a_setup_whose_only_fault_is_degradation_is_a_shadow() -> None:
    degraded = standing(at=NOON, is_degraded=True)
    assert judge(degraded, setup())[1][0].is_shadow
    assert not judge(degraded, setup(confidence=10))[1][0].is_shadow


def test_the_rules_stand_in_the_order_of_their_codes_and_a_decision_keeps_all_that_failed() -> None:
    assert [reason for reason, _ in RULES] == list(GateReason)
    decision = judge(Pause(NOON, None, True), setup(confidence=10))[1][0]
    assert decision.reasons == (GateReason.PAUSED, GateReason.CONFIDENCE)


def test_an_input_of_an_instant_already_judged_is_refused() -> None:
    state, _ = judge(setup())
    with pytest.raises(DataError, match="too late"):
        fold([setup(strategy="other")], state)


def losses(number: int, *, net_r: float = -0.5, net_usd: str | None = "-0.01"):
    """Setups a day apart, each closed after six hours."""
    days = [day for day in range(30) if (NOON + HOUR * 24 * day).weekday() < 3][:number]
    return [
        fact
        for one in (setup(NOON + HOUR * 24 * day) for day in days)
        for fact in (one, closed(one, at=one.at + HOUR * 6, net_r=net_r, net_usd=net_usd))
    ]


def test_known_mistake_6_the_breaker_releases_after_24_market_open_hours_and_starts_anew() -> None:
    history = losses(5)
    tripped = history[-1].at
    state, decisions = judge(*history)
    assert all(decision.is_accepted for decision in decisions)
    release = state.breaker.holds_until
    # 18:00 UTC on Wednesday; 24 hours of trading later, with one hour of break between, it is 19:00 on Thursday.
    assert (tripped, release) == (datetime(2024, 6, 12, 18, tzinfo=UTC), datetime(2024, 6, 13, 19, tzinfo=UTC))
    assert fold([setup(release - HOUR)], state)[1][0].reasons == (GateReason.CIRCUIT_BREAKER,)
    resumed, again = fold([setup(release)], state)
    assert again[0].is_accepted
    # The count starts anew: one more loss does not trip it again.
    after, _ = fold([closed(setup(release), at=release + HOUR, net_r=-1.0, net_usd="-0.01")], resumed)
    assert (after.breaker.losses_in_a_row, after.breaker.holds_until) == (1, None)


def test_known_mistake_6_four_losses_and_a_win_do_not_trip_and_a_fall_of_20_r_does() -> None:
    win = setup(datetime(2024, 6, 12, 12, tzinfo=UTC))
    state, _ = judge(*losses(4), win, closed(win, at=win.at + HOUR, net_r=0.1))
    assert (state.breaker.losses_in_a_row, state.breaker.holds_until) == (0, None)
    assert judge(*losses(2, net_r=-9.9))[0].breaker.holds_until is None
    assert judge(*losses(2, net_r=-10.0))[0].breaker.holds_until is not None


def test_known_mistake_7_the_daily_loss_counts_dollars_of_the_position_and_open_risk() -> None:
    # 1 % of 100,000 at 5 USD/oz are 200 ounces. 100 ounces (a market twice as wild) lose half as much for the same R.
    first = setup()
    small = setup(atr=8.0)
    candidate = setup(NOON + HOUR * 5)
    for lost, expected in ((first, (GateReason.DAILY_LOSS,)), (small, ())):
        facts = [lost, closed(lost, at=NOON + HOUR, net_r=-1.02), candidate]
        assert judge(*facts)[1][1].reasons == expected
    # Exactly 2 % is allowed, and what is realised counts from 17:00 New York on anew.
    assert judge(first, closed(first, at=NOON + HOUR, net_r=-1.0), candidate)[1][1].is_accepted
    next_day = setup(datetime(2024, 6, 4, 22, 0, tzinfo=UTC))
    assert judge(first, closed(first, at=NOON + HOUR, net_r=-1.9), next_day)[1][1].is_accepted


def test_losses_of_one_trading_day_add_up() -> None:
    # 200 ounces lose 0.6 R = 600 USD twice; 1,200 and 1,000 of the candidate's own are more than 2,000.
    first, second = (setup(NOON + HOUR * n) for n in (0, 4))
    ends = [closed(one, at=one.at + HOUR, net_r=-0.6) for one in (first, second)]
    candidate = setup(NOON + HOUR * 8)
    assert judge(first, second, *ends, candidate)[1][2].reasons == (GateReason.DAILY_LOSS,)
    assert judge(first, second, ends[0], replace(ends[1], net_usd=Decimal("-1.99")), candidate)[1][2].is_accepted


def test_open_risk_counts_until_tp1_has_moved_the_stop_to_the_entry() -> None:
    tight = replace(POLICY, daily_loss_share=Decimal("0.015"))
    first, second = setup(), setup(NOON + HOUR * 5)
    assert judge(first, second, policy=tight)[1][1].reasons == (GateReason.DAILY_LOSS,)
    assert judge(first, step(first, Step.TP1_REACHED, at=NOON + HOUR), second, policy=tight)[1][1].is_accepted


@given(risk=st.integers(1, 40_000), reference=st.integers(100_000, 500_000), direction=st.sampled_from(list(Direction)))
def test_known_mistake_22_rounding_never_decides_the_risk_reward_filter(risk, reference, direction) -> None:
    # The least target that satisfies the rule in ticks passes, one tick less fails; no quotient is formed.
    sign = 1 if direction is Direction.BUY else -1
    least = (3 * risk + 1) // 2
    for distance, fails in ((least, False), (least - 1, True)):
        one = setup(reference=reference, stop=reference - sign * risk, take_profit_1=reference + sign * distance)
        assert (GateReason.RISK_REWARD in judge(one)[1][0].reasons) is fails


def test_the_gate_asks_the_calendar_whether_the_market_is_closing() -> None:
    friday = datetime(2024, 6, 7, 16, 0, tzinfo=UTC)
    assert judge(setup(friday))[1][0].reasons == (GateReason.MARKET_CLOSING,)
    assert judge(setup(friday - HOUR))[1][0].is_accepted
