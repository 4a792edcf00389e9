"""The gate: which setups become signals, as a pure fold with an explicit state.

1. `advance` sorts its inputs by time, and at one instant learns every fact before it judges a setup.
2. Setups of one instant are judged best ranked first; an accepted one is part of the state in which the next is judged.
3. `RULES` holds every rule in its order. A decision keeps all that failed: the first is the verdict, and a setup that failed
   only for being degraded goes on as a shadow.

Any cutting of the inputs into consecutive calls gives the same decisions and the same state, provided one instant stays in
one call. Earlier signals may be given as `Published` in place of their setups: the state is then rebuilt without judging anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final

import numpy as np

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.gate_inputs import (
    DataBlock,
    GateInput,
    News,
    Pause,
    Progress,
    Published,
    Setup,
    SetupKey,
    Standing,
)
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.gate_state import MICRO_USD, GateState, accept, learn, reach
from goldsignal_pipeline.selection.risk import Size, size_of


class GateReason(StrEnum):
    """Why a setup was turned away."""

    LATE = "late"
    PAUSED = "paused"
    DATA_BLOCKED = "data_blocked"
    MARKET_CLOSING = "market_closing"
    LOW_LIQUIDITY = "low_liquidity"
    NOT_ELIGIBLE = "not_eligible"
    DEGRADED = "degraded"
    RISK_REWARD = "risk_reward"
    CONFIDENCE = "confidence"
    DUPLICATE = "duplicate"
    OPPOSITE_OPEN = "opposite_open"
    MAX_OPEN = "max_open"
    DAILY_LOSS = "daily_loss"
    CIRCUIT_BREAKER = "circuit_breaker"
    NEWS_BLACKOUT = "news_blackout"
    TOO_SMALL = "too_small"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one setup: accepted when nothing failed, else every reason in the order of the rules."""

    key: SetupKey
    at: datetime
    reasons: tuple[GateReason, ...]
    size: Size
    standing: Standing | None
    rank: int | None

    @property
    def is_accepted(self) -> bool:
        """Whether the setup became a signal."""
        return not self.reasons

    @property
    def is_shadow(self) -> bool:
        """Whether only the degradation of its strategy kept it from becoming a signal."""
        return self.reasons == (GateReason.DEGRADED,)


@dataclass(frozen=True, slots=True)
class Case:
    """A setup and all that may be known when it is judged: what every rule reads."""

    setup: Setup
    state: GateState
    size: Size
    standing: Standing | None
    policy: GatePolicy
    calendar: TradingCalendar


def advance(
    state: GateState,
    inputs: Iterable[GateInput],
    *,
    policy: GatePolicy,
    calendar: TradingCalendar,
    observe: Callable[[Case], None] | None = None,
) -> tuple[GateState, tuple[Decision, ...]]:
    """The state after `inputs`, and the verdict on every setup among them, in the order in which they were judged.

    Inputs may come in any order, but all must be later than `state.through`; DataError otherwise. `observe` is told every case
    before it is judged, so that a verdict can be explained.
    """
    ordered = sorted(inputs, key=_order)
    if ordered and state.through is not None and ordered[0].at <= state.through:
        raise DataError(
            f"the gate has already judged {state.through}, an input of {ordered[0].at} comes too late",
            done="nothing was judged",
            fix="fold from a state before that instant",
        )
    decisions: list[Decision] = []
    for at, group in groupby(ordered, key=lambda one: one.at):
        state = replace(reach(state, at), through=at)
        setups: list[Setup] = []
        for one in group:
            if isinstance(one, Setup):
                setups.append(one)
            else:
                state = learn(state, one, policy=policy, calendar=calendar)
        standings = state.standings
        for setup in sorted(setups, key=lambda one: judging_order(standings.get(_track(one)), one.key)):
            case = _case(state, setup, policy=policy, calendar=calendar)
            if observe is not None:
                observe(case)
            decision = _decide(case)
            decisions.append(decision)
            if decision.is_accepted:
                state = accept(state, setup, ounces=decision.size.ounces)
    return state, tuple(decisions)


def judging_order(standing: Standing | None, key: SetupKey) -> tuple[float, SetupKey]:
    """In which order setups of one instant are judged: best ranked first, then by key."""
    return -_score(standing), key


def _case(state: GateState, setup: Setup, *, policy: GatePolicy, calendar: TradingCalendar) -> Case:
    size = size_of(
        account_usd=policy.account_usd,
        planned_risk_ticks=setup.planned_risk_ticks,
        atr=setup.atr,
        median_atr=setup.median_atr,
        risk_share=policy.risk_share,
    )
    return Case(setup, state, size, state.standings.get(_track(setup)), policy, calendar)


def _decide(case: Case) -> Decision:
    reasons = tuple(reason for reason, fails in RULES if fails(case))
    return Decision(case.setup.key, case.setup.at, reasons, case.size, case.standing, _rank(case.state, case.standing))


def _is_late(case: Case) -> bool:
    return case.setup.decided_at is not None and case.setup.decided_at > case.setup.entry_open


def _is_paused(case: Case) -> bool:
    return None in case.state.paused or case.setup.key.strategy in case.state.paused


