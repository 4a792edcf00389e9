"""The one way to a database: a resilient pool, transactions that commit whole or not at all, faults told in words.

Addresses may be written postgresql:// or postgres://; the driver is made explicit here, because what a bare address
means changes between releases. Every session speaks UTC and finds schema `goldsignal` first.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage.failures import DatabaseError, translated
from goldsignal_pipeline.storage.tables.base import SCHEMA

__all__ = ["Database", "DatabaseError", "ServerFacts", "driver_connection", "explicit_url"]

logger = logging.getLogger(__name__)

DRIVER: Final = "postgresql+psycopg"
OLDEST_SERVER: Final = 14
_RECYCLE_SECONDS: Final = 1800
_PREPARE: Final = f"SET search_path TO {SCHEMA}, public; SET timezone TO 'UTC'; SET client_encoding TO 'UTF8'"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself."""

    version: str
    major: int
    encoding: str
    accepts_writes: bool


def explicit_url(url: str) -> URL:
    """The address with its driver named; raises `StorageError` for anything that is no PostgreSQL address."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise StorageError(
            "The database address is not one of PostgreSQL.",
            done="Nothing was connected.",
            fix="Write it as postgresql://user:password@host:port/database.",
        )
    return parsed.set(drivername=DRIVER)


class Database:
    """A PostgreSQL database of ours; cheap to make, connects on first use, safe to share between threads."""

    def __init__(
        self,
        url: str,
        *,
        application_name: str = "goldsignal",
        connections: int = 5,
        wait_seconds: float = 30.0,
        connect_timeout_seconds: int = 10,
    ) -> None:
        self.url: Final = explicit_url(url)
        self._application_name = application_name
        self._connections = connections
        self._wait_seconds = wait_seconds
        self._connect_timeout_seconds = connect_timeout_seconds

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)})"

    @cached_property
    def engine(self) -> Engine:
        """The pool: broken connections are noticed before use, old ones replaced, none beyond `connections` is opened."""
        engine = create_engine(
            self.url,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
            pool_size=self._connections,
            max_overflow=0,
            pool_timeout=self._wait_seconds,
            hide_parameters=True,
            connect_args={
                "application_name": f"{self._application_name}[{os.getpid()}]",
                "connect_timeout": self._connect_timeout_seconds,
                "keepalives_idle": 30,
            },
        )
        event.listen(engine, "connect", _prepare_session)
        return engine

    @contextmanager
    def transaction(self, *, read_only: bool = False, statement_timeout: timedelta | None = None) -> Iterator[Connection]:
        """A connection in one transaction: committed at the end, rolled back on any error.

        Faults of the database are raised as `DatabaseError`; `read_only` sees one snapshot and refuses writes.
        """
        with translated():
            connection = self.engine.connect()
            try:
                transaction = connection.begin()
                _set_up(connection, read_only=read_only, statement_timeout=statement_timeout)
                yield connection
                transaction.commit()
            except BaseException:
                _give_up(connection)
                raise
            finally:
                connection.close()

    def facts(self) -> ServerFacts:
        """What the server says of itself."""
        query = text(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000, "
            "current_setting('server_encoding'), "
            "NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::boolean"
        )
        with self.transaction() as connection:
            version, major, encoding, accepts_writes = connection.execute(query).one()
        return ServerFacts(version=version, major=major, encoding=encoding, accepts_writes=accepts_writes)

    def check(self) -> ServerFacts:
        """Raise `StorageError` when the server is too old, not UTF-8 or refuses writes; else say what it is."""
        facts = self.facts()
        fault = ""
        if facts.major < OLDEST_SERVER:
            fault = f"expected PostgreSQL {OLDEST_SERVER} or newer, was {facts.version}"
        elif facts.encoding != "UTF8":
            fault = f"expected encoding UTF8, was {facts.encoding}"
        elif not facts.accepts_writes:
            fault = "expected a server that accepts writes, was read-only"
        if fault:
            raise StorageError(f"The database cannot be used: {fault}.", done="Nothing was changed.", fix="Use another server.")
        return facts

    def dispose(self) -> None:
        """Close every idle connection; the next use opens new ones."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection below, in the same transaction; COPY needs it."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise StorageError("The connection is closed.", done="Nothing was stored.", fix="Run it again.")
    return driver


def _prepare_session(connection: psycopg.Connection[Any], _record: Any) -> None:
    connection.add_notice_handler(_log_notice)
    connection.execute(_PREPARE)
    connection.commit()


def _log_notice(diagnostic: psycopg.errors.Diagnostic) -> None:
    level = logging.WARNING if diagnostic.severity_nonlocalized == "WARNING" else logging.DEBUG
    logger.log(level, "PostgreSQL: %s", diagnostic.message_primary)


def _set_up(connection: Connection, *, read_only: bool, statement_timeout: timedelta | None) -> None:
    if read_only:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    if statement_timeout is not None:
        milliseconds = max(1, int(statement_timeout.total_seconds() * 1000))
        connection.execute(text(f"SET LOCAL statement_timeout = {milliseconds}"))


def _give_up(connection: Connection) -> None:
    # A broken connection cannot be rolled back; the server has done it, and the pool must not see it again.
    if connection.invalidated:
        return
    driver = connection.connection.driver_connection
    if driver is None or getattr(driver, "closed", True):
        connection.invalidate()
    elif connection.in_transaction():
        connection.rollback()
