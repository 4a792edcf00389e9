"""`goldsignal explain`: a signal, the candidates of a bar and a silence, told from a filled graph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.gate import RULES
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.signal_ids import signal_id
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.graph import SYMBOL


@pytest.fixture
def graph(home, graph_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", graph_database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("GOLDSIGNAL_BASE_TIMEFRAME", "H1")
    return graph_database


def explain(*arguments: str) -> Any:
    result = CliRunner().invoke(create_app(), ["explain", *arguments, "--symbol", SYMBOL, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def newest(database: Database, table: str, where: str) -> tuple[SetupKey, Any]:
    with database.transaction(read_only=True) as connection:
        row = (
            connection.execute(text(f"SELECT * FROM {table} WHERE {where} ORDER BY timestamp DESC, strategy LIMIT 1"))
            .mappings()
            .one()
        )
        return SetupKey(row["strategy"], row["timeframe"], Direction(row["direction"]), row["timestamp"]), dict(row)


def test_a_signal_is_explained_by_its_conditions_every_rule_its_steps_and_versions(graph: Database) -> None:
    key, signal = newest(graph, "signal_states", "status <> 'active'")
    told = explain(signal_id(key, symbol=SYMBOL)[:10])[0]
    assert told["conditions"] == signal["conditions"]
    assert [one["reason"] for one in told["readings"]] == [reason.value for reason, _ in RULES]
    assert all(one["passed"] for one in told["readings"])
    assert {one["kind"] for one in told["events"]} >= {"published", "closed"}
    assert told["outcome"]["result"] == signal["status"]
    assert told["signal"]["inputs_digest"] == signal["inputs_digest"]
    assert told["revisions"] == []


def test_the_rules_that_failed_again_are_those_of_the_stored_verdict(graph: Database) -> None:
    """The readings come from folding again; that they agree for the newest turned-away setups is no accident."""
    with graph.transaction(read_only=True) as connection:
        rows = (
            connection.execute(
                text("SELECT * FROM gate_decisions WHERE NOT is_accepted ORDER BY decided_for DESC, strategy LIMIT 6")
            )
            .mappings()
            .all()
        )
    for row in rows:
        key = SetupKey(row["strategy"], row["timeframe"], Direction(row["direction"]), row["timestamp"])
        told = explain(signal_id(key, symbol=SYMBOL))[0]
        assert [one["reason"] for one in told["readings"] if not one["passed"]] == row["reasons"]
        assert all(one["measured"] and one["needed"] for one in told["readings"])


def test_a_revision_of_a_candle_that_a_signal_read_is_told(graph: Database) -> None:
    key, _ = newest(graph, "signals", "true")
    with graph.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO raw_candles (symbol, source, timeframe, timestamp, open, high, low, close, volume, observed_at)"
                " SELECT symbol, source, timeframe, timestamp, open, high, low, low, volume, '2026-03-21Z' FROM raw_candles"
                " WHERE timestamp = :at AND close <> low"
            ),
            {"at": key.timestamp},
        )
    told = explain(signal_id(key, symbol=SYMBOL))[0]
    assert [one["timestamp"][:16] for one in told["revisions"]] == [key.timestamp.isoformat()[:16]]


def test_a_bar_without_a_candidate_names_the_last_one_before_it(graph: Database) -> None:
    key, setup = newest(graph, "setups", "strategy = 'liquidity_sweep'")
    found = explain("--at", "2026-03-21T00:00Z", "--strategy", "liquidity_sweep")
    assert [one["id"] for one in found] == [signal_id(key, symbol=SYMBOL)]
    assert found[0]["setup"]["kind"] == setup["kind"]


def test_silence_counts_every_verdict_of_the_range_and_how_near_the_misses_were(graph: Database) -> None:
    told = explain("--silence", "--from", "2026-01", "--to", "2026-03")
    with graph.transaction(read_only=True) as connection:
        window = "BETWEEN '2026-01-01Z' AND '2026-02-28 23:59:59Z'"
        turned = connection.execute(
            text(f"SELECT count(*) FROM gate_decisions WHERE NOT is_accepted AND decided_for {window}")
        ).scalar_one()
        missed = connection.execute(
            text(f"SELECT count(*) FROM setups WHERE kind = 'near_miss' AND confirmed_at {window}")
        ).scalar_one()
    assert sum(row["setups"] for row in told["turned_away"]) == turned > 0
    assert sum(row["count"] for row in told["near_misses"]) == missed > 0
    assert all(row["nearest_shortfall"] >= 0 for row in told["near_misses"])


def test_people_read_the_same_in_words_and_no_edge_is_claimed(graph: Database) -> None:
    key, _ = newest(graph, "signals", "true")
    shown = CliRunner().invoke(create_app(), ["explain", signal_id(key, symbol=SYMBOL)])
    assert shown.exit_code == 0, shown.output
    assert "No strategy is known to have an edge" in shown.stdout
    assert key.strategy in shown.stdout
    silence = CliRunner().invoke(
        create_app(), ["explain", "--silence", "--from", "2026-01", "--to", "2026-03", "--symbol", SYMBOL]
    )
    assert silence.exit_code == 0
    assert "turned away by the gate" in silence.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name one thing to explain"),
        (["ffffffffffff", "--silence"], "Name one thing to explain"),
        (["zzz"], "No setups have an id"),
        (["--at", "2001-01-01"], "no candidate"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_a_way_on(graph: Database, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(create_app(), ["explain", *arguments, "--symbol", SYMBOL])
    assert result.exit_code == 2
    assert said in result.output.replace("\n", " ")
