"""`goldsignal config` shows values and origins, never a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.settings import Settings


@pytest.fixture(autouse=True)
def _own_home(home: Path) -> None: ...


def test_config_names_every_setting_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_GRACE_SECONDS", "90")
    monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(tmp_path / "my.env"))
    (tmp_path / "my.env").write_text("GOLDSIGNAL_DISPLAY_TIMEZONE=Europe/Berlin\n")
    result = CliRunner().invoke(create_app(), ["config", "--json"])
    rows = {row["name"]: row for row in json.loads(result.stdout)["settings"]}
    assert len(rows) == len(Settings.model_fields)
    assert (rows["GOLDSIGNAL_GRACE_SECONDS"]["value"], rows["GOLDSIGNAL_GRACE_SECONDS"]["origin"]) == ("90", "environment")
    assert rows["GOLDSIGNAL_DISPLAY_TIMEZONE"]["origin"] == "my.env"
    assert rows["GOLDSIGNAL_RUN_DAYS"]["origin"] == "default"


@pytest.mark.parametrize("arguments", [["config"], ["config", "--json"]])
def test_config_never_shows_a_secret(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """I18."""
    monkeypatch.setenv("GOLDSIGNAL_TWELVEDATA_API_KEY", "the-key-itself")
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", "postgresql://me:the-password@host/db")
    result = CliRunner().invoke(create_app(), arguments)
    assert result.exit_code == 0
    assert "the-key-itself" not in result.output
    assert "the-password" not in result.output
    assert "**********" in result.output


def test_a_misspelt_setting_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_GRACE_SECOND", "90")
    result = CliRunner().invoke(create_app(), ["config"])
    assert result.exit_code == 2
    assert "GOLDSIGNAL_GRACE_SECONDS" in result.stderr
