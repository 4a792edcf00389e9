"""Parity on a small record: it holds, it finds every tampered table, a moved tick, a leak, and what lags; the command says so."""

from __future__ import annotations

import json
from datetime import timedelta

import pandas as pd
import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.assets import decide_inputs
from goldsignal_pipeline.assets.parity import TABLES, prove_parity
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.prove.graph import steps
from goldsignal_pipeline.cli.prove.parity import difference_text
from goldsignal_pipeline.errors import DataError, UsageError
from goldsignal_pipeline.proofs.parity import ParityReport
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import MONTHS, NOW, SETTINGS, SYMBOL, run, tamper

# One row of each table, and the column that is tampered with; none breaks a rule of its table.
TAMPERED = {
    "setups": "invalidation_price = invalidation_price + 0.01",
    "backtest_trades": "hold_minutes = hold_minutes + 1",
    "backtest_results": "expectancy = expectancy + 0.0001",
    "gate_decisions": "rank_score = rank_score + 0.0001",
    "signals": "inputs_digest = 'another'",
    "signal_events": "detail = '{\"fill\":1}'",
    "outcomes": "bars_held = bars_held + 1",
    "strategy_performance": "longest_losing_run = longest_losing_run + 1",
    "gate_states": "state = replace(state::text, '\"form\":1', '\"form\": 1')::json",
}
CHOSEN = {
    "backtest_results": "expectancy IS NOT NULL",
    "gate_decisions": "rank_score IS NOT NULL",
    "signal_events": "kind = 'filled'",
}


def prove(database: Database, **options: object) -> ParityReport:
    return prove_parity(database, SETTINGS, symbol=SYMBOL, now=NOW, **options)  # type: ignore[arg-type]


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(create_app(), ["prove", "parity", *arguments])
    return result.exit_code, result.stdout


def test_every_stored_row_follows_from_candles_and_gate_events(computed: Database) -> None:
    """I15 among others: outcomes are compared with the trades of the one kernel."""
    report = prove(computed)
    assert report.passed
    compared = {table.table: table.rows for table in report.tables}
    assert set(compared) == {table.shape.table for table in TABLES} | {"gate_states"}
    assert all(compared.values())
    assert compared["signals"] > 5
    assert report.months == MONTHS
    assert not report.incomplete


def test_a_tampered_value_is_found_in_every_table_and_named(spoilt: Database) -> None:
    for table, change in TAMPERED.items():
        where = CHOSEN.get(table, "true")
        chosen = f"(SELECT ctid FROM {table} WHERE {where} ORDER BY ctid LIMIT 1)"
        assert tamper(spoilt, f"UPDATE {table} SET {change} WHERE ctid = {chosen}") == 1
    report = prove(spoilt)
    assert not report.passed
    found = {table.table: table for table in report.tables}
    for table, change in TAMPERED.items():
        assert found[table].differing == 1, table
        first = found[table].first
        assert first is not None
        assert first.column == change.split(" = ")[0]
        told = difference_text(first)
        assert f"{first.column} is stored as" in told
        assert "computed as" in told


def test_a_lost_and_an_invented_row_are_found(spoilt: Database) -> None:
    assert tamper(spoilt, "DELETE FROM outcomes WHERE ctid = (SELECT min(ctid) FROM outcomes)") == 1
    assert tamper(
        spoilt, "UPDATE setups SET timestamp = timestamp - interval '1 day' WHERE ctid = (SELECT max(ctid) FROM setups)"
    )
    found = {table.table: table for table in prove(spoilt).differing}
    lost, moved = found["outcomes"].first, found["setups"].first
    assert lost is not None
    assert moved is not None
    assert "follows, but is not stored" in difference_text(lost)
    assert lost.column == moved.column == "row"


def test_a_decision_that_knows_the_results_of_the_day_after_is_found(spoilt: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak: the gate is told results of a day that has not begun."""
    honest = decide_inputs.tested_by_day

    def leaking(results: pd.DataFrame) -> object:
        return {day - timedelta(days=1): told for day, told in honest(results).items()}

    monkeypatch.setattr(decide_inputs, "tested_by_day", leaking)
    steps()["signals"](run(spoilt), MONTHS)
    report = prove(spoilt)
    assert "gate_decisions" in {table.table for table in report.differing}


def test_months_that_lag_their_inputs_are_not_vouched_for(spoilt: Database) -> None:
    assert tamper(spoilt, "UPDATE partition_digests SET digest = 'another' WHERE asset = 'setups' AND month = '2022-07'") == 1
    report = prove(spoilt)
    assert not report.passed
    assert not report.differing
    assert report.behind["backtest_trades"] == ("2022-07", "2022-08")
    assert "setups" not in report.behind


def test_only_the_asked_months_are_compared(computed: Database) -> None:
    one, all_months = prove(computed, first="2022-07", last="2022-07"), prove(computed)
    assert one.passed
    assert one.months == ("2022-07",)
    assert 0 < one.rows < all_months.rows


def test_nothing_to_compare_is_no_proof(computed: Database) -> None:
    with pytest.raises(UsageError, match="Nothing of XAUUSD-SIM"):
        prove(computed, first="2030-01")
    with pytest.raises(DataError, match="no candles of XAUUSD"):
        prove_parity(computed, SETTINGS, symbol="XAUUSD", now=NOW)


def test_the_command_passes_and_finds_a_moved_tick(computed: Database, commands_on: pytest.MonkeyPatch) -> None:
    commands_on.setenv("GOLDSIGNAL_DATABASE_URL", computed.url.render_as_string(hide_password=False))
    code, told = invoke()
    assert code == 0, told
    assert "nothing differs" in told
    code, told = invoke("--mutate", "--json")
    assert code == 7
    report = json.loads(told)
    assert report["passed"] is False
    assert "instead of" in report["mutated"]
    first = {table["table"]: table["first"] for table in report["tables"]}
    assert "is stored as" in first["setups"]
    assert all(first[table] is None or "stored" in first[table] for table in first)
