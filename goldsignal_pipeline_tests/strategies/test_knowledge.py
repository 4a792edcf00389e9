"""What a decision may know (I5), and that every rule can fire at all (mistake 5)."""

from __future__ import annotations

from datetime import timedelta

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
    setups = result.setups[result.setups["confirmed_at"] <= moment]
    conditions = result.conditions[result.conditions["timestamp"] <= moment - timedelta(hours=1)]
    return Evaluation(setups.reset_index(drop=True), conditions.reset_index(drop=True), ())


@given(st.integers(1, 1800), st.integers(5, 9))
@settings(max_examples=12, deadline=None)
def test_i5_whatever_closes_after_a_decision_changes_nothing_of_it(bars_after, seed):
    record = walk_h1(1)
    cut = len(record) - bars_after
    moment = record["timestamp"].iloc[cut - 1] + timedelta(hours=1)
    other = with_another_future(record, walk_h1(seed), cut=cut)
    one, two = run(record), run(other)
    assert_same(known_by(one, moment), known_by(two, moment))


def test_another_future_has_other_setups_in_it():
    record = walk_h1(1)
    cut = len(record) - 900
    one, two = run(record), run(with_another_future(record, walk_h1(5), cut=cut))
    moment = record["timestamp"].iloc[cut - 1] + timedelta(hours=1)
    assert len(known_by(one, moment).setups) > 50
    assert not one.setups.equals(two.setups)


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
