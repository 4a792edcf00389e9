"""Each recorded source in a database of its own, imported and derived once per test process; tests only read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsignal_pipeline.assets.ingest import IngestReport
from goldsignal_pipeline.settings import cached_settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.record import (
    BUDIMANLAI,
    EJTRADERLABS,
    OANDA,
    TWELVEDATA,
    RecordedFile,
    derive_stale,
    import_recorded,
)
from goldsignal_pipeline_tests.postgres import Server, migrated_database

Imported = tuple[Database, IngestReport]


def _imported(server: Server, shared_data: Path, file: RecordedFile) -> Iterator[Imported]:
    with migrated_database(server) as database:
        report = import_recorded(database, shared_data, file)
        derive_stale(database)
        yield database, report


@pytest.fixture(scope="session")
def oanda(postgres_server: Server, shared_data: Path) -> Iterator[Imported]:
    yield from _imported(postgres_server, shared_data, OANDA)


@pytest.fixture(scope="session")
def ejtraderlabs(postgres_server: Server, shared_data: Path) -> Iterator[Imported]:
    yield from _imported(postgres_server, shared_data, EJTRADERLABS)


@pytest.fixture(scope="session")
def budimanlai(postgres_server: Server, shared_data: Path) -> Iterator[Imported]:
    yield from _imported(postgres_server, shared_data, BUDIMANLAI)


@pytest.fixture(scope="session")
def twelvedata(postgres_server: Server, shared_data: Path) -> Iterator[Imported]:
    yield from _imported(postgres_server, shared_data, TWELVEDATA)


@pytest.fixture
def own_record(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty database that commands of this process find by their settings."""
    before = dict(os.environ)
    monkeypatch.setenv("GOLDSIGNAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(tmp_path / "absent.env"))
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", postgres_url)
    cached_settings.cache_clear()
    database = Database(postgres_url)
    yield database
    database.dispose()
    os.environ.clear()
    os.environ.update(before)
    cached_settings.cache_clear()
