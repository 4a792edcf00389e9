"""Months of a table, held by one writer at a time.

Locks are PostgreSQL's own advisory ones and end with the transaction, also when the process dies. They are taken in one
fixed order, so that two writers of overlapping ranges queue up and never wait for each other in a circle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text


def lock_months(connection: Connection, *, table: str, months: Iterable[str]) -> None:
    """Wait until no other transaction holds any of these months ("YYYY-MM") of `table`, and hold them."""
    keys = sorted(_key(f"{table} {month}") for month in set(months))
    connection.execute(text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key"), {"keys": keys})


def lock_name(connection: Connection, name: str) -> None:
    """Wait until no other transaction holds `name`, and hold it."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(name)})


def months_in(start: datetime, end: datetime) -> list[str]:
    """The UTC months that [start, end) touches, ascending."""
    if end <= start:
        return []
    first, last = start.astimezone(UTC), end.astimezone(UTC) - timedelta(microseconds=1)
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    numbers = (first.year * 12 + first.month - 1 + step for step in range(count))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


def _key(name: str) -> int:
    # Python's own hash differs between processes.
    return int.from_bytes(hashlib.blake2b(f"goldsignal {name}".encode(), digest_size=8).digest(), "big", signed=True)
