"""No clean twin of a planted leak raises an alarm, nor does any of the four strategies on any candles."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.proofs.bias import prove_bias
from goldsignal_pipeline.proofs.record import record_of
from goldsignal_pipeline.proofs.reports import BiasReport, Proof
from goldsignal_pipeline.proofs.simulated import simulated_record
from goldsignal_pipeline_tests.market.candle_data import recorded
from goldsignal_pipeline_tests.proofs.planted import PAIRS
from goldsignal_pipeline_tests.proofs.planted_measures import last_close
from goldsignal_pipeline_tests.proofs.planting import Pair, Planted, record_for
from goldsignal_pipeline_tests.strategies.records import ALL, NAMES


@pytest.fixture(scope="module")
def proved() -> dict[object, BiasReport]:
    """Reports by what was measured: several leaks have the same twin."""
    return {}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_clean_twin_raises_no_alarm(pair: Pair, proved: dict[object, BiasReport]) -> None:
    strategy = pair.twin()
    key = strategy.measure if type(strategy) is Planted else pair.name
    if key not in proved:
        proved[key] = prove_bias(strategy, record=record_for(strategy))
    report = proved[key]
    assert report.passed, str(report)
    assert report.rows > 5
    assert [trial.note for trial in report.trials if trial.note] == []
    assert {trial.proof for trial in report.trials} == set(Proof)
    assert all(trial.evaluations > 0 for trial in report.trials if trial.proof is not Proof.BAN)


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H4])
def test_other_timeframes_are_proved_on_their_own_bars(timeframe: Timeframe) -> None:
    strategy = Planted(last_close)
    report = prove_bias(strategy, record=simulated_record(strategy, timeframe=timeframe))
    assert report.passed, str(report)
    assert report.timeframe is timeframe


@pytest.mark.recorded
@pytest.mark.parametrize("strategy", ALL, ids=NAMES)
def test_recorded_gold_raises_no_alarm_either(shared_data: Path, strategy) -> None:
    bars = recorded(shared_data, Timeframe.H1, "oanda-lean-bid")
    bars = bars[load_calendar().is_open(bars["timestamp"].dt.tz_localize(None).to_numpy())].iloc[-9000:]
    record = record_of(bars, given=Timeframe.H1, timeframe=Timeframe.H1, warm_up_days=strategy.warm_up_days(Timeframe.H1))
    report = prove_bias(strategy, record=record)
    assert report.passed, str(report)
    assert report.rows > 20
