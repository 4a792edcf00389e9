"""Every command of these tests has a home folder of its own and never sees the settings of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsignal_pipeline.settings import cached_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = dict(os.environ)
    folder = tmp_path / "home"
    monkeypatch.setenv("GOLDSIGNAL_HOME", str(folder))
    monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(tmp_path / "absent.env"))
    cached_settings.cache_clear()
    yield folder
    # Commands hand their addresses to Dagster through the environment of the process.
    os.environ.clear()
    os.environ.update(before)
    cached_settings.cache_clear()


@pytest.fixture
def own_database(home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", postgres_url)
    return postgres_url
