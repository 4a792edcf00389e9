"""Connections of the API: a pool for questions that wait on nothing else, and one for work in threads; both only read.

Every session takes the role `goldsignal_reader` where the user of the address may, and is read-only in any case: a route cannot
write even if it tried. A statement ends after `STATEMENT_SECONDS`. Answers are fetched whole before the first byte is sent, so
a slow reader or one that went away holds no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import Connection, event

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.failures import DatabaseError, explain
from goldsignal_pipeline.storage.reading.queries import Query

Answer = TypeVar("Answer")

CONNECTIONS: Final = 8
THREADS: Final = 4
WAIT_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 3
STATEMENT_SECONDS: Final = 20
_CLOSE_SECONDS: Final = 2.0
_MAY_READ: Final = (
    "SELECT 1 FROM pg_roles WHERE rolname = 'goldsignal_reader' AND pg_has_role(current_user, oid, 'MEMBER')"
    " AND has_schema_privilege(oid, 'goldsignal', 'USAGE')"
)
_PREPARE: Final = (
    "SET search_path TO goldsignal, public; SET timezone TO 'UTC'; SET client_encoding TO 'UTF8';"
    f" SET statement_timeout TO {STATEMENT_SECONDS * 1000}; SET default_transaction_read_only TO on"
)


class Readers:
    """The connections of one application; `open` and `close` belong to its lifespan."""

    def __init__(self, url: str) -> None:
        self.database: Final = Database(
            url,
            application_name="goldsignal api",
            connections=THREADS,
            wait_seconds=WAIT_SECONDS,
            connect_timeout_seconds=CONNECT_SECONDS,
        )
        event.listen(self.database.engine, "connect", _restrict)
        address = self.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]] = AsyncConnectionPool(
            address,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=WAIT_SECONDS,
            open=False,
            configure=_configure,
            check=AsyncConnectionPool.check_connection,
            kwargs={
                "row_factory": dict_row,
                "autocommit": True,
                "application_name": "goldsignal api",
                "connect_timeout": CONNECT_SECONDS,
            },
        )
        self._threads = asyncio.Semaphore(THREADS)

    async def open(self) -> None:
        """Begin to connect; an unreachable server is told by the first question, not here."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close(timeout=_CLOSE_SECONDS)
        self.database.dispose()

    async def rows(self, query: Query) -> list[dict[str, Any]]:
        """The answer, a mapping per row; raises `DatabaseError`."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query.composed(), query.parameters)
                return await cursor.fetchall()
        except PoolTimeout:
            raise DatabaseError(
                f"No connection to the database came free within {WAIT_SECONDS:.0f} s.",
                fix="Ask again later; `goldsignal status` tells whether the database runs.",
                retryable=True,
            ) from None
        except psycopg.Error as error:
            raise explain(error) from error

    async def in_thread(self, work: Callable[[Connection], Answer]) -> Answer:
        """What `work` makes of one snapshot of the record, in a thread; work in excess waits without holding one."""
        async with self._threads:
            return await asyncio.to_thread(self._with_snapshot, work)

    def _with_snapshot(self, work: Callable[[Connection], Answer]) -> Answer:
        with self.database.transaction(read_only=True, statement_timeout=timedelta(seconds=STATEMENT_SECONDS)) as connection:
            return work(connection)


async def _configure(connection: psycopg.AsyncConnection[DictRow]) -> None:
    await connection.execute(_PREPARE)
    if await (await connection.execute(_MAY_READ)).fetchone():
        await connection.execute("SET ROLE goldsignal_reader")


def _restrict(connection: psycopg.Connection[Any], _record: Any) -> None:
    connection.execute(_PREPARE)
    if connection.execute(_MAY_READ).fetchone():
        connection.execute("SET ROLE goldsignal_reader")
    connection.commit()
