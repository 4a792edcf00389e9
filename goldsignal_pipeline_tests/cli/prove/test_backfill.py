"""Months computed in any order, chunks and two processes at once give the tables of a single pass (I8); a difference is named.

`make prove` (PROVE=1) tries more shuffles.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.prove import graph
from goldsignal_pipeline.cli.prove.backfill import BackfillReport, prove_backfill
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import MONTHS, NOW, SETTINGS, SYMBOL, changing_record, rows
from goldsignal_pipeline_tests.postgres import Server

SHUFFLES = 12 if os.environ.get("PROVE") else 3


@pytest.fixture(scope="module")
def observed(postgres_server: Server) -> Iterator[Database]:
    with changing_record(postgres_server) as database:
        yield database


@pytest.fixture(scope="module")
def report(observed: Database) -> BackfillReport:
    return prove_backfill(observed, SETTINGS, symbol=SYMBOL, now=NOW, seeds=range(1, SHUFFLES + 1))


def test_i8_every_shuffle_gives_the_tables_of_the_single_pass(report: BackfillReport) -> None:
    assert [str(one.unequal) for one in report.shuffles if one.unequal] == []
    assert report.passed
    assert report.months == MONTHS
    assert report.rows > 4_000
    assert any(one.recomputed for one in report.shuffles)


@pytest.mark.fault("concurrency")
def test_two_processes_at_once_lose_and_double_nothing(report: BackfillReport) -> None:
    """Every shuffle was computed by two workers; keys are unique in the database, so only a loss could show."""
    assert all(one.chunks > 1 and one.unequal is None for one in report.shuffles)


def test_the_record_of_the_user_is_only_read(report: BackfillReport, observed: Database) -> None:
    assert report.passed
    assert rows(observed, "SELECT count(*) FROM setups") == [(0,)]
    assert rows(observed, "SELECT datname FROM pg_database WHERE datname LIKE 'goldsignal_scratch%'") == []


def test_months_left_behind_are_found_and_named(observed: Database, commands_on: pytest.MonkeyPatch) -> None:
    """Without the last step, a month that was computed before the one it reads holds other rows.

    With this seed one worker computes August and then July, so that the other cannot be fast enough to make it right.
    """
    commands_on.setenv("GOLDSIGNAL_DATABASE_URL", observed.url.render_as_string(hide_password=False))
    commands_on.setattr(graph, "run_missing", lambda run, *, symbol: 0)
    arguments = ["prove", "backfill", "--shuffles", "1", "--from", "2022-05", "--to", "2022-07", "--seed", "3", "--json"]
    result = CliRunner().invoke(create_app(), arguments)
    assert result.exit_code == 7, result.stdout
    told = json.loads(result.stdout)
    assert told["passed"] is False
    assert " instead of " in told["shuffles"][0]["difference"] or "expected" in told["shuffles"][0]["difference"]


def test_the_single_pass_reaches_the_month_after_one_that_only_the_last_bar_closes_in(observed: Database) -> None:
    """The last hour of May closes in June, which has no bars; trades of June may end in July, which is no month of the record."""
    report = prove_backfill(observed, SETTINGS, symbol=SYMBOL, now=NOW, first="2022-05", last="2022-05", seeds=[1])
    assert report.months == ("2022-05", "2022-06")
    assert [str(one.unequal) for one in report.shuffles if one.unequal] == []


def test_without_observations_nothing_is_proved(observed: Database) -> None:
    with pytest.raises(UsageError, match="Nothing was observed of XAUUSD "):
        prove_backfill(observed, SETTINGS, symbol="XAUUSD", now=NOW, seeds=[1])
