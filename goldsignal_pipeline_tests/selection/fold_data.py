"""Generated material for the fold of decisions: setups of three tracks over three weeks with trades, results, terms and facts.

What follows from what is kept: steps of a trade ascend, a missed trade has no result, and a track begins with a past of its own,
so that healthy, watched and degraded ones meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.closing_times import minutes_to_closing
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate import Decision
from goldsignal_pipeline.selection.gate_inputs import News, Pause, Setup, SetupKey
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.month_fold import Folded, Judged, Material, SelectionState, Terms, TradeSteps, fold_days
from goldsignal_pipeline.selection.standings import Tested
from goldsignal_pipeline.selection.state_text import parse_state, state_text
from goldsignal_pipeline_tests.selection.gate_data import CALENDAR, HOUR, setup

DAY = timedelta(days=1)
FIRST = date(2024, 5, 20)
"""A Monday; three weeks from it hold a holiday and the end of a month."""
DAYS = tuple(FIRST + DAY * n for n in range(21))
BEGIN, END = (datetime.combine(day, time(), tzinfo=UTC) for day in (DAYS[0], DAYS[-1] + DAY))
TRACKS = (("alpha", "H1"), ("beta", "H1"), ("gamma", "H4"))
POLICY = GatePolicy(account_usd=Decimal(100_000))
ALWAYS = Terms(datetime(1970, 1, 1, tzinfo=UTC), POLICY)


@dataclass(frozen=True, repr=False)
class Story:
    """Material and the state in which it begins; its short `repr` is all that a failing example prints."""

    material: Material
    state: SelectionState

    def __repr__(self) -> str:
        return f"<{len(self.material.setups)} setups, {len(self.material.facts)} facts, {len(self.material.terms)} terms>"

    def fold(self, days: Sequence[date] = DAYS, *, until: datetime = END, state: SelectionState | None = None) -> Folded:
        return fold_days(state or self.state, self.material, days=days, until=until, calendar=CALENDAR)

    def folded_in_calls(self, cuts: Sequence[int]) -> list[Folded]:
        """The same days in consecutive calls, each from the text of the state before."""
        edges = [0, *sorted(cuts), len(DAYS)]
        state, parts = self.state, []
        for begin, end in pairwise(edges):
            parts.append(self.fold(DAYS[begin:end], state=parse_state(state_text(state))))
            state = parts[-1].state
        return parts

    def with_material(self, **changed: object) -> Story:
        return replace(self, material=replace(self.material, **changed))  # type: ignore[arg-type]


def result(track: tuple[str, str], *, score: float = 0.1, trades: int = 100, evidence: Evidence = Evidence.UNPROVEN) -> Tested:
    return Tested(*track, trades, score, 0.1, evidence, score)


def steps(one: Setup, *, hours: int = 10, net_r: float = 1.0, target: bool = False, missed: bool = False) -> TradeSteps:
    """The trade of a setup: entered at its bar, ended so many hours later."""
    end = one.entry_open + HOUR * hours
    return TradeSteps(
        entry_at=one.entry_open,
        entry_known_at=one.entry_open + HOUR,
        is_missed=missed,
        first_target_at=one.entry_open + HOUR * max(1, hours // 2) if target and not missed else None,
        resolved_at=None if missed else end,
        net_r=0.0 if missed else net_r,
        net_usd=Decimal(0) if missed else Decimal(str(net_r)) * one.planned_risk_ticks / 100,
    )


def plain(*setups: Setup, trades: dict[SetupKey, TradeSteps] | None = None, **other: object) -> Material:
    """Material in which every track is eligible every day."""
    every = {day: tuple(result(track) for track in TRACKS) for day in DAYS}
    fields: dict[str, object] = {"tracks": TRACKS, "setups": setups, "steps": trades or {}, "tested": every}
    fields |= {"blocked": frozenset(), "terms": (ALWAYS,)}
    return Material(**(fields | other))  # type: ignore[arg-type]


@st.composite
def stories(draw: st.DrawFn, *, live: bool = False) -> Story:
    """Anything that can happen in three weeks; `live` gives some setups an instant at which they were decided."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rate = draw(st.sampled_from([0.02, 0.1]))
    risky = draw(st.booleans())
    setups, trades = _setups(rng, rate=rate, live=live), dict[SetupKey, TradeSteps]()
    for one in setups:
        if rng.random() < 0.95:
            trades[one.key] = _trade(rng, one, results=[-1.1, -1.0, -0.4] if risky else [-1.1, -1.0, 0.6, 1.4, 2.0])
    closes = sorted({one.at for one in setups})
    return Story(
        Material(
            tracks=TRACKS,
            setups=tuple(setups),
            steps=trades,
            tested={day: _tested(rng) for day in DAYS if rng.random() < 0.95},
            blocked=frozenset(one.key for one in setups if one.at in {at for at in closes if hash_of(at) % 9 == 0}),
            terms=_terms(rng, draw(st.integers(0, 3))),
            facts=_facts(rng, draw(st.integers(0, 6))),
        ),
        SelectionState(judged=_past(rng, bad=draw(st.sampled_from(["", "alpha", "alpha beta gamma"])))),
    )


def hash_of(at: datetime) -> int:
    """A number that depends on an instant alone."""
    return int(at.timestamp()) // 3600 * 2654435761 % 2**32 // 1000


