"""Many rows at once: into tables by binary COPY, merged by key; out of tables as integer arrays.

*In.* `copy_into` sends arrays as binary COPY. `merge` writes staged rows into a keyed table: a hash anti-join finds the rows
that are new or different, so that loading the same rows again writes nothing.

*Out.* `read_columns` lets the server pack each column into one value (eight bytes a row, texts joined by a separator), so
that a million rows arrive as a handful of buffers and no Python loop ever sees a row. Prices arrive as whole ticks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from psycopg import sql
from sqlalchemy import Connection

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage.binary_encoding import (
    NO_VALUE,
    POSTGRES_EPOCH,
    Field,
    HundredthsField,
    InstantField,
    IntegerField,
    TextField,
    encode,
)
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.tables.base import SCHEMA

SEPARATOR: Final = "\x1f"
"""Joins texts on the way out; no source, timeframe or flag contains it."""

_MANY_ROWS: Final = 5_000
_LONGEST_STRETCH: Final = timedelta(days=4 * 365)


class Kind(Enum):
    """How a column is packed by the server and unpacked here."""

    INSTANT = "timestamptz_send({column})"
    TICKS = "int8send(({column} * 100)::bigint)"
    VOLUME = "int8send(coalesce(({column} * 100)::bigint, -9223372036854775808))"
    INTEGER = "int8send({column}::bigint)"
    TEXT = "coalesce({column}, '')"


@dataclass(frozen=True, slots=True)
class Merged:
    """How many rows of a merge were new and how many replaced a different one."""

    inserted: int
    updated: int


def column_field(values: pd.Series, *, kind: Kind) -> Field:
    """The binary field of a frame's column; an empty text is stored as NULL."""
    if kind is Kind.INSTANT:
        return InstantField(instants(values))
    if kind is Kind.TICKS:
        return HundredthsField(values.to_numpy(dtype=np.int64))
    if kind is Kind.VOLUME:
        return HundredthsField(hundredths(values.to_numpy(dtype=np.float64)))
    if kind is Kind.INTEGER:
        return IntegerField(values.to_numpy(dtype=np.int64))
    codes, distinct = pd.factorize(values)
    texts = [str(text) for text in distinct]
    empty = [position for position, text in enumerate(texts) if not text]
    return TextField(np.where(np.isin(codes, empty), -1, codes) if empty else codes, texts)


def instants(values: pd.Series) -> npt.NDArray[np.datetime64]:
    """A column of aware timestamps as `datetime64[us]` in UTC."""
    return np.asarray(pd.DatetimeIndex(values).tz_convert("UTC").tz_localize(None).as_unit("us"), dtype="datetime64[us]")


def instant(moment: datetime) -> np.datetime64:
    """An aware datetime as `datetime64[us]` in UTC."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def hundredths(volume: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Volumes as int64 hundredths, NaN as `NO_VALUE`."""
    absent = np.isnan(volume)
    whole: npt.NDArray[np.int64] = np.rint(np.where(absent, 0.0, volume) * 100).astype(np.int64)
    whole[absent] = NO_VALUE
    return whole


