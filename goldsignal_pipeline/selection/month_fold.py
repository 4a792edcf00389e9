"""The fold of decisions: from the state at the end of one day to the next, the same for backfill and live.

1. Day by day, `fold_days` tells the gate what is known at 00:00 UTC: the standing of every strategy and timeframe, from tested
   results before that day and from its health at the end of the day before.
2. The setups of the day are judged (`gate.advance`) among the steps of the trades of signals, pauses, news and changes of terms,
   each at the instant at which it became known. A verdict that a live run gave is taken as given.
3. When the day is over, the results of signals and shadows that became known in it go to the judged outcomes, and the health
   of every strategy and timeframe advances by a day (`degradation`).

Nothing else decides. Cutting days into calls changes nothing (I8); a day that is not over advances the gate and no health.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.degradation import (
    BASELINE_DAYS,
    JUDGED_DAYS,
    DegradationState,
    Health,
    ScoredOutcomes,
    Transition,
    advance_degradation,
)
from goldsignal_pipeline.selection.evidence import Evidence, is_eligible
from goldsignal_pipeline.selection.gate import Case, Decision, advance, judging_order
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
    Step,
)
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.gate_state import GateState, reach
from goldsignal_pipeline.selection.standings import Tested, Track

_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)
_MEMORY: Final = timedelta(days=JUDGED_DAYS + BASELINE_DAYS + 1)
_NEWS_MEMORY: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class TradeSteps:
    """What the kernel says of one trade: instants at which each step was known, and the net result per ounce."""

    entry_at: datetime
    entry_known_at: datetime
    is_missed: bool
    first_target_at: datetime | None
    resolved_at: datetime | None
    net_r: float
    net_usd: Decimal


@dataclass(frozen=True, slots=True, order=True)
class Judged:
    """A closed trade of a signal or a shadow, in the order in which health reads them."""

    resolved_at: datetime
    entry_at: datetime
    key: SetupKey
    net_r: float
    is_shadow: bool


@dataclass(frozen=True, slots=True)
class SelectionState:
    """All that deciding remembers: the gate, the health of each track, judged outcomes, and trades that have not ended."""

    gate: GateState = field(default_factory=GateState)
    health: Mapping[Track, DegradationState] = field(default_factory=dict)
    judged: tuple[Judged, ...] = ()
    followed: Mapping[SetupKey, bool] = field(default_factory=dict)
    """Signals and shadows (True) whose trade has not ended, by key."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings in force from an instant on."""

    since: datetime
    policy: GatePolicy
    min_evidence: Evidence = Evidence.UNPROVEN


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict that a live run gave, and the setup as it was then."""

    setup: Setup
    decision: Decision


@dataclass(frozen=True, slots=True)
class Material:
    """What the fold reads; everything for the days asked and, of followed trades, from before them.

    `setups` are those of kind setup; `steps` holds the trade of each of them (none while it cannot be entered yet). `tested`
    has no entry for a day whose results are missing or incomplete: nobody is eligible then. `blocked` are the setups whose
    trading day was too incomplete. `terms` ascend and the first holds from before the first day.
    """

    tracks: Sequence[Track]
    setups: Sequence[Setup]
    steps: Mapping[SetupKey, TradeSteps]
    tested: Mapping[date, Sequence[Tested]]
    blocked: frozenset[SetupKey]
    terms: Sequence[Terms]
    facts: Sequence[Pause | News] = ()
    given: Mapping[SetupKey, Given] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folded:
    """The state after the days, every verdict in order, and the health of each track at the end of each day that is over.

    `outcomes` are the results of signals and shadows that became known in these days, `ends` the state at the end of each day
    that is over.
    """

    state: SelectionState
    decisions: tuple[Decision, ...]
    health: Mapping[date, Mapping[Track, DegradationState]]
    transitions: tuple[tuple[Track, Transition], ...]
    outcomes: tuple[Judged, ...]
    ends: Mapping[date, SelectionState]


def fold_days(
    state: SelectionState,
    material: Material,
    *,
    days: Sequence[date],
    until: datetime,
    calendar: TradingCalendar,
    observe: Callable[[Case], None] | None = None,
) -> Folded:
    """Decide over consecutive `days` (UTC); what became known after `until` is not read. `observe` is told every case judged."""
    inputs = _dated_inputs(material, followed=state.followed, start=_midnight(days[0])) if days else {}
    decisions: list[Decision] = []
    health: dict[date, Mapping[Track, DegradationState]] = {}
    ends: dict[date, SelectionState] = {}
    transitions: list[tuple[Track, Transition]] = []
    trading_days = _trading_days(days, calendar=calendar)
    outcomes = _Outcomes(material.tracks)
    ended: list[Judged] = []
    for day in days:
        start, end = _midnight(day), _midnight(day) + _DAY
        if start > until:
            break
        before = min(end, until + _INSTANT)
        state, made = _decide(
            state, inputs.get(day, ()), material=material, start=start, before=before, calendar=calendar, observe=observe
        )
        decisions += made
        state, new = _settle(state, material, made=made, before=before)
        ended += new
        if end <= until:
            state, moved = _age(state, outcomes, day=day, is_trading_day=day in trading_days)
            transitions += moved
            health[day], ends[day] = state.health, state
    return Folded(state, tuple(decisions), health, tuple(transitions), tuple(ended), ends)


def progress_of(key: SetupKey, steps: TradeSteps) -> Iterable[Progress]:
    """The steps of a trade as the gate is told them, each at the instant at which it was known."""
    if steps.is_missed:
        yield Progress(key, steps.entry_known_at, Step.MISSED, steps.entry_at)
        return
    yield Progress(key, steps.entry_known_at, Step.FILLED, steps.entry_at)
    if steps.first_target_at is not None:
        yield Progress(key, steps.first_target_at, Step.TP1_REACHED, steps.entry_at)
    if steps.resolved_at is not None:
        yield Progress(key, steps.resolved_at, Step.CLOSED, steps.entry_at, steps.net_r, steps.net_usd)


def _dated_inputs(material: Material, *, followed: Mapping[SetupKey, bool], start: datetime) -> Mapping[date, list[GateInput]]:
    """Setups, given verdicts, facts and steps by the day in which they become known."""
    by_day: dict[date, list[GateInput]] = {}
    given_keys = material.given.keys()
    told: list[GateInput] = [setup for setup in material.setups if setup.key not in given_keys]
    told += material.facts
    told += _blocks(material)
    told += [Published(one.setup, one.decision.size.ounces) for one in material.given.values() if one.decision.is_accepted]
    keys = {setup.key for setup in material.setups} | given_keys
    told += [step for key in keys - followed.keys() for step in _steps(material, key)]
    # Revised candles may end a trade before the first day; told again, earlier steps of the others change nothing.
    told += [replace(step, at=max(step.at, start)) for key in followed for step in _steps(material, key)]
    for one in told:
        by_day.setdefault(_utc_day(one.at), []).append(one)
    return by_day


def _steps(material: Material, key: SetupKey) -> Iterable[Progress]:
    steps = material.steps.get(key)
    return () if steps is None else progress_of(key, steps)


def _blocks(material: Material) -> list[DataBlock]:
    """What the setups of a day with a blocked one are told of it.

    A block would hold for the setups of its day that come after it, so each of them is told its own.
    """
    # The day is the one whose bars a decision read: it holds the last instant before it.
    read = np.array([to_instant(one.at - _INSTANT) for one in material.setups], dtype="datetime64[us]")
    days = TradingCalendar.trading_day(read).tolist()
    affected = {day for one, day in zip(material.setups, days, strict=True) if one.key in material.blocked}
    return [
        DataBlock(one.at, day, one.key in material.blocked)
        for one, day in zip(material.setups, days, strict=True)
        if day in affected
    ]


def _decide(
    state: SelectionState,
    known: Sequence[GateInput],
    *,
    material: Material,
    start: datetime,
    before: datetime,
    calendar: TradingCalendar,
    observe: Callable[[Case], None] | None,
) -> tuple[SelectionState, list[Decision]]:
    """The gate over one day up to `before`, in spans of equal terms; given verdicts stand among the others in order of time."""
    gate = replace(state.gate, news=frozenset(one for one in state.gate.news if one > start - _NEWS_MEMORY))
    made: list[Decision] = []
    changes = sorted({terms.since for terms in material.terms if start < terms.since < before})
    for begin, stop in zip([start, *changes], [*changes, before], strict=True):
        terms = next(terms for terms in reversed(material.terms) if terms.since <= begin)
        tested = material.tested.get(start.date(), ())
        standings = _standings(tested, material.tracks, health=state.health, at=begin, terms=terms)
        span = [one for one in known if begin <= one.at < stop]
        gate, decisions = advance(gate, [*standings, *span], policy=terms.policy, calendar=calendar, observe=observe)
        made += decisions
    made += [one.decision for one in material.given.values() if start <= one.decision.at < before]
    # What every day is told anew is no memory, and the state is that of an instant, whatever was the last to be judged before it.
    gate = replace(reach(gate, before), through=before - _INSTANT, standings={}, blocked_days=frozenset())
    return replace(state, gate=gate), sorted(made, key=lambda one: (one.at, *judging_order(one.standing, one.key)))


def _standings(
    tested: Sequence[Tested], tracks: Sequence[Track], *, health: Mapping[Track, DegradationState], at: datetime, terms: Terms
) -> list[Standing]:
    """What is known of every track at the beginning of a day; a track without a result is not eligible."""
    results = {(one.strategy, one.timeframe): one for one in tested}
    standings = []
    for strategy, timeframe in tracks:
        one = results.get((strategy, timeframe))
        is_degraded = health.get((strategy, timeframe), DegradationState()).health is Health.DEGRADED
        if one is None:
            standings.append(Standing(at, strategy, timeframe, Evidence.UNPROVEN, False, is_degraded, float("nan")))
            continue
        eligible = is_eligible(evidence=one.evidence, trades=one.trades, min_evidence=terms.min_evidence)
        standings.append(Standing(at, strategy, timeframe, one.evidence, eligible, is_degraded, one.rank_score))
    return standings


def _settle(
    state: SelectionState, material: Material, *, made: Sequence[Decision], before: datetime
) -> tuple[SelectionState, list[Judged]]:
    """Follow the trades of new signals and shadows, and judge those whose result became known before an instant."""
    new = {one.key: one.is_shadow for one in made if one.is_accepted or one.is_shadow}
    if not new and not state.followed:
        return state, []
    followed = dict(sorted({**state.followed, **new}.items()))
    ended: list[Judged] = []
    for key, is_shadow in list(followed.items()):
        steps = material.steps.get(key)
        if steps is None:
            continue
        if steps.is_missed and steps.entry_known_at < before:
            del followed[key]
        elif not steps.is_missed and steps.resolved_at is not None and steps.resolved_at < before:
            del followed[key]
            ended.append(Judged(steps.resolved_at, steps.entry_at, key, steps.net_r, is_shadow))
    judged = tuple(sorted([*state.judged, *ended])) if ended else state.judged
    return replace(state, followed=followed, judged=judged), sorted(ended)


class _Outcomes:
    """The judged outcomes of each track as arrays, made again only for tracks that something was added to or forgotten of."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks = tracks
        self._judged: tuple[Judged, ...] | None = None
        self._made: dict[Track, ScoredOutcomes] = {}

    def of(self, judged: tuple[Judged, ...]) -> Mapping[Track, ScoredOutcomes]:
        """The arrays of every track of `judged`."""
        if judged is not self._judged:
            # Those that stay are the same objects, and telling objects apart is much faster than comparing their fields.
            before, after = ({id(one): one for one in them} for them in (self._judged or (), judged))
            changed = {
                _track(one.key)
                for them, others in ((before, after), (after, before))
                for number, one in them.items()
                if number not in others
            }
            stale = [track for track in self.tracks if track in changed or track not in self._made]
            self._made |= {track: outcomes_of(judged, track=track) for track in stale}
            self._judged = judged
        return self._made


