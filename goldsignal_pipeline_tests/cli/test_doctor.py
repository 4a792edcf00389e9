"""`goldsignal doctor`: every look can fail, and says how to mend what it finds."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import socket
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli import doctor_database, doctor_machine
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.findings import Level, exit_code, note, ok, problem
from goldsignal_pipeline.settings import PROJECT_ROOT, Settings
from goldsignal_pipeline.storage import migrations
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.postgres import Server

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10), Level.PROBLEM), ((3, 11), Level.OK), ((3, 13), Level.OK), ((3, 14), Level.PROBLEM)],
)
def test_a_python_that_is_not_tested_is_a_problem(version: tuple[int, int], level: Level) -> None:
    assert doctor_machine.python_version(version).level is level


def test_the_installed_packages_are_those_of_the_lock() -> None:
    found = doctor_machine.packages(PROJECT_ROOT / "requirements.lock")
    assert found.level is Level.OK, found.detail


def test_packages_that_differ_from_the_lock_are_named(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "# comment\nrich==0.0.1 \\\n    --hash=sha256:00\nno-such-package==1.0\n"
        f"typer=={importlib.metadata.version('typer')}\nother-system==1 ; sys_platform == 'win32'\n"
    )
    found = doctor_machine.packages(lock)
    assert found.level is Level.PROBLEM
    assert f"rich {importlib.metadata.version('rich')} (lock: 0.0.1)" in found.detail
    assert "no-such-package missing (lock: 1.0)" in found.detail
    assert "typer" not in found.detail
    assert "other-system" not in found.detail


@pytest.mark.fault("database")
@pytest.mark.parametrize(("free", "level"), [(900_000_000, Level.PROBLEM), (2_000_000_000, Level.NOTE), (10**11, Level.OK)])
def test_a_disk_that_fills_up_is_noticed(free: int, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert doctor_machine.disk_space(tmp_path / "not" / "made" / "yet").level is level


def test_the_time_zones_of_this_machine_are_right() -> None:
    assert doctor_machine.time_zones().level is Level.OK


def test_a_web_port_that_another_program_holds_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = Settings(webserver_port=other.getsockname()[1], api_port=other.getsockname()[1])
        for look in (doctor_machine.webserver_port, doctor_machine.api_port):
            assert look(settings, serving=False).level is Level.NOTE
            assert look(settings, serving=True).level is Level.OK


@pytest.mark.fault("time")
@pytest.mark.parametrize(("seconds", "level"), [(0.5, Level.OK), (-5, Level.NOTE), (3600, Level.PROBLEM), (-3600, Level.PROBLEM)])
def test_a_clock_that_is_off_is_noticed(seconds: float, level: Level) -> None:
    found = doctor_database.judge_clock(timedelta(seconds=seconds))
    assert found.level is level
    assert ("ahead of" in found.detail) == (seconds > 0 and level is not Level.OK)


def test_a_migrated_database_is_healthy(database: Database) -> None:
    looks = (doctor_database.server, doctor_database.migrations, doctor_database.roles, doctor_database.clock)
    assert [look(database).level for look in looks] == [Level.OK] * 4


@pytest.mark.fault("database")
def test_revisions_that_were_not_applied_are_named(postgres_url: str) -> None:
    migrations.downgrade(postgres_url, "base")
    database = Database(postgres_url)
    found = doctor_database.migrations(database)
    database.dispose()
    assert found.level is Level.PROBLEM
    assert "not applied: 0001" in found.detail


@pytest.mark.fault("database")
def test_a_database_that_does_not_answer_is_a_problem_with_a_fix() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
    found = doctor_database.server(Database(f"postgresql://nobody@127.0.0.1:{port}/none", connect_timeout_seconds=2))
    assert found.level is Level.PROBLEM
    assert found.fix


@pytest.mark.fault("database")
def test_a_read_only_database_is_a_problem(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET default_transaction_read_only = on")  # type: ignore[arg-type]
    found = doctor_database.server(Database(postgres_url))
    assert found.level is Level.PROBLEM
    assert "read-only" in found.detail


def test_only_a_problem_makes_the_exit_code_differ() -> None:
    """Mistake 18: health checks that always said ok."""
    assert exit_code([ok("a", ""), note("b", "")]) == 0
    assert exit_code([ok("a", ""), problem("c", "", fix="mend")]) == 7


@pytest.mark.usefixtures("home")
def test_doctor_says_that_nothing_runs_and_changes_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(create_app(), ["doctor", "--json"])
    found = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert result.exit_code == 7
    assert found["database"]["fix"] == found["web page"]["fix"] == "Run `goldsignal up`."
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.usefixtures("home")
def test_doctor_finds_a_wrong_setting_and_still_reports_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_GRACE_SECONDS", "-1")
    result = CliRunner().invoke(create_app(), ["doctor", "--json"])
    found = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert found["settings"]["level"] == "problem"
    assert "GOLDSIGNAL_GRACE_SECONDS" in found["settings"]["detail"]
    assert found["python"]["level"] == "ok"


@pytest.mark.usefixtures("home")
def test_doctor_looks_at_a_database_of_ones_own(
    postgres_server: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", postgres_url)
    result = CliRunner().invoke(create_app(), ["doctor", "--json"])
    found = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert found["database"]["level"] == found["migrations"]["level"] == found["clock"]["level"] == "ok"
    assert found["daemon"] == {"name": "daemon", "level": "problem", "detail": "has never run", "fix": "Run `goldsignal up`."}
