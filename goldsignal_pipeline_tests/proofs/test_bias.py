"""What a proof says: the bar and column of a leak, what raises, what is refused, and when nothing was proved."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from goldsignal_pipeline.cli.output import to_json
from goldsignal_pipeline.proofs.bias import prove_bias
from goldsignal_pipeline.proofs.reports import MEANINGS, BiasReport, Proof, ProofError, Trial
from goldsignal_pipeline.strategies.base import Strategy
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.indicators import Floats
from goldsignal_pipeline_tests.proofs.planted import LEVELS
from goldsignal_pipeline_tests.proofs.planted_measures import centred_mean, last_close, next_close, trailing_mean
from goldsignal_pipeline_tests.proofs.planting import Planted, record_for


def proved(strategy: Strategy) -> BiasReport:
    return prove_bias(strategy, record=record_for(strategy))


def trial(report: BiasReport, proof: Proof) -> Trial:
    return next(each for each in report.trials if each.proof is proof)


def test_the_first_bar_named_is_not_before_the_leak_begins() -> None:
    begins = np.datetime64("2024-10-16T00:00", "us")

    def late(bars: DirectedBars) -> Floats:
        return np.where(bars.opens < begins, trailing_mean(bars), centred_mean(bars))

    report = proved(Planted(late))
    bars = [bias.bar for bias in report.biases]
    assert {Proof.PREFIX, Proof.FUTURE_NOISE} <= {bias.proof for bias in report.biases}
    assert all(bar is not None and bar >= datetime(2024, 10, 16, tzinfo=UTC) for bar in bars)


def test_the_column_named_is_the_one_that_leaks() -> None:
    stop, points = (trial(proved(pair.leak()), Proof.FUTURE_NOISE).bias for pair in LEVELS)
    assert stop is not None
    assert stop.column in ("stop", "kind")
    assert stop.detail.startswith("was ")
    assert points is not None
    assert points.column in ("confidence", "conditions.measured[goes_on]")


def test_a_report_is_the_same_each_time_and_is_plain_data() -> None:
    one, other = (proved(Planted(next_close)) for _ in range(2))
    assert one == other
    told = json.loads(to_json(one.as_dict()))
    assert told["strategy"] == "planted"
    assert told["passed"] is False
    prefix = next(each for each in told["proofs"] if each["proof"] == "prefix")
    assert prefix["bias"]["bar"].endswith("Z")
    assert "planted H1, prefix: row" in str(one)
    assert set(MEANINGS) == set(Proof)


def test_a_strategy_that_needs_a_future_and_raises_without_is_biased_and_what_it_raised_is_told() -> None:
    def following(bars: DirectedBars) -> Floats:
        if bars.closes[-1] < np.datetime64("2024-11-15"):
            raise IndexError("no later bar")
        return last_close(bars)

    with pytest.raises(ProofError, match="planted cannot be evaluated on H1: it raised IndexError: no later bar"):
        proved(Planted(following))

    def impatient(bars: DirectedBars) -> Floats:
        if len(bars) < 400:
            raise IndexError("no later bar")
        return last_close(bars)

    bias = trial(proved(Planted(impatient)), Proof.PREFIX).bias
    assert bias is not None
    assert bias.detail.startswith("raised IndexError: no later bar, where the bars known by 2024-")


def test_a_strategy_may_refuse_nan_which_is_never_delivered_and_the_report_says_so() -> None:
    def strict(bars: DirectedBars) -> Floats:
        if np.isnan(bars.close).any():
            raise ValueError("a price is missing")
        return last_close(bars)

    report = proved(Planted(strict))
    assert report.passed
    nan = trial(report, Proof.FUTURE_NAN)
    assert nan.note == "not compared in 18 of 18: raised ValueError: a price is missing"
    assert nan.evaluations == 0


def test_nothing_found_is_nothing_proved() -> None:
    report = proved(Planted(lambda bars: np.zeros(len(bars))))
    assert [bias.proof for bias in report.biases] == [Proof.ROWS]
    assert "no setup and no near miss in 2024-10, 2024-11" in report.biases[0].detail


def test_a_strategy_is_left_as_it_was() -> None:
    strategy = Planted(last_close)
    before = dict(vars(strategy))
    proved(strategy)
    assert vars(strategy) == before
    assert strategy.name == "planted"