def _age(
    state: SelectionState, outcomes: _Outcomes, *, day: date, is_trading_day: bool
) -> tuple[SelectionState, list[tuple[Track, Transition]]]:
    """The health of every track at the end of `day`; outcomes that no later day can read are forgotten."""
    judged, oldest = state.judged, _midnight(day) - _MEMORY
    if judged and judged[0].resolved_at <= oldest:
        judged = tuple(one for one in judged if one.resolved_at > oldest)
    health = dict(state.health)
    moved: list[tuple[Track, Transition]] = []
    days, flags = np.array([day], dtype="datetime64[D]"), np.array([is_trading_day])
    for track, own in outcomes.of(judged).items():
        before = health.get(track, DegradationState())
        health[track], _, transitions = advance_degradation(before, own, days=days, is_trading_day=flags)
        moved += [(track, one) for one in transitions]
    return replace(state, health=health, judged=judged), moved


def outcomes_of(judged: Sequence[Judged], *, track: Track) -> ScoredOutcomes:
    """The judged outcomes of one track as arrays, in their order."""
    own = [one for one in judged if _track(one.key) == track]
    return ScoredOutcomes(
        exit=np.array([to_instant(one.resolved_at) for one in own], dtype="datetime64[us]"),
        net_r=np.array([one.net_r for one in own], dtype=np.float64),
        is_shadow=np.array([one.is_shadow for one in own], dtype=bool),
    )


def _trading_days(days: Sequence[date], *, calendar: TradingCalendar) -> frozenset[date]:
    """Those of `days` on which a trading day with open hours ends."""
    if not days:
        return frozenset()
    opens = calendar.expected_opens(
        timeframe=Timeframe.D1, start=_midnight(days[0]) - 2 * _DAY, end=_midnight(days[-1]) + 2 * _DAY
    )
    return frozenset(calendar.trading_day(opens).tolist())


def _track(key: SetupKey) -> Track:
    return key.strategy, key.timeframe


def _utc_day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
