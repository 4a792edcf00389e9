"""Databases beside each other: which tables hold the same, and the first row that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goldsignal_pipeline.storage.contents import Content, StoredRow
    from goldsignal_pipeline.storage.database import Database

NAMED_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Unequal:
    """A table that two databases do not hold alike; `first` is its first row that differs."""

    table: str
    expected: Content
    found: Content
    first: StoredRow | None

    def __str__(self) -> str:
        counts = f"{self.table}: {self.expected.rows:,} rows expected, {self.found.rows:,} found"
        return counts if self.first is None else f"{counts}; {row_text(self.first)}"


def contents_of(database: Database) -> dict[str, Content]:
    """The content of every table, on one snapshot."""
    from goldsignal_pipeline.storage.contents import contents

    with database.transaction(read_only=True) as connection:
        return contents(connection)


def first_unequal(expected: Database, contents: Mapping[str, Content], found: Database) -> Unequal | None:
    """The first table, inputs before what follows from them, that `found` holds otherwise; None when all are equal."""
    from goldsignal_pipeline.storage.contents import first_difference

    now = contents_of(found)
    table = next((name for name in contents if contents[name] != now[name]), None)
    if table is None:
        return None
    with expected.transaction(read_only=True) as one, found.transaction(read_only=True) as other:
        row = first_difference(one, other, table=table)
    return Unequal(table, contents[table], now[table], row)


def row_text(row: StoredRow) -> str:
    """A row that differs, in one line."""
    key = " ".join(row.key.values())
    if row.here is None or row.there is None:
        return f"{key}: {'is there, but was not expected' if row.here is None else 'is missing'}"
    columns = list(row.here)[:NAMED_COLUMNS]
    told = ", ".join(f"{name} is {_short(row.there[name])} instead of {_short(row.here[name])}" for name in columns)
    return f"{key}: {told}"


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
