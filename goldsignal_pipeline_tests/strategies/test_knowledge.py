"""What a decision may know (I5), and that every rule can fire at all (mistake 5)."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.simulated import simulated_record
from goldsignal_pipeline.strategies.evaluation import evaluate
from goldsignal_pipeline.strategies.setups import Evaluation
from goldsignal_pipeline_tests.strategies.records import ALL, NAMES, assert_same, run, walk_h1

PRICES = ["open", "high", "low", "close"]


def with_another_future(record: pd.DataFrame, other: pd.DataFrame, *, cut: int) -> pd.DataFrame:
    """The bars up to a position, and from there on those of another market that begins at the same price."""
    shift = record["close"].iloc[cut - 1] - other["open"].iloc[cut]
    return pd.concat([record.iloc[:cut], other.iloc[cut:].assign(**{name: other[name].iloc[cut:] + shift for name in PRICES})])


def known_by(result: Evaluation, moment: pd.Timestamp) -> Evaluation:
    """What confirmed in the month of `moment` and by then."""
    first = moment.normalize().replace(day=1)
    opened = result.conditions["timestamp"] + timedelta(hours=1)
    setups = result.setups[result.setups["confirmed_at"].between(first, moment)]
    return Evaluation(setups.reset_index(drop=True), result.conditions[opened.between(first, moment)].reset_index(drop=True), ())


@cache
def whole() -> Evaluation:
    return run(walk_h1(1))


@given(st.sampled_from(NAMES), st.integers(0, 500), st.integers(5, 9))
@settings(max_examples=20, deadline=None)
def test_i5_whatever_closes_after_a_decision_changes_nothing_of_it(name, row, seed):
    """The bars after a setup are another market's: the setup and all that was known by then stay, to the last bit."""
    record, setups = walk_h1(1), whole().accepted()
    own = setups[setups["strategy"] == name]
    moment = own["confirmed_at"].iloc[row % len(own)]
    cut = int(record["timestamp"].searchsorted(moment - timedelta(hours=1))) + 1
    if cut == len(record):
        return
    other = run(with_another_future(record, walk_h1(seed), cut=cut), months=[f"{moment:%Y-%m}"])
    assert_same(known_by(whole(), moment), known_by(other, moment))


def test_another_future_has_other_setups_in_it():
    record = walk_h1(1)
    other = run(with_another_future(record, walk_h1(5), cut=len(record) - 900))
    moment = record["timestamp"].iloc[-1]
    assert len(known_by(whole(), moment).setups) > 20
    assert not known_by(whole(), moment).setups.equals(known_by(other, moment).setups)


@pytest.mark.parametrize("strategy", ALL, ids=NAMES)
def test_mistake_5_every_strategy_fires_in_both_directions(strategy):
    """On two markets, so that no rule can be one that never fires: the walk of these tests and the simulated gold."""
    simulated = simulated_record(strategy, timeframe=Timeframe.H1)
    on_gold = evaluate(
        [strategy],
        candles=simulated.candles,
        timeframe=Timeframe.H1,
        months=simulated.months,
        record_start=simulated.start,
    )
    on_walk = run(walk_h1(1), strategies=[strategy])
    counts = pd.concat([on_walk.accepted(), on_gold.accepted()]).groupby("direction").size()
    assert counts.reindex(["BUY", "SELL"], fill_value=0).min() >= 5, counts
