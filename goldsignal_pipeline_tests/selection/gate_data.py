"""Setups, facts and generated histories for the gate's tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import strategies as st

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.closing_times import minutes_to_closing
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate import Decision, advance
from goldsignal_pipeline.selection.gate_inputs import DataBlock, GateInput, News, Pause, Progress, Setup, SetupKey, Standing, Step
from goldsignal_pipeline.selection.gate_policy import GatePolicy
from goldsignal_pipeline.selection.gate_state import GateState

CALENDAR = load_calendar()
POLICY = GatePolicy(account_usd=Decimal(100_000))
HOUR = timedelta(hours=1)
# A Tuesday without holidays near it.
NOON = datetime(2024, 6, 4, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def setup(at: datetime = NOON, *, direction: Direction = Direction.BUY, strategy: str = "ema_momentum", **other: object) -> Setup:
    """A setup that passes every rule: planned R 5.00 USD/oz, TP1 at 2 R."""
    sign = 1 if direction is Direction.BUY else -1
    fields: dict[str, object] = {
        "key": SetupKey(strategy, "H1", direction, at - HOUR),
        "at": at,
        "entry_open": at + timedelta(minutes=5),
        "reference": 230_000,
        "stop": 230_000 - sign * 500,
        "take_profit_1": 230_000 + sign * 1000,
        "confidence": 70,
        "atr": 4.0,
        "median_atr": 4.0,
        "is_asia": False,
    } | other
    if "minutes_to_closing" not in fields:
        fields["minutes_to_closing"] = int(minutes_to_closing(np.array([to_instant(at)]), calendar=CALENDAR)[0])
    return Setup(**fields)  # type: ignore[arg-type]


def standing(strategy: str = "ema_momentum", *, at: datetime = LONG_AGO, score: float = 0.1, **other: object) -> Standing:
    """An eligible, healthy strategy."""
    return replace(Standing(at, strategy, "H1", Evidence.UNPROVEN, True, False, score), **other)  # type: ignore[arg-type]


def closed(one: Setup, *, at: datetime, net_r: float, net_usd: str | None = None) -> Progress:
    """The end of a setup's trade; dollars per ounce follow from its planned R unless given."""
    dollars = Decimal(str(net_r)) * one.planned_risk_ticks / 100 if net_usd is None else Decimal(net_usd)
    return Progress(one.key, at, Step.CLOSED, one.entry_open, net_r, dollars)


def step(one: Setup, kind: Step, *, at: datetime) -> Progress:
    """Any other step of a setup's trade."""
    return Progress(one.key, at, kind, one.entry_open)


def judge(*inputs: GateInput, policy: GatePolicy = POLICY) -> tuple[GateState, tuple[Decision, ...]]:
    """A fold from the beginning with one eligible strategy."""
    return advance(GateState(), [standing(), *inputs], policy=policy, calendar=CALENDAR)


@st.composite
def histories(draw: st.DrawFn) -> list[GateInput]:
    """Two weeks of setups of three strategies with their trades, standings, pauses, blocks and news."""
    inputs: list[GateInput] = [standing(name, score=score) for name, score in (("a", 0.1), ("b", 0.3), ("c", -0.1))]
    keys = set()
    for _ in range(draw(st.integers(0, 40))):
        at = NOON + HOUR * draw(st.integers(0, 330))
        one = setup(
            at,
            direction=draw(st.sampled_from(list(Direction))),
            strategy=draw(st.sampled_from("abc")),
            confidence=draw(st.sampled_from([55, 70])),
            atr=draw(st.sampled_from([4.0, 9.0])),
        )
        if one.key in keys:
            continue
        keys.add(one.key)
        inputs.append(one)
        held = HOUR * draw(st.integers(1, 30))
        if draw(st.integers(0, 6)) == 0:
            inputs.append(step(one, Step.MISSED, at=one.entry_open))
            continue
        if draw(st.booleans()):
            inputs.append(step(one, Step.TP1_REACHED, at=at + held / 2))
        inputs.append(closed(one, at=at + held, net_r=draw(st.sampled_from([-1.1, -1.0, -0.2, 0.8, 1.9]))))
    for _ in range(draw(st.integers(0, 4))):
        at = NOON + HOUR * draw(st.integers(0, 330))
        day = (at + HOUR * 24).date()
        pauses = [Pause(at, name, paused) for name in ("a", None) for paused in (True, False)]
        blocks = [DataBlock(at, day, True), DataBlock(at, day, False), News(at, at + HOUR)]
        standings = [standing("b", at=at, is_degraded=True), standing("b", at=at, score=0.0)]
        inputs.append(draw(st.sampled_from([*pauses, *blocks, *standings])))
    return inputs