@cache
def _closings() -> list[int]:
    hours = np.datetime64(FIRST, "us") + np.arange(24 * len(DAYS)) * np.timedelta64(1, "h")
    return minutes_to_closing(hours, calendar=CALENDAR).tolist()


def _setups(rng: np.random.Generator, *, rate: float, live: bool) -> list[Setup]:
    found = []
    for hour, closing in enumerate(_closings()):
        at = BEGIN + HOUR * hour
        for strategy, timeframe in TRACKS:
            if rng.random() >= rate:
                continue
            direction = Direction.BUY if rng.random() < 0.6 else Direction.SELL
            one = setup(
                at,
                direction=direction,
                key=SetupKey(strategy, timeframe, direction, at - HOUR),
                entry_open=at,
                minutes_to_closing=closing,
                confidence=int(rng.choice([55, 70, 70])),
                atr=float(rng.choice([4.0, 9.0])),
                decided_at=at + timedelta(minutes=int(rng.choice([0, 0, 2]))) if live and rng.random() < 0.7 else None,
            )
            found.append(one)
    return found


def _trade(rng: np.random.Generator, one: Setup, *, results: list[float]) -> TradeSteps:
    made = steps(
        one,
        hours=int(rng.integers(1, 120)),
        net_r=float(rng.choice(results)) + float(rng.integers(-3, 4)) / 7,
        target=bool(rng.random() < 0.4),
        missed=bool(rng.random() < 0.15),
    )
    return replace(made, resolved_at=None) if rng.random() < 0.03 else made


def _tested(rng: np.random.Generator) -> tuple[Tested, ...]:
    evidences = [Evidence.UNPROVEN, Evidence.UNPROVEN, Evidence.PROVEN, Evidence.HARMFUL]
    return tuple(
        result(
            track,
            score=float(rng.integers(-3, 6)) / 10,
            trades=int(rng.choice([10, 200, 200])),
            evidence=evidences[int(rng.integers(0, 4))],
        )
        for track in TRACKS
        if rng.random() < 0.95
    )


def _terms(rng: np.random.Generator, changes: int) -> tuple[Terms, ...]:
    """Changes at full hours, where setups confirm, midnight included, and perhaps two at one instant."""
    since = sorted(BEGIN + HOUR * int(rng.choice([24, 24, 7])) * int(rng.integers(0, 21)) for _ in range(changes))
    policies = [replace(POLICY, account_usd=Decimal(int(rng.integers(2, 400)) * 1000), maximum_open=2) for _ in since]
    weakest = [Evidence.UNPROVEN, Evidence.PROVEN]
    return (ALWAYS, *(Terms(at, policy, weakest[int(rng.integers(0, 2))]) for at, policy in zip(since, policies, strict=True)))


def _facts(rng: np.random.Generator, number: int) -> tuple[Pause | News, ...]:
    facts: list[Pause | News] = []
    for _ in range(number):
        at = BEGIN + HOUR * int(rng.integers(0, 500))
        name = [None, "alpha", "beta"][int(rng.integers(0, 3))]
        fact = News(at, at + HOUR * int(rng.integers(0, 30))) if rng.random() < 0.4 else Pause(at, name, bool(rng.random() < 0.5))
        facts.append(fact)
    return tuple(facts)


def _past(rng: np.random.Generator, *, bad: str) -> tuple[Judged, ...]:
    """A good year of every track and, of the `bad` ones, a poor last quarter: what degradation compares."""
    past = []
    for strategy, timeframe in TRACKS:
        for days_ago in range(6, 420, 6):
            at = BEGIN - DAY * days_ago + HOUR * int(rng.integers(0, 24))
            poor = strategy in bad.split() and days_ago < 100
            net_r = float(rng.choice([-1.0, -0.8] if poor else [-1.0, 1.0, 1.5]))
            past.append(
                Judged(at, at - HOUR, SetupKey(strategy, timeframe, Direction.BUY, at - 2 * HOUR), net_r, is_shadow=False)
            )
        for days_ago in range(2, 90, 3) if strategy in bad.split() else ():
            at = BEGIN - DAY * days_ago
            past.append(Judged(at, at - HOUR, SetupKey(strategy, timeframe, Direction.SELL, at - 2 * HOUR), -0.9, is_shadow=True))
    return tuple(sorted(past))


def told(decisions: Iterable[Decision]) -> list[str]:
    """Decisions as text: a rank score may be NaN, which equals nothing."""
    return [repr(one) for one in decisions]


def only_known(material: Material, *, at: datetime) -> Material:
    """What of the material is known at an instant: no later setup, step, result, term or fact."""

    def seen(trade: TradeSteps) -> TradeSteps | None:
        if trade.entry_known_at > at:
            return None
        target = trade.first_target_at if trade.first_target_at and trade.first_target_at <= at else None
        if trade.resolved_at and trade.resolved_at > at:
            return replace(trade, first_target_at=target, resolved_at=None, net_r=0.0, net_usd=Decimal(0))
        return replace(trade, first_target_at=target)

    setups = tuple(one for one in material.setups if one.at <= at)
    trades = {one.key: trade for one in setups if (known := material.steps.get(one.key)) and (trade := seen(known))}
    return replace(
        material,
        setups=setups,
        steps=trades,
        tested={day: ones for day, ones in material.tested.items() if datetime.combine(day, time(), tzinfo=UTC) <= at},
        blocked=material.blocked & {one.key for one in setups},
        terms=tuple(one for one in material.terms if one.since <= at),
        facts=tuple(one for one in material.facts if one.at <= at),
    )