def copy_into(connection: Connection, *, table: sql.Composable, fields: Mapping[str, Field], rows: int) -> None:
    """Send `rows` rows of the named `fields` into `table`, in the transaction of `connection`."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table, _names(list(fields)))
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for block in encode(list(fields.values()), rows=rows):
            copy.write(block)


@contextmanager
def staged(connection: Connection, *, table: str, fields: Mapping[str, Field], rows: int) -> Iterator[sql.Identifier]:
    """A temporary table of the columns of `table` that holds the rows, gone afterwards."""
    driver = driver_connection(connection)
    stage = sql.Identifier("pg_temp", f"staged_{table}")
    shape = sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    driver.execute(shape.format(stage, _names(list(fields)), ours(table)))
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


def merge(
    connection: Connection,
    *,
    stage: sql.Identifier,
    table: str,
    key: Sequence[str],
    values: Sequence[str],
    within: sql.Composable,
) -> Merged:
    """Make every staged row the row of its key; rows that are there already and equal are not written.

    `within` is a condition on the table's alias `held` that every held row of a staged key fulfils; it spares the planner
    the rest of the table.
    """
    statement = sql.SQL(
        "WITH written AS ("
        " INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} AS given WHERE NOT EXISTS ("
        "  SELECT FROM {table} AS held WHERE {within} AND ({held_key}) = ({given_key})"
        "  AND ({held_values}) IS NOT DISTINCT FROM ({given_values}))"
        " ON CONFLICT ({key}) DO UPDATE SET {updates} RETURNING xmax = 0 AS is_new"
        ") SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written"
    ).format(
        table=ours(table),
        stage=stage,
        columns=_names([*key, *values]),
        within=within,
        held_key=_names(key, alias="held"),
        given_key=_names(key, alias="given"),
        held_values=_names(values, alias="held"),
        given_values=_names(values, alias="given"),
        key=_names(key),
        updates=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in values),
    )
    inserted, updated = _one(driver_connection(connection).execute(statement).fetchone())
    return Merged(inserted=inserted, updated=updated)


def read_columns(
    connection: Connection, *, rows: sql.Composable, columns: Mapping[str, Kind], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """The named columns of the subquery `rows` as arrays of equal length, in its order.

    Instants are `datetime64[us]` in UTC, ticks and integers int64, volumes float64 with NaN for NULL, texts a list of str
    (empty for NULL).
    """
    packed = [
        sql.SQL("string_agg({}, {})").format(
            sql.SQL(kind.value).format(column=sql.Identifier(name)),
            sql.SQL("chr(31)") if kind is Kind.TEXT else sql.SQL("''::bytea"),
        )
        for name, kind in columns.items()
    ]
    query = sql.SQL("SELECT count(*), {} FROM ({}) AS rows").format(sql.SQL(", ").join(packed), rows)
    with driver_connection(connection).cursor(binary=True) as cursor:
        count, *blobs = _one(cursor.execute(query, parameters).fetchone())
    read = {name: _unpack(blob, kind=kind, rows=count) for (name, kind), blob in zip(columns.items(), blobs, strict=True)}
    if any(len(values) != count for values in read.values()):
        raise StorageError("A text in the database holds the control character 31.", done="Nothing was read.", fix="Remove it.")
    return read


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

    `rows` has the parameters `start` and `end`, besides `parameters`. Instants become `datetime64[us, UTC]`, texts `str`.
    """
    pieces = [
        read_columns(connection, rows=rows, columns=columns, parameters={**parameters, "start": first, "end": last})
        for first, last in _stretches(start, end)
    ]
    return pd.DataFrame({name: _series([piece[name] for piece in pieces], kind=kind) for name, kind in columns.items()})


def ours(table: str) -> sql.Identifier:
    """A table of schema `goldsignal`, quoted."""
    return sql.Identifier(SCHEMA, table)


def _unpack(blob: Any, *, kind: Kind, rows: int) -> Any:
    if kind is Kind.TEXT:
        return blob.split(SEPARATOR) if rows else []
    whole = np.frombuffer(blob or b"", dtype=">i8").astype(np.int64)
    if kind is Kind.INSTANT:
        return POSTGRES_EPOCH + whole.astype("timedelta64[us]")
    if kind is Kind.VOLUME:
        return np.where(whole == NO_VALUE, np.nan, whole / 100)
    return whole


def _stretches(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    first = start
    while first < end:
        last = min(end, first + _LONGEST_STRETCH)
        yield first, last
        first = last


def _series(pieces: Sequence[Any], *, kind: Kind) -> pd.Series:
    if kind is Kind.TEXT:
        return pd.Series(list(chain.from_iterable(pieces)), dtype="str")
    if kind is Kind.INSTANT:
        joined = np.concatenate([np.empty(0, dtype="datetime64[us]"), *pieces])
        return pd.Series(pd.DatetimeIndex(joined).tz_localize("UTC"))
    return pd.Series(np.concatenate([np.empty(0, dtype=np.float64 if kind is Kind.VOLUME else np.int64), *pieces]))


def _names(columns: Sequence[str], *, alias: str = "") -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns)


def _one(row: Any) -> Any:
    if row is None:
        raise StorageError("The database answered without a row.", done="Nothing was stored.", fix="Run it again.")
    return row
