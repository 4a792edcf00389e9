"""Many rows at once: into tables by binary COPY, merged by key; out of tables as integer arrays.

*In.* `copy_into` sends arrays as binary COPY; `staged` does so into a temporary table, from which rows are merged by key.

*Out.* `read_columns` lets the server pack each column into one value (eight bytes a row, texts joined by a separator), so
that a million rows arrive as a handful of buffers and no Python loop ever sees a row. Prices arrive as whole ticks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import pandas as pd
from psycopg import sql
from sqlalchemy import Connection

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage import kinds
from goldsignal_pipeline.storage.binary_encoding import Field, encode
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.tables.base import SCHEMA

_MANY_ROWS: Final = 5_000
_LONGEST_STRETCH: Final = timedelta(days=4 * 365)


def copy_into(connection: Connection, *, table: sql.Composable, fields: Mapping[str, Field], rows: int) -> None:
    """Send `rows` rows of the named `fields` into `table`, in the transaction of `connection`."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table, names(list(fields)))
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for block in encode(list(fields.values()), rows=rows):
            copy.write(block)


@contextmanager
def staged(connection: Connection, *, table: str, fields: Mapping[str, Field], rows: int) -> Iterator[sql.Identifier]:
    """A temporary table of the columns of `table` that holds the rows, gone afterwards."""
    driver = driver_connection(connection)
    stage = sql.Identifier("pg_temp", f"staged_{table}")
    shape = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    driver.execute(shape.format(stage, names(list(fields)), ours(table)))
    copy_into(connection, table=stage, fields=fields, rows=rows)
    if rows < _MANY_ROWS:
        yield stage
    else:
        # The planner takes a new table, and one that was just filled, for a few rows and would walk them pair by pair.
        driver.execute(sql.SQL("ANALYZE {}").format(stage))
        driver.execute("SET LOCAL enable_nestloop TO off")
        yield stage
        driver.execute("SET LOCAL enable_nestloop TO DEFAULT")
    driver.execute(sql.SQL("DROP TABLE {}").format(stage))


def read_columns(
    connection: Connection, *, rows: sql.Composable, columns: Mapping[str, Kind], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """The named columns of the subquery `rows` as arrays of equal length, in its order.

    They are as `kinds` tells: instants `datetime64[us]` in UTC, texts `PackedTexts`.
    """
    query = sql.SQL("SELECT {} FROM ({}) AS rows").format(_packed(columns), rows)
    with driver_connection(connection).cursor(binary=True) as cursor:
        return _unpacked(_one(cursor.execute(query, parameters).fetchone()), columns)


def read_frame(
    connection: Connection,
    *,
    rows: sql.Composable,
    columns: Mapping[str, Kind],
    parameters: Mapping[str, Any],
    start: datetime,
    end: datetime,
) -> pd.DataFrame:
    """`read_columns` as a frame, read in stretches of four years so that no answer outgrows what the server may send.

    `rows` has the parameters `start` and `end`, besides `parameters`.
    """
    pieces = [
        _frame(
            read_columns(connection, rows=rows, columns=columns, parameters={**parameters, "start": first, "end": last}), columns
        )
        for first, last in _stretches(start, end)
    ]
    return _joined(pieces)


def read_frames(
    connection: Connection,
    *,
    rows: sql.Composable,
    by: str,
    values: Sequence[str],
    columns: Mapping[str, Kind],
    parameters: Mapping[str, Any],
    start: datetime,
    end: datetime,
) -> dict[str, pd.DataFrame]:
    """`read_frame` for each of the `values` of the column `by`, in one question a stretch; `rows` is ordered by it first."""
    query = sql.SQL("SELECT {by}, {packed} FROM ({rows}) AS rows GROUP BY {by}").format(
        by=sql.Identifier(by), packed=_packed(columns), rows=rows
    )
    pieces: dict[str, list[pd.DataFrame]] = {value: [] for value in values}
    with driver_connection(connection).cursor(binary=True) as cursor:
        for first, last in _stretches(start, end):
            answers = cursor.execute(query, {**parameters, "start": first, "end": last}).fetchall()
            for value, *blobs in answers:
                pieces[value].append(_frame(_unpacked(blobs, columns), columns))
    nothing = _frame(_unpacked([0, *(None for _ in columns)], columns), columns)
    return {value: _joined(own or [nothing]) for value, own in pieces.items()}


def ours(table: str) -> sql.Identifier:
    """A table of schema `goldsignal`, quoted."""
    return sql.Identifier(SCHEMA, table)


def names(columns: Sequence[str], *, alias: str = "") -> sql.Composable:
    """Column names, quoted and separated by commas, each behind `alias` when given."""
    return sql.SQL(", ").join(sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns)


def _packed(columns: Mapping[str, Kind]) -> sql.Composable:
    """The number of rows, and each column of them as one value."""
    return sql.SQL(", ").join([sql.SQL("count(*)"), *(kinds.packed(name, kind=kind) for name, kind in columns.items())])


def _unpacked(answer: Sequence[Any], columns: Mapping[str, Kind]) -> dict[str, Any]:
    count, *blobs = answer
    read = {name: kinds.unpacked(blob, kind=kind, rows=count) for (name, kind), blob in zip(columns.items(), blobs, strict=True)}
    if any(len(values) != count for values in read.values()):
        raise StorageError("A text in the database holds the control character 31.", done="Nothing was read.", fix="Remove it.")
    return read


def _joined(pieces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pieces[0] if len(pieces) == 1 else pd.concat(pieces, ignore_index=True)


def _frame(read: Mapping[str, Any], columns: Mapping[str, Kind]) -> pd.DataFrame:
    return pd.DataFrame({name: kinds.column(read[name], kind=kind) for name, kind in columns.items()})


def _stretches(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    first = start
    while first + _LONGEST_STRETCH < end:
        yield first, first + _LONGEST_STRETCH
        first += _LONGEST_STRETCH
    yield first, end


def _one(row: Any) -> Any:
    if row is None:
        raise StorageError("The database answered without a row.", done="Nothing was stored.", fix="Run it again.")
    return row
