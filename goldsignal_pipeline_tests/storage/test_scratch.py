"""Scratch databases: empty or copied, gone afterwards, also when their owner was killed; who may make none is told so."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage import contents
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.scratch import PREFIX, scratch_databases
from goldsignal_pipeline_tests.postgres import Server


def _names(database: Database) -> set[str]:
    with database.transaction() as connection:
        query = text("SELECT datname FROM pg_database WHERE starts_with(datname, :prefix)")
        return set(connection.execute(query, {"prefix": PREFIX}).scalars())


def _register(database: Database, strategy: str) -> None:
    statement = text(
        "INSERT INTO strategies (strategy, timeframe, version, parameters, description, is_active, changed_at)"
        " VALUES (:strategy, 'H1', '1', '{}', 'of a test', true, now())"
    )
    with database.transaction() as connection:
        connection.execute(statement, {"strategy": strategy})


def _registered(database: Database) -> int:
    with database.transaction(read_only=True) as connection:
        return contents.contents(connection)["strategies"].rows


def test_an_empty_one_is_migrated_a_copy_holds_the_same_and_both_are_gone_afterwards(database: Database) -> None:
    _register(database, "of the user")
    with scratch_databases(database) as scratch, scratch.empty() as empty:
        assert _registered(empty) == 0
        _register(empty, "scratch")
        with scratch.copy(empty) as copy:
            _register(copy, "second")
            assert (_registered(empty), _registered(copy)) == (1, 2)
            assert len(_names(database)) == 3
    assert _names(database) == set()
    assert _registered(database) == 1


def test_they_are_gone_after_an_error_too(database: Database) -> None:
    with pytest.raises(ValueError, match="of a test"), scratch_databases(database) as scratch, scratch.empty():
        raise ValueError("of a test")
    assert _names(database) == set()


@pytest.mark.fault("crash")
def test_what_a_killed_owner_left_is_dropped_by_the_next_and_what_a_living_one_has_is_not(
    postgres_server: Server, database: Database
) -> None:
    left = f"{PREFIX}_0badcafe_1"
    postgres_server.admin(f"CREATE DATABASE {left}")
    with scratch_databases(database) as scratch, scratch.empty():
        mine = _names(database)
        assert left not in mine
        with scratch_databases(database):
            assert _names(database) == mine
    assert _names(database) == set()


def test_a_user_who_may_create_none_is_told_what_helps(postgres_server: Server, database: Database) -> None:
    postgres_server.admin("CREATE ROLE modest LOGIN")
    modest = Database(postgres_server.url(str(database.url.database), user="modest"))
    try:
        with (
            pytest.raises(StorageError, match="may not create one") as told,
            scratch_databases(modest) as scratch,
            scratch.empty(),
        ):
            pass
        assert "CREATEDB" in told.value.fix
    finally:
        modest.dispose()
        postgres_server.admin("DROP ROLE modest")


def test_a_connection_returns_to_the_pool_under_its_own_name(database: Database) -> None:
    with scratch_databases(database):
        pass
    with database.transaction() as connection:
        told = connection.execute(text("SELECT current_setting('application_name')")).scalar_one()
    assert told.startswith("goldsignal[")
