"""`goldsignal psql`: PostgreSQL's terminal on our database, the password nowhere but in its environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.psql import connection_variables
from goldsignal_pipeline.errors import SettingsError


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None: ...


def test_psql_runs_a_statement_on_our_database_and_returns_its_exit_code(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", postgres_url)
    command = [sys.executable, "-m", "goldsignal_pipeline.cli", "psql", "--", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c"]
    good = subprocess.run([*command, "SELECT count(*) FROM candles"], capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout.strip()) == (0, "0")
    bad = subprocess.run([*command, "SELECT no_such_column"], capture_output=True, text=True, check=False)
    assert bad.returncode == 1


def test_the_password_reaches_psql_by_its_environment_and_is_never_shown(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I18."""
    address = postgres_url.replace("postgres@", "postgres:the-pass%40word@")
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", address)
    assert connection_variables(address.replace("+psycopg", ""))["PGPASSWORD"] == "the-pass@word"
    shown = CliRunner().invoke(create_app(), ["psql", "--json"])
    assert json.loads(shown.stdout)["environment"]["PGUSER"] == "postgres"
    assert "the-pass" not in shown.output
    assert "PGPASSWORD" not in shown.output


def test_variables_lead_libpq_to_the_same_place_as_the_address(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = postgres_url.replace("+psycopg", "") + "?connect_timeout=7&application_name=me"
    for name, value in connection_variables(address).items():
        monkeypatch.setenv(name, value)
    with psycopg.connect("") as connection:
        assert connection.info.dbname == conninfo_to_dict(address)["dbname"]
        assert connection.execute("SHOW search_path").fetchone() == ("goldsignal,public",)


def test_an_address_psql_cannot_be_told_is_refused() -> None:
    with pytest.raises(SettingsError, match="keepalives_idle"):
        connection_variables("postgresql://host/db?keepalives_idle=3")


def test_psql_before_any_database_says_what_to_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(create_app(), ["psql"])
    assert result.exit_code == 4
    assert "goldsignal up" in result.stderr
    assert not (tmp_path / "home" / "postgres").exists()
