"""`goldsignal prove reproduce`: a verdict comes out again, a tampered one does not, and an id must name exactly one."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.signal_ids import signal_id
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import SYMBOL, rows, tamper


def id_of(database: Database, where: str, *, order: str = "ASC") -> str:
    """The id of the first verdict of a kind, or of the last."""
    columns = "strategy, timeframe, direction, timestamp"
    query = f"SELECT {columns} FROM gate_decisions WHERE {where} ORDER BY decided_for {order} LIMIT 1"
    ((strategy, timeframe, direction, timestamp),) = rows(database, query)
    return signal_id(SetupKey(strategy, timeframe, Direction(direction), timestamp), symbol=SYMBOL)


def invoke(database: Database, commands_on: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    commands_on.setenv("GOLDSIGNAL_DATABASE_URL", database.url.render_as_string(hide_password=False))
    result = CliRunner().invoke(create_app(), ["prove", "reproduce", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_a_signal_comes_out_again_before_and_after_changes_of_settings(
    computed: Database, commands_on: pytest.MonkeyPatch, order: str
) -> None:
    """The last one is of the other source, and read trades that paid either spread."""
    wanted = id_of(computed, "is_accepted", order=order)
    code, told, _ = invoke(computed, commands_on, wanted[:9], "--json")
    assert code == 0, told
    report = json.loads(told)
    assert report["passed"] is True
    assert report["id"] == wanted
    assert report["known_at"] is None
    assert report["differences"] == {}
    assert set(report["columns"]) == {"gate_decisions", "signals"}
    observed = "SELECT count(*) FROM raw_candles"
    assert report["observations"] == rows(computed, observed)[0][0]


def test_a_tampered_verdict_ends_with_7_and_both_values(spoilt: Database, commands_on: pytest.MonkeyPatch) -> None:
    wanted = id_of(spoilt, "NOT is_accepted AND rank IS NOT NULL")
    assert tamper(spoilt, "UPDATE gate_decisions SET rank = rank + 100 WHERE NOT is_accepted AND rank IS NOT NULL")
    code, told, _ = invoke(spoilt, commands_on, wanted)
    assert code == 7, told
    assert "1 DIFFER" in told
    assert "gate_decisions.rank: stored 10" in told


@pytest.mark.parametrize(
    ("beginning", "words"), [("zzzz", "No verdicts have an id that begins with 'zzzz'"), ("", "verdicts have an id that begins")]
)
def test_an_id_that_names_no_verdict_or_many_is_refused(
    computed: Database, commands_on: pytest.MonkeyPatch, beginning: str, words: str
) -> None:
    code, told, errors = invoke(computed, commands_on, beginning)
    assert code == 2
    assert told == ""
    assert words in " ".join(errors.split())
    assert "Nothing was proved." in " ".join(errors.split())
