"""Scratch databases: beside the user's own on the same server, empty or copied, and gone when their block ends.

A process that is killed cannot drop them; the next one that needs scratch databases drops those whose owner is gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage import migrations
from goldsignal_pipeline.storage.database import Database, driver_connection
from goldsignal_pipeline.storage.failures import DatabaseError, translated

PREFIX: Final = "goldsignal_scratch"
_OWNER: Final = "goldsignal scratch "
_WAIT_SECONDS: Final = 10.0
_MAY_NOT: Final = "42501"
_IN_USE: Final = "55006"


class Scratch:
    """Makes scratch databases; each is closed and dropped at the end of the block that asked for it."""

    def __init__(self, connection: Connection, *, owner: Database, token: str) -> None:
        self._connection = connection
        self._owner = owner
        self._token = token
        self._made = 0
        self._empty: Database | None = None

    @contextmanager
    def empty(self) -> Iterator[Database]:
        """A migrated database without a row."""
        if self._empty is None:
            self._empty = self._create("template1")
            migrations.upgrade(address(self._empty))
        with self.copy(self._empty) as copied:
            yield copied

    @contextmanager
    def copy(self, template: Database) -> Iterator[Database]:
        """A database with everything that a scratch database holds; nobody may be connected to that one."""
        template.dispose()
        database = self._create(str(template.url.database))
        try:
            yield database
        finally:
            self._drop(database)

    def close(self) -> None:
        """Drop what is left."""
        if self._empty is not None:
            self._drop(self._empty)

    def _create(self, template: str) -> Database:
        self._made += 1
        name = f"{PREFIX}_{self._token}_{self._made}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        begin = time.monotonic()
        while True:
            try:
                _execute(self._connection, statement)
                return Database(self._owner.url.set(database=name).render_as_string(hide_password=False))
            except DatabaseError as error:
                # A process that has just ended may still be on its way out of the template.
                if error.sqlstate != _IN_USE or time.monotonic() - begin > _WAIT_SECONDS:
                    raise _explained(error) from error
                time.sleep(0.1)

    def _drop(self, database: Database) -> None:
        database.dispose()
        _execute(self._connection, _drop_statement(str(database.url.database)))


@contextmanager
def scratch_databases(owner: Database) -> Iterator[Scratch]:
    """Scratch databases on the server of `owner` for as long as the block runs; raises `StorageError` where none may be made."""
    token = uuid4().hex[:8]
    with translated(), owner.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Seen by others as long as this process lives.
        _execute(connection, sql.SQL("SELECT set_config('application_name', {}, false)").format(_OWNER + token))
        _sweep(connection)
        scratch = Scratch(connection, owner=owner, token=token)
        try:
            yield scratch
        finally:
            scratch.close()
            # The connection goes back to the pool under its own name.
            connection.invalidate()


def address(database: Database) -> str:
    """The address of a database with its password, for another process."""
    return database.url.render_as_string(hide_password=False)


def _sweep(connection: Connection) -> None:
    """Drop scratch databases whose owner is gone."""
    query = sql.SQL(
        "SELECT held.datname FROM pg_database AS held WHERE starts_with(held.datname, {}) AND NOT EXISTS ("
        " SELECT FROM pg_stat_activity WHERE application_name = {} || split_part(held.datname, '_', 3))"
    ).format(f"{PREFIX}_", _OWNER)
    for (name,) in _execute(connection, query).fetchall():
        try:
            _execute(connection, _drop_statement(name))
        except DatabaseError as error:
            # Another one sweeps at the same time, or it belongs to somebody else.
            if error.sqlstate not in {"3D000", _MAY_NOT}:
                raise


def _drop_statement(name: str) -> sql.Composed:
    return sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))


def _execute(connection: Connection, statement: sql.Composed) -> psycopg.Cursor[Any]:
    with translated():
        return driver_connection(connection).execute(statement)


def _explained(error: DatabaseError) -> StorageError:
    if error.sqlstate != _MAY_NOT:
        return error
    return StorageError(
        "A proof needs a scratch database, and the user may not create one.",
        done="Nothing was proved; your database was not touched.",
        fix="Give the user of GOLDSIGNAL_DATABASE_URL the right CREATEDB, or prove with the embedded server.",
    )
