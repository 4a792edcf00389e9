"""`goldsignal simulate`: a Sunday's evening lived through by the command; a difference ends with 7, a wrong bar before anything.

A whole week with faults is lived through in `acceptance/test_graph_lived.py`.
"""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli import simulate
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import rows, tamper

SUNDAY = ("--days", "1", "--from", "2022-08-28", "--history", "1")


def invoke(database: Database, commands_on: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    commands_on.setenv("GOLDSIGNAL_DATABASE_URL", database.url.render_as_string(hide_password=False))
    result = CliRunner().invoke(create_app(), ["simulate", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_an_evening_is_lived_through_beside_the_record_and_equals_its_backfill(
    database: Database, commands_on: pytest.MonkeyPatch
) -> None:
    code, told, _ = invoke(database, commands_on, *SUNDAY, "--json")
    assert code == 0, told
    report = json.loads(told)
    assert report["passed"] is True
    assert report["changed_by_a_backfill"] == []
    # New York opens at 22:00 UTC; the bar that closes at midnight is asked for when the day is over.
    assert report["counts"]["cycles"] == 7
    assert report["parity"]["passed"] is True
    assert rows(database, "SELECT count(*) FROM raw_candles") == [(0,)]
    assert rows(database, "SELECT datname FROM pg_database WHERE datname LIKE 'goldsignal_scratch%'") == []


def test_a_row_that_a_backfill_would_change_is_a_difference(database: Database, commands_on: pytest.MonkeyPatch) -> None:
    live_through = simulate.live_through

    def spoilt(own: Database, settings: Settings, plan: simulate.Plan, **options: object) -> dict[str, int]:
        counts = live_through(own, settings, plan, **options)  # type: ignore[arg-type]
        assert tamper(own, "UPDATE setups SET confidence = confidence + 1 WHERE ctid = (SELECT min(ctid) FROM setups)") == 1
        return counts

    commands_on.setattr(simulate, "live_through", spoilt)
    code, told, _ = invoke(database, commands_on, *SUNDAY)
    assert code == 7, told
    assert "A single pass over all months would change setups" in told


def test_a_bar_that_nobody_could_act_on_is_refused(database: Database, commands_on: pytest.MonkeyPatch) -> None:
    code, told, errors = invoke(database, commands_on, "--bar", "H1")
    assert code == 2
    assert told == ""
    assert "Choose M1, M5, M15" in errors
