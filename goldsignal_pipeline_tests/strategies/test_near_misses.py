"""Mistake 17: silence can be explained, because what almost happened is kept with measured value and threshold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.strategies.breakout_expansion import BreakoutExpansion, BreakoutExpansionParameters
from goldsignal_pipeline.strategies.setups import SETUP_KEY
from goldsignal_pipeline_tests.strategies import reference
from goldsignal_pipeline_tests.strategies.records import ALL, MONTHS, NAMES, run, walk_h1

TRIGGERS = {
    "liquidity_sweep": "confirming_close",
    "trend_continuation": "confirming_close",
    "breakout_expansion": "body",
    "ema_momentum": "body",
}
COMPARE = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}


@pytest.fixture(scope="module", params=[1, 6])
def result(request):
    return run(walk_h1(request.param))


def test_mistake_17_a_near_miss_fails_its_trigger_and_nothing_else_that_is_required(result):
    joined = result.conditions.merge(result.setups[[*SETUP_KEY, "kind"]], on=list(SETUP_KEY))
    required = joined[joined["required"]]
    failed = required[~required["passed"]]
    assert set(failed["kind"]) == {"near_miss"}
    assert (failed.groupby(list(SETUP_KEY)).size() == 1).all()
    assert len(failed) == (result.setups["kind"] == "near_miss").sum()
    assert (failed["name"] == failed["strategy"].map(TRIGGERS)).all()
    assert set(failed["strategy"]) == set(NAMES)


def test_every_verdict_follows_from_measured_value_and_threshold_as_they_are_kept(result):
    for comparison, rows in result.conditions.groupby("comparison"):
        assert (COMPARE[comparison](rows["measured"], rows["threshold"]) == rows["passed"]).all()


def test_mistake_17_a_body_that_no_bar_has_leaves_near_misses_and_not_silence():
    rule = BreakoutExpansion(BreakoutExpansionParameters(body_atr=50.0))
    usual, strict = (run(walk_h1(1), strategies=[strategy]) for strategy in (BreakoutExpansion(), rule))
    assert len(usual.accepted()) > 0
    assert set(strict.setups["kind"]) == {"near_miss"}
    assert len(strict.setups) > len(usual.accepted()) / 2
    body = strict.conditions[strict.conditions["name"] == "body"]
    assert (body["measured"] < body["threshold"]).all()


def test_a_near_miss_has_a_reference_and_an_invalidation_but_no_levels(result):
    near = result.setups[result.setups["kind"] == "near_miss"]
    assert (near[["stop", "take_profit_1", "take_profit_2", "planned_risk"]] == 0).all(axis=None)
    assert (near[["reference", "invalidation_price"]] > 0).all(axis=None)
    assert (near["refusal"] == "").all()


@pytest.mark.parametrize("seed", [1, 6])
def test_a_leg_of_momentum_gives_at_most_one_near_miss_and_one_setup_in_this_order(seed):
    record = walk_h1(seed)
    rows = run(record, strategies=ALL[3:], months=["2019-12"]).setups
    begin = pd.Timestamp("2019-12-01", tz="UTC") - pd.Timedelta(days=70)
    bars = record[record["timestamp"] >= begin].reset_index(drop=True)
    average = reference.ema(bars["close"].tolist(), 21)
    for direction, sign in (("BUY", 1), ("SELL", -1)):
        leg = (sign * (bars["close"] - average) < 0).cumsum()
        own = rows[(rows["direction"] == direction) & (rows["kind"] != "refused")]
        of_row = leg[bars["timestamp"].searchsorted(own["timestamp"])].to_numpy()
        for _, kinds in own.groupby(of_row)["kind"]:
            assert kinds.tolist() in (["near_miss"], ["setup"], ["near_miss", "setup"])
    assert len(rows) > 5


def test_rows_stay_within_the_evaluated_months(result):
    confirmed = result.setups["confirmed_at"]
    assert confirmed.min() >= pd.Timestamp(MONTHS[0], tz="UTC")
    assert confirmed.max() < pd.Timestamp("2020-03-01", tz="UTC")
