"""How much of a command's time was spent waiting for PostgreSQL: ours through psycopg, Dagster's through SQLAlchemy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class PostgresTime:
    """Seconds that statements, COPY data and transaction ends took, server and network together, summed over threads."""

    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, seconds: float) -> None:
        """Count some more."""
        with self._lock:
            self.seconds += seconds


@contextmanager
def postgres_time() -> Iterator[PostgresTime]:
    """Count the time in PostgreSQL while the block runs.

    psycopg sends every statement and every block of a COPY through `Connection.wait`, which is wrapped for this while. Engines
    of another driver (Dagster's storage) are counted by SQLAlchemy's events around each statement.
    """
    import psycopg

    spent = PostgresTime()
    inner = psycopg.Connection.wait

    def wait(self: psycopg.Connection[Any], *arguments: Any, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return inner(self, *arguments, **options)
        finally:
            spent.add(time.perf_counter() - begin)

    psycopg.Connection.wait = wait  # type: ignore[method-assign]  # put back below
    try:
        with _other_drivers(spent):
            yield spent
    finally:
        psycopg.Connection.wait = inner  # type: ignore[method-assign]


@contextmanager
def _other_drivers(spent: PostgresTime) -> Iterator[None]:
    from sqlalchemy import Engine, event

    def before(_connection: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        context._goldsignal_begin = time.perf_counter()

    def after(connection: Any, _cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        if connection.dialect.driver != "psycopg":
            spent.add(time.perf_counter() - context._goldsignal_begin)

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)
        event.remove(Engine, "after_cursor_execute", after)
