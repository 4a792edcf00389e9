"""The gate's memory: an explicit, immutable value, a function of earlier signals, candles and gate events alone.

`learn` is the one place in which a fact changes it. Money is whole micro-dollars and R whole micro-R, so sums are exact. Nothing
is kept in a process: whoever folds the same facts holds the same state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypeVar

import numpy as np

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.prices import TICKS_PER_USD, Direction
from goldsignal_pipeline.market.zones import to_datetime, to_instant
from goldsignal_pipeline.selection.gate_inputs import (
    DataBlock,
    Fact,
    News,
    Pause,
    Progress,
    Published,
    Setup,
    SetupKey,
    Standing,
    Step,
)
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.simulation.rolling import booked_day
from goldsignal_pipeline.simulation.scored_trades import MICRO_R

MICRO_USD: Final = 1_000_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class OpenSignal:
    """An accepted signal without a final outcome; its risk is 0 once TP1 has moved the stop to the entry."""

    key: SetupKey
    ounces: int
    risk_micro_usd: int


@dataclass(frozen=True, slots=True)
class Breaker:
    """The circuit breaker: losses in a row and cumulated micro-R since the last restart, and until when it holds."""

    losses_in_a_row: int = 0
    total_micro_r: int = 0
    peak_micro_r: int = 0
    holds_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GateState:
    """Everything the gate remembers after all inputs at or before `through`; mappings are never changed in place."""

    through: datetime | None = None
    open_signals: tuple[OpenSignal, ...] = ()
    last_accepted: Mapping[Direction, datetime] = field(default_factory=dict)
    realised_day: date | None = None
    realised_micro_usd: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    standings: Mapping[tuple[str, str], Standing] = field(default_factory=dict)
    paused: frozenset[str | None] = frozenset()
    blocked_days: frozenset[date] = frozenset()
    news: frozenset[datetime] = frozenset()


def reach(state: GateState, at: datetime) -> GateState:
    """The state when the time has come to `at`: a breaker that has held long enough starts anew."""
    until = state.breaker.holds_until
    return replace(state, breaker=Breaker()) if until is not None and until <= at else state


def learn(state: GateState, fact: Fact, *, policy: GatePolicy, calendar: TradingCalendar) -> GateState:
    """The state after one fact."""
    match fact:
        case Standing():
            return replace(state, standings={**state.standings, (fact.strategy, fact.timeframe): fact})
        case Pause():
            return replace(state, paused=_switched(state.paused, fact.strategy, fact.is_paused))
        case DataBlock():
            return replace(state, blocked_days=_switched(state.blocked_days, fact.trading_day, fact.is_blocked))
        case News():
            return replace(state, news=_switched(state.news, fact.event_at, not fact.is_withdrawn))
        case Published():
            return accept(state, fact.setup, ounces=fact.ounces)
        case Progress():
            return _step(state, fact, policy=policy, calendar=calendar)


def accept(state: GateState, setup: Setup, *, ounces: int) -> GateState:
    """The state after `setup` became a signal of this size."""
    risk = ounces * setup.planned_risk_ticks * (MICRO_USD // TICKS_PER_USD)
    signals = sorted((*state.open_signals, OpenSignal(setup.key, ounces, risk)), key=lambda signal: signal.key)
    return replace(
        state,
        open_signals=tuple(signals),
        last_accepted={**state.last_accepted, setup.key.direction: setup.at},
    )


def _step(state: GateState, progress: Progress, *, policy: GatePolicy, calendar: TradingCalendar) -> GateState:
    signal = next((one for one in state.open_signals if one.key == progress.key), None)
    if signal is None or progress.step is Step.FILLED:
        return state
    others = tuple(one for one in state.open_signals if one.key != progress.key)
    if progress.step is Step.TP1_REACHED:
        riskless = sorted((*others, replace(signal, risk_micro_usd=0)), key=lambda one: one.key)
        return replace(state, open_signals=tuple(riskless))
    state = replace(state, open_signals=others)
    if progress.step is Step.MISSED:
        return state
    breaker = _after_close(state.breaker, progress, policy=policy, calendar=calendar)
    return replace(_realise(state, progress, ounces=signal.ounces), breaker=breaker)


def _realise(state: GateState, progress: Progress, *, ounces: int) -> GateState:
    """Book the dollars of the whole position on the trading day that holds the exit bar."""
    day = _trading_day_of_exit(progress.at)
    before = state.realised_micro_usd if state.realised_day == day else 0
    gained = ounces * int((progress.net_usd * MICRO_USD).to_integral_value())
    return replace(state, realised_day=day, realised_micro_usd=before + gained)


def _after_close(breaker: Breaker, progress: Progress, *, policy: GatePolicy, calendar: TradingCalendar) -> Breaker:
    """Count a result; while the breaker holds nothing is counted, for everything starts anew when it lets go."""
    if breaker.holds_until is not None:
        return breaker
    total = breaker.total_micro_r + round(progress.net_r * MICRO_R)
    counted = Breaker(
        losses_in_a_row=0 if progress.net_r > 0 else breaker.losses_in_a_row + 1,
        total_micro_r=total,
        peak_micro_r=max(breaker.peak_micro_r, total),
    )
    fallen = Decimal(counted.peak_micro_r - total) / MICRO_R
    if counted.losses_in_a_row < policy.breaker_losses and fallen < policy.breaker_drawdown_r:
        return counted
    until = calendar.add_open_time(np.array([to_instant(progress.at)]), minutes=policy.breaker_minutes)[0]
    return replace(counted, holds_until=to_datetime(until))


def _trading_day_of_exit(at: datetime) -> date:
    """The trading day on which an exit at `at` (close of its bar) is booked."""
    day: date = booked_day(np.array([to_instant(at)]))[0].item()
    return day


def _switched(members: frozenset[_T], member: _T, is_in: bool) -> frozenset[_T]:
    return members | {member} if is_in else members - {member}
