"""Contents: what the tables of the graph hold, as a count and a fingerprint of each, so that whole databases can be compared.

Who wrote a row and when is no content. Fingerprints do not depend on the order in which rows are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql
from sqlalchemy import Connection

from goldsignal_pipeline.storage import bulk
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.tables import METADATA, SCHEMA

TABLES: Final = (
    "raw_candles",
    "candles",
    "trading_day_parts",
    "strategies",
    "setups",
    "backtest_trades",
    "backtest_results",
    "gate_events",
    "gate_decisions",
    "signals",
    "signal_events",
    "outcomes",
    "gate_states",
    "strategy_performance",
    "partition_digests",
)
"""What is compared, inputs before what follows from them."""

_MARKS: Final = frozenset({"run_id", "computed_at", "changed_at", "id"})


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table holds, and their fingerprint."""

    rows: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row that two databases do not hold alike: its key, and by column the values that differ; None where a row is absent."""

    table: str
    key: Mapping[str, str]
    here: Mapping[str, Any] | None
    there: Mapping[str, Any] | None


def contents(connection: Connection) -> dict[str, Content]:
    """The content of every table."""
    return {table: _content(connection, table) for table in TABLES}


def first_difference(here: Connection, there: Connection, *, table: str) -> StoredRow | None:
    """The first row by key that two databases do not hold alike; None when they are equal."""
    names, keys = content_columns(table), _key(table)
    sides = [_rows(connection, table, keys=keys) for connection in (here, there)]
    different = [key for key in sides[0].keys() | sides[1].keys() if sides[0].get(key) != sides[1].get(key)]
    if not different:
        return None
    first = min(different)
    rows = [_row(connection, table, dict(zip(keys, first, strict=True)), names=names) for connection in (here, there)]
    told = dict(zip(keys, first, strict=True))
    if rows[0] is None or rows[1] is None:
        return StoredRow(table, told, rows[0], rows[1])
    columns = [name for name in names if rows[0][name] != rows[1][name]]
    return StoredRow(table, told, *({name: row[name] for name in columns} for row in rows if row is not None))


def content_row(connection: Connection, table: str, key: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The row with this key (each part as the database writes it) as texts by column; None where there is none."""
    return _row(connection, table, key, names=content_columns(table))


def content_columns(table: str) -> tuple[str, ...]:
    """The columns of a table that are content."""
    return tuple(column.name for column in METADATA.tables[f"{SCHEMA}.{table}"].columns if column.name not in _MARKS)


def _content(connection: Connection, table: str) -> Content:
    # Two sums of 64 bits, because one could be equal by chance.
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(hashtextextended(told, 0)::numeric), 0),"
        " coalesce(sum(hashtextextended(told, 1)::numeric), 0) FROM (SELECT ROW({})::text AS told FROM {}) AS rows"
    ).format(bulk.names(content_columns(table)), bulk.ours(table))
    (rows, first, second), *_ = driver_connection(connection).execute(query).fetchall()
    return Content(int(rows), f"{int(first) % 2**64:016x}{int(second) % 2**64:016x}")


def _key(table: str) -> tuple[str, ...]:
    found = METADATA.tables[f"{SCHEMA}.{table}"]
    keys = tuple(column.name for column in found.primary_key.columns)
    return ("natural_key",) if keys == ("id",) else keys


def _rows(connection: Connection, table: str, *, keys: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    query = sql.SQL("SELECT {}, ROW({})::text FROM {}").format(_texts(keys), bulk.names(content_columns(table)), bulk.ours(table))
    return {tuple(row[:-1]): row[-1] for row in driver_connection(connection).execute(query)}


def _row(connection: Connection, table: str, key: Mapping[str, str], *, names: tuple[str, ...]) -> Mapping[str, Any] | None:
    where = sql.SQL(" AND ").join(sql.SQL("{}::text = {}").format(sql.Identifier(name), value) for name, value in key.items())
    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(_texts(names), bulk.ours(table), where)
    row = driver_connection(connection).execute(query).fetchone()
    return None if row is None else dict(zip(names, row, strict=True))


def _texts(names: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
