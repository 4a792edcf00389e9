"""Mistake 6 once more: a drawdown rule is possible only when the fall is counted from the peak, whatever was won before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from goldsignal_pipeline.selection.gate_inputs import GateInput
from goldsignal_pipeline_tests.selection.gate_data import HOUR, NOON, closed, judge, setup


def series(*results: float) -> list[GateInput]:
    """Signals at noon of Mondays to Wednesdays, each closed six hours later with a result in R and next to no dollars."""
    noons = [noon for noon in (NOON + timedelta(days=day) for day in range(60)) if noon.weekday() < 3]
    return [
        fact
        for one, net_r in zip(map(setup, noons), results, strict=False)
        for fact in (one, closed(one, at=one.at + HOUR * 6, net_r=net_r, net_usd="-0.01"))
    ]


@pytest.mark.parametrize("won", [0.0, 4.0, 12.0, 30.0])
def test_known_mistake_6_a_fall_of_20_r_counts_from_the_peak_however_much_was_won_before(won: float) -> None:
    before = (won / 3,) * 3
    short, _ = judge(*series(*before, -9.5, 0.1, -10.5))
    assert short.breaker.holds_until is None
    fallen, decisions = judge(*series(*before, -9.5, 0.1, -10.7))
    assert all(decision.is_accepted for decision in decisions)
    assert fallen.breaker.holds_until is not None
