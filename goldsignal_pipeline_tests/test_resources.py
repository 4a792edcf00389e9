"""The steps of a run share one connection to our database, and it ends with the run."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.errors import GoldSignalError
from goldsignal_pipeline.resources import DatabaseResource
from goldsignal_pipeline.settings import cached_settings
from goldsignal_pipeline.storage.database import Database


def backend(resource: DatabaseResource) -> int:
    """The server's process behind the resource."""
    with resource.open() as opened, opened.transaction(read_only=True) as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


@dg.op
def first_step(database: DatabaseResource) -> list[int]:
    return [backend(database), backend(database)]


@dg.op
def second_step(database: DatabaseResource, seen: list[int]) -> list[int]:
    return [*seen, backend(database)]


@dg.job(executor_def=dg.in_process_executor)
def two_steps() -> None:
    second_step(first_step())


@pytest.fixture(autouse=True)
def _settings_of_this_test_alone() -> Iterator[None]:
    yield
    cached_settings.cache_clear()


@pytest.fixture
def named(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database that the settings name."""
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", database.url.render_as_string(hide_password=False))
    cached_settings.cache_clear()
    return database


def test_steps_of_a_run_share_a_connection_that_ends_with_the_run(named: Database) -> None:
    resource = DatabaseResource()
    runs = [two_steps.execute_in_process(resources={"database": resource}).output_for_node("second_step") for _ in range(2)]
    assert [len(set(pids)) for pids in runs] == [1, 1]
    assert runs[0] != runs[1]
    left = {pids[0] for pids in runs}
    until = time.monotonic() + 10
    while left and time.monotonic() < until:  # a process of the server ends a moment after its connection
        with named.transaction(read_only=True) as connection:
            left &= set(connection.execute(text("SELECT pid FROM pg_stat_activity")).scalars())
    assert not left, "a run leaves no connection"


def test_outside_of_a_run_every_opening_is_a_connection_of_its_own(named: Database) -> None:
    resource = DatabaseResource()
    assert backend(resource) != backend(resource)


def test_a_run_that_never_asks_needs_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    @dg.op
    def idle(database: DatabaseResource) -> None: ...

    @dg.op
    def asking(database: DatabaseResource) -> None:
        with database.open():
            pass

    def run(op: dg.OpDefinition) -> None:
        dg.GraphDefinition("steps", node_defs=[op]).to_job().execute_in_process(resources={"database": DatabaseResource()})

    monkeypatch.delenv("GOLDSIGNAL_DATABASE_URL", raising=False)
    cached_settings.cache_clear()
    run(idle)
    with pytest.raises(GoldSignalError):
        run(asking)
