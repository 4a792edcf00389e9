"""Every planted leak is caught, by a proof that is meant to, with a bar and a column that tell where."""

from __future__ import annotations

import pytest

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.bias import prove_bias
from goldsignal_pipeline.proofs.reports import Proof
from goldsignal_pipeline.proofs.simulated import simulated_record
from goldsignal_pipeline_tests.proofs.planted import PAIRS, Pair


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered", "ignore:Degrees of freedom")
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_planted_leak_is_caught_and_named(pair: Pair) -> None:
    strategy = pair.leak()
    record = simulated_record(strategy, timeframe=Timeframe.H1)
    report = prove_bias(strategy, record=record)
    caught = [bias for bias in report.biases if bias.proof in pair.proofs]
    assert caught, str(report)
    assert report.strategy == strategy.name
    opens = set(record.candles[Timeframe.H1]["timestamp"])
    for bias in report.biases:
        if bias.proof is Proof.BAN:
            assert "planted.py:" in bias.detail or "was drawn from" in bias.detail
        else:
            assert bias.column
            assert bias.direction in ("BUY", "SELL")
            assert bias.bar in opens
    banned = Proof.BAN in {bias.proof for bias in report.biases}
    assert banned == (pair.proofs == ("ban",) or pair.name == "generator drawn on")


def test_there_are_many_leaks_of_many_kinds() -> None:
    assert len({pair.name for pair in PAIRS}) == len(PAIRS) >= 40
