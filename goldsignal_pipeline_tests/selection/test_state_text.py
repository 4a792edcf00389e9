"""The state as text: every state comes back as it was, and equal states have one text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.degradation import DegradationState, Health
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_state import Breaker, GateState, OpenSignal
from goldsignal_pipeline.selection.month_fold import Judged, SelectionState
from goldsignal_pipeline.selection.state_text import parse_state, state_text

names = st.text(min_size=1, max_size=8)
directions = st.sampled_from(list(Direction))
instants = st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
days = st.dates(datetime(2000, 1, 1).date(), datetime(2050, 1, 1).date())
whole = st.integers(-(2**62), 2**62)
keys = st.builds(SetupKey, names, st.sampled_from(["M15", "H1", "H4"]), directions, instants)
healths = st.builds(
    DegradationState, st.sampled_from(list(Health)), st.none() | days, st.integers(0, 7), st.integers(0, 20), st.none() | days
)
judged = st.builds(Judged, instants, instants, keys, st.floats(allow_nan=False, allow_infinity=False), st.booleans())
gates = st.builds(
    GateState,
    through=st.none() | instants,
    open_signals=st.lists(st.builds(OpenSignal, keys, st.integers(0, 10**6), whole), max_size=3).map(tuple),
    last_accepted=st.dictionaries(directions, instants),
    realised_day=st.none() | days,
    realised_micro_usd=whole,
    breaker=st.builds(Breaker, st.integers(0, 9), whole, whole, st.none() | instants),
    paused=st.frozensets(st.none() | names, max_size=3),
    news=st.frozensets(instants, max_size=3),
)
states = st.builds(
    SelectionState,
    gate=gates,
    health=st.dictionaries(st.tuples(names, st.sampled_from(["H1", "H4"])), healths, max_size=3),
    judged=st.lists(judged, max_size=4).map(tuple),
    followed=st.dictionaries(keys, st.booleans(), max_size=3),
)


@settings(max_examples=100, deadline=None)
@given(state=states)
def test_a_state_comes_back_as_it_was_and_its_text_is_the_only_one(state) -> None:
    text = state_text(state)
    back = parse_state(text)
    assert back == state
    assert state_text(back) == text
    assert [one.net_r.hex() for one in back.judged] == [one.net_r.hex() for one in state.judged]
    assert "\n" not in text


@settings(max_examples=30, deadline=None)
@given(state=states, seed=st.randoms(use_true_random=False))
def test_the_order_in_which_a_state_was_put_together_does_not_show(state, seed) -> None:
    def shuffled(mapping):
        items = list(mapping.items())
        seed.shuffle(items)
        return dict(items)

    gate = state.gate
    other = SelectionState(
        gate=replace(
            gate,
            last_accepted=shuffled(gate.last_accepted),
            paused=frozenset(reversed(list(gate.paused))),
            news=frozenset(reversed(list(gate.news))),
        ),
        health=shuffled(state.health),
        judged=state.judged,
        followed=shuffled(state.followed),
    )
    assert state_text(other) == state_text(state)


def test_instants_of_another_zone_are_written_in_utc() -> None:
    at = datetime(2024, 6, 4, 12, tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=-4)))
    assert state_text(SelectionState(GateState(through=elsewhere))) == state_text(SelectionState(GateState(through=at)))


def test_a_text_of_another_form_is_refused_with_what_to_do() -> None:
    content = json.loads(state_text(SelectionState())) | {"form": 0}
    with pytest.raises(DataError, match="form 1") as raised:
        parse_state(json.dumps(content))
    assert "backfill --missing" in str(raised.value)
