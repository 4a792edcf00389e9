"""`goldsignal signals`, `outcomes` and `performance`, told from a filled graph and counted again in the tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.report.words import NO_EDGE
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.graph import SYMBOL

RANGE = ("--from", "2026-01", "--to", "2026-03", "--symbol", SYMBOL)


@pytest.fixture
def graph(home, filled_graph: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The filled graph as the database of the settings; the commands only read."""
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", filled_graph.url.render_as_string(hide_password=False))
    return filled_graph


def invoke(*arguments: str) -> Any:
    result = CliRunner().invoke(create_app(), [*arguments])
    assert result.exit_code == 0, result.output
    return result


def stored(database: Database, query: str) -> list[Any]:
    with database.transaction(read_only=True) as connection:
        return [row._mapping for row in connection.execute(text(query))]


def test_signals_are_those_of_the_range_newest_first_with_their_fate(graph: Database) -> None:
    told = json.loads(invoke("signals", *RANGE, "--limit", "1000", "--json").stdout)["signals"]
    states = stored(
        graph,
        "SELECT strategy, status, reference FROM signal_states"
        " WHERE confirmed_at >= '2026-01-01Z' AND confirmed_at < '2026-03-01Z'"
        " ORDER BY confirmed_at DESC, strategy DESC, timeframe DESC, direction DESC",
    )
    assert [(one["strategy"], one["status"], one["reference"]) for one in told] == [
        (one["strategy"], one["status"], float(one["reference"])) for one in states
    ]
    assert len({one["status"] for one in told}) > 1
    newest = json.loads(invoke("signals", *RANGE, "--limit", "3", "--json").stdout)["signals"]
    assert newest == told[:3]


def test_one_strategy_can_be_asked_for_and_an_unknown_one_is_refused_with_the_names(graph: Database) -> None:
    told = json.loads(invoke("outcomes", *RANGE, "--strategy", "liquidity_sweep", "--json").stdout)["outcomes"]
    assert {one["strategy"] for one in told} == {"liquidity_sweep"}
    refused = CliRunner().invoke(create_app(), ["outcomes", "--strategy", "sweep"])
    assert refused.exit_code == 2
    assert "liquidity_sweep" in refused.stderr


def test_performance_has_an_interval_beside_every_mean_and_trials_beside_every_p(graph: Database) -> None:
    told = json.loads(invoke("performance", "--to", "2026-03-01T00:00:01Z", "--symbol", SYMBOL, "--json").stdout)
    assert {row["day"] for row in told["backtests"]} == {"2026-03-01"}
    tested = json.loads(invoke("performance", "--from", "2026-01", "--to", "2026-03", "--symbol", SYMBOL, "--json").stdout)
    rows = [*tested["backtests"], *tested["signals"]]
    for row in rows:
        if row["expectancy_error"] is None:
            assert row["expectancy_low"] is None
        else:
            assert row["expectancy_low"] == pytest.approx(row["expectancy"] - 1.96 * row["expectancy_error"], abs=1e-9)
            assert row["expectancy_low"] <= row["expectancy"] <= row["expectancy_high"]
    tried = [row for row in tested["backtests"] if row["p_value"] is not None]
    assert tried
    assert all(row["trials"] > 0 for row in tried)


@pytest.mark.parametrize("command", ["signals", "outcomes", "performance"])
def test_people_read_tables_in_their_zone_that_claim_no_edge(
    graph: Database, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DISPLAY_TIMEZONE", "Asia/Tokyo")
    shown = " ".join(invoke(command, *RANGE).stdout.split())
    assert NO_EDGE in shown
    if command != "performance":
        assert "times in Asia/Tokyo" in shown
        key = {"signals": "confirmed_at", "outcomes": "resolved_at"}[command]
        (newest,) = stored(
            graph,
            f"SELECT max({key}) AT TIME ZONE 'Asia/Tokyo' AS at FROM {command} WHERE {key} < '2026-03-01Z'",
        )
        assert f"{newest['at']:%Y-%m-%d %H:%M}" in shown


def test_an_empty_range_says_so(graph: Database) -> None:
    assert "no signal in this range" in invoke("signals", "--to", "2010-01", "--symbol", SYMBOL).stdout
