"""`goldsignal prove bias`: nothing found ends with 0, anything found with 7, and what is told is enough to find it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.strategies import registry
from goldsignal_pipeline.strategies.base import Strategy
from goldsignal_pipeline_tests.cli.market_files import write_csv
from goldsignal_pipeline_tests.proofs.planted_measures import last_close, next_close
from goldsignal_pipeline_tests.proofs.planting import Planted


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None: ...


def invoke(*arguments: str):
    return CliRunner().invoke(create_app(), ["prove", "bias", *arguments])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Strategy]:
    """Strategies as the registry would load them, without an installation."""
    strategies: dict[str, Strategy] = {}
    monkeypatch.setattr(registry, "load_strategies", lambda: strategies)
    return strategies


def test_the_four_strategies_are_proved_together_and_nothing_differs() -> None:
    result = invoke("--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["passed"] is True
    assert [each["strategy"] for each in told["strategies"]] == sorted(
        ["breakout_expansion", "ema_momentum", "liquidity_sweep", "trend_continuation"]
    )
    assert all(each["rows"] > 50 and each["evaluations"] > 50 for each in told["strategies"])


def test_a_leak_is_told_with_proof_column_bar_and_what_differs(installed) -> None:
    installed |= {"clean": Planted(last_close), "leaky": Planted(next_close)}
    result = invoke("--strategy", "leaky")
    assert result.exit_code == 7
    shown = " ".join(result.stdout.split())
    assert "BIASED: prefix, future_noise, future_gaps, future_nan" in shown
    assert (
        "planted H1: prefix expected cutting the future changes nothing before the cut (I6) column row first bar BUY 2024-"
        in shown
    )
    both = json.loads(invoke("--json").stdout)
    assert [each["passed"] for each in both["strategies"]] == [True, False]
    assert both["passed"] is False


def test_a_name_that_nobody_registered_is_wrong_usage_and_the_nearest_is_named() -> None:
    result = invoke("--strategy", "ema_momentun")
    assert result.exit_code == 2
    assert "Did you mean ema_momentum?" in result.stderr
    assert "Installed are breakout_expansion," in invoke("--strategy", "zzz").stderr


def test_a_strategy_that_fails_on_its_own_is_a_typed_error(installed) -> None:
    def broken(bars):
        raise KeyError("nothing")

    installed["broken"] = Planted(broken)
    result = invoke()
    assert result.exit_code == 2
    assert "planted cannot be evaluated on H1: it raised KeyError" in result.stderr


def test_candles_of_a_file_serve_instead_of_the_simulated_market(installed, tmp_path: Path) -> None:
    installed |= {"clean": Planted(last_close)}
    file = tmp_path / "XAUUSD_H1.csv"
    write_csv(file, start=datetime(2025, 1, 1, tzinfo=UTC), days=140)
    result = invoke("--file", str(file), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["strategies"][0]["months"] == ["2025-03", "2025-04", "2025-05"]
    short = tmp_path / "short.csv"
    write_csv(short, start=datetime(2025, 1, 15, tzinfo=UTC), days=30)
    refused = invoke("--file", str(short))
    assert refused.exit_code == 3
    assert "no month in them begins 21 days later" in refused.stderr
