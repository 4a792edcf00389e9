"""A small record with the whole graph, made once per test process; tests only read it, or spoil a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsignal_pipeline.settings import cached_settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import ENVIRONMENT, computed_record, copied
from goldsignal_pipeline_tests.postgres import Server


@pytest.fixture(scope="session")
def computed(postgres_server: Server) -> Iterator[Database]:
    with computed_record(postgres_server) as database:
        yield database


@pytest.fixture
def spoilt(postgres_server: Server, computed: Database) -> Iterator[Database]:
    """A copy of the record to tamper with."""
    with copied(postgres_server, computed) as database:
        yield database


@pytest.fixture
def commands_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets commands of this process find a database: set GOLDSIGNAL_DATABASE_URL on what is given."""
    before = dict(os.environ)
    monkeypatch.setenv("GOLDSIGNAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(tmp_path / "absent.env"))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    cached_settings.cache_clear()
    yield monkeypatch
    os.environ.clear()
    os.environ.update(before)
    cached_settings.cache_clear()