def _is_data_blocked(case: Case) -> bool:
    if not case.state.blocked_days:
        return False
    # The bars that were read belong to the day that holds the last instant of the confirming bar.
    read = np.array([to_instant(case.setup.at - timedelta(microseconds=1))])
    return case.calendar.trading_day(read)[0].item() in case.state.blocked_days


def _is_market_closing(case: Case) -> bool:
    return case.setup.minutes_to_closing < case.policy.closing_minutes


def _is_low_liquidity(case: Case) -> bool:
    return case.policy.avoids_asia and case.setup.is_asia


def _is_not_eligible(case: Case) -> bool:
    return case.standing is None or not case.standing.is_eligible


def _is_degraded(case: Case) -> bool:
    return case.standing is not None and case.standing.is_degraded


def _has_too_little_reward(case: Case) -> bool:
    # In whole ticks: a quotient would let its rounding decide at exactly 1.5.
    return 2 * abs(case.setup.take_profit_1 - case.setup.reference) < 3 * case.setup.planned_risk_ticks


def _has_too_little_confidence(case: Case) -> bool:
    return case.setup.confidence < case.policy.minimum_confidence


def _is_duplicate(case: Case) -> bool:
    last = case.state.last_accepted.get(case.setup.key.direction)
    if last is None:
        return False
    between = case.calendar.open_minutes_between(np.array([to_instant(last)]), np.array([to_instant(case.setup.at)]))
    return int(between[0]) < case.policy.duplicate_minutes


def _is_opposite_open(case: Case) -> bool:
    return any(signal.key.direction is not case.setup.key.direction for signal in case.state.open_signals)


def _are_enough_open(case: Case) -> bool:
    return len(case.state.open_signals) >= case.policy.maximum_open


def _could_lose_too_much_today(case: Case) -> bool:
    today = case.calendar.trading_day(np.array([to_instant(case.setup.at)]))[0].item()
    realised = case.state.realised_micro_usd if case.state.realised_day == today else 0
    at_risk = sum(signal.risk_micro_usd for signal in case.state.open_signals)
    own = case.size.ounces * case.setup.planned_risk_ticks * (MICRO_USD // TICKS_PER_USD)
    return realised - at_risk - own < -case.policy.daily_loss_share * case.policy.account_usd * MICRO_USD


def _is_breaker_holding(case: Case) -> bool:
    return case.state.breaker.holds_until is not None


def _is_near_news(case: Case) -> bool:
    margin = timedelta(minutes=case.policy.news_minutes)
    return any(abs(event - case.setup.at) <= margin for event in case.state.news)


def _is_too_small(case: Case) -> bool:
    return not case.size.is_tradable


RULES: Final[tuple[tuple[GateReason, Callable[[Case], bool]], ...]] = (
    (GateReason.LATE, _is_late),
    (GateReason.PAUSED, _is_paused),
    (GateReason.DATA_BLOCKED, _is_data_blocked),
    (GateReason.MARKET_CLOSING, _is_market_closing),
    (GateReason.LOW_LIQUIDITY, _is_low_liquidity),
    (GateReason.NOT_ELIGIBLE, _is_not_eligible),
    (GateReason.DEGRADED, _is_degraded),
    (GateReason.RISK_REWARD, _has_too_little_reward),
    (GateReason.CONFIDENCE, _has_too_little_confidence),
    (GateReason.DUPLICATE, _is_duplicate),
    (GateReason.OPPOSITE_OPEN, _is_opposite_open),
    (GateReason.MAX_OPEN, _are_enough_open),
    (GateReason.DAILY_LOSS, _could_lose_too_much_today),
    (GateReason.CIRCUIT_BREAKER, _is_breaker_holding),
    (GateReason.NEWS_BLACKOUT, _is_near_news),
    (GateReason.TOO_SMALL, _is_too_small),
)

_KINDS: Final[tuple[type[GateInput], ...]] = (Standing, Pause, DataBlock, News, Progress, Published, Setup)


def _order(one: GateInput) -> tuple[datetime, int, tuple[object, ...]]:
    """Time first; at one instant facts before setups, with a total order within each kind, so that arrival does not matter."""
    tie: tuple[object, ...]
    match one:
        case Standing():
            tie = (one.strategy, one.timeframe, one.evidence, one.is_eligible, one.is_degraded, _score(one))
        case Pause():
            tie = (one.strategy or "", one.is_paused)
        case DataBlock():
            tie = (one.trading_day, one.is_blocked)
        case News():
            tie = (one.event_at, one.is_withdrawn)
        case Progress():
            tie = (one.entry, one.key.strategy, one.key.direction, one.key.timeframe, one.key.timestamp, one.step)
        case Published():
            tie = (one.setup.key,)
        case Setup():
            tie = (one.key,)
    return one.at, _KINDS.index(type(one)), tie


def _score(standing: Standing | None) -> float:
    return -math.inf if standing is None or math.isnan(standing.rank_score) else standing.rank_score


def _track(setup: Setup) -> tuple[str, str]:
    return setup.key.strategy, setup.key.timeframe


def _rank(state: GateState, standing: Standing | None) -> int | None:
    """Place among all strategies and timeframes, 1 is best."""
    if standing is None:
        return None
    return 1 + sum(_score(other) > _score(standing) for other in state.standings.values())
