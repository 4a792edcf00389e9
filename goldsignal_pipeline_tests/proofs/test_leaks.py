"""Every planted leak is caught, by a proof that is meant to, with a bar and a column that tell where."""

from __future__ import annotations

import numpy as np
import pytest

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.bias import prove_bias
from goldsignal_pipeline.proofs.reports import Proof
from goldsignal_pipeline.proofs.simulated import simulated_record
from goldsignal_pipeline.strategies import context, evaluation
from goldsignal_pipeline.strategies.ema_momentum import EmaMomentum
from goldsignal_pipeline_tests.proofs.planted import PAIRS
from goldsignal_pipeline_tests.proofs.planted_measures import standardised_by_the_past
from goldsignal_pipeline_tests.proofs.planting import Pair, Planted, record_for


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered", "ignore:Degrees of freedom")
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_planted_leak_is_caught_and_named(pair: Pair) -> None:
    strategy = pair.leak()
    record = record_for(strategy)
    report = prove_bias(strategy, record=record)
    caught = {bias.proof.value for bias in report.biases}
    assert set(pair.proofs) <= caught, str(report)
    assert report.strategy == strategy.name
    opens = set(record.candles[Timeframe.H1]["timestamp"])
    for bias in report.biases:
        if bias.proof is Proof.BAN:
            assert "planted.py:" in bias.detail or "was drawn from" in bias.detail
        else:
            assert bias.column
            assert bias.direction in ("BUY", "SELL")
            assert bias.bar in opens
    assert ("ban" in caught) == ("ban" in pair.proofs)


def test_there_are_many_leaks_of_many_kinds() -> None:
    assert len({pair.name for pair in PAIRS}) == len(PAIRS) >= 40


def test_a_leak_of_the_context_is_caught_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """H4 bars taken as known when they open: the proofs look at the evaluation as a whole and not at strategies only."""
    straight = context.last_known

    def too_early(values, *, known_at, at):
        return straight(values, known_at=known_at - np.timedelta64(4, "h"), at=at)

    monkeypatch.setattr(context, "last_known", too_early)
    strategy = EmaMomentum()
    report = prove_bias(strategy, record=simulated_record(strategy, timeframe=Timeframe.H1))
    bias = next(bias for bias in report.biases if bias.proof is Proof.PREFIX)
    assert bias.column in ("confidence", "conditions.measured[h4_agrees]")


def test_an_evaluation_that_begins_with_the_record_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluated from the oldest bar there is instead of the origin, an average of all the past differs with the history given."""

    def from_the_beginning(record, *, origin, end):
        return slice(0, int(np.searchsorted(record.closes, end)))

    monkeypatch.setattr(evaluation._Record, "window", from_the_beginning)
    strategy = Planted(standardised_by_the_past)
    report = prove_bias(strategy, record=simulated_record(strategy, timeframe=Timeframe.H1))
    assert {Proof.ORIGIN, Proof.CHUNKS} <= {bias.proof for bias in report.biases}
