"""A run that is killed by SIGKILL, at each named point and at random, leaves no half of anything; one more run makes it good.

`make prove` (PROVE=1) kills more often.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.prove import crash
from goldsignal_pipeline.cli.prove.comparison import contents_of
from goldsignal_pipeline.cli.prove.crash import AT_RANDOM, CrashReport, Kill, prove_crash
from goldsignal_pipeline.cli.prove.kill_points import MEANINGS, Point
from goldsignal_pipeline.cli.prove.workers import Job, worker
from goldsignal_pipeline.errors import ServiceError
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import MONTHS, NOW, SETTINGS, SYMBOL, changing_record, tamper
from goldsignal_pipeline_tests.postgres import Server

PLACES = [*(MEANINGS[point] for point in Point), AT_RANDOM]
KILLS = 30 if os.environ.get("PROVE") else len(PLACES)

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def observed(postgres_server: Server) -> Iterator[Database]:
    with changing_record(postgres_server) as database:
        yield database


@pytest.fixture(scope="module")
def report(observed: Database) -> CrashReport:
    return prove_crash(observed, SETTINGS, symbol=SYMBOL, now=NOW, kills=KILLS)


def _kills(report: CrashReport, place: str) -> list[Kill]:
    return [kill for kill in report.kills if kill.where.startswith(place)]


@pytest.mark.fault("crash")
@pytest.mark.parametrize("place", PLACES)
def test_after_a_kill_one_more_run_gives_the_tables_of_the_undisturbed_one(report: CrashReport, place: str) -> None:
    kills = _kills(report, place)
    assert kills
    for kill in kills:
        assert kill.unequal is None, str(kill.unequal)
        assert kill.was_running or place == AT_RANDOM


def test_the_kills_hit_a_run_in_the_middle(report: CrashReport) -> None:
    """Something was stored by some, and never everything by those that were killed before the last commit."""
    assert report.months == MONTHS
    assert all(kill.rows_left < report.rows for kill in _kills(report, MEANINGS[Point.BEFORE_COMMIT]))
    assert any(kill.rows_left for kill in report.kills)
    assert all(report.passed_points[point] >= 7 for point in Point)


def test_the_command_names_a_difference_to_the_undisturbed_run(observed: Database, commands_on: pytest.MonkeyPatch) -> None:
    """As if the retry had lost the points of one setup."""
    undisturbed = crash._undisturbed

    def spoilt(database: Database, settings: Settings, job: Job) -> object:
        found = undisturbed(database, settings, job)
        assert tamper(database, "UPDATE setups SET confidence = confidence + 1 WHERE ctid = (SELECT min(ctid) FROM setups)") == 1
        return found

    commands_on.setenv("GOLDSIGNAL_DATABASE_URL", observed.url.render_as_string(hide_password=False))
    commands_on.setattr(crash, "_undisturbed", spoilt)
    arguments = ["prove", "crash", "--kills", "1", "--from", "2022-07", "--to", "2022-08", "--json"]
    result = CliRunner().invoke(create_app(), arguments)
    assert result.exit_code == 7, result.stdout
    told = json.loads(result.stdout)
    assert told["passed"] is False
    assert told["kills"][0]["where"].startswith(MEANINGS[Point.BEFORE_STAGING])
    assert told["kills"][0]["difference"].startswith("setups:")
    assert "confidence is" in told["kills"][0]["difference"]


def test_a_worker_that_fails_says_why(database: Database) -> None:
    """The last line of its trace: what it was given is no month."""
    with worker(database, SETTINGS, Job((("never",),), NOW, "bad")) as one, pytest.raises(ServiceError, match="'never' does not"):
        one.finish()
    assert contents_of(database)["setups"].rows == 0
