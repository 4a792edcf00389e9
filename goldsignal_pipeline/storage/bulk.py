"""Many rows at once: into tables by binary COPY, merged by key; out of tables as integer arrays.

*In.* `copy_into` sends arrays as binary COPY; `staged` does so into a temporary table, from which rows are merged by key.

*Out.* `read_columns` lets the server pack each column into one value (eight bytes a row, texts joined by a separator), so
that a million rows arrive as a handful of buffers and no Python loop ever sees a row. Prices arrive as whole ticks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
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
class PackedTexts:
    """A column of texts as it arrived: one text, `SEPARATOR` between its values; NULL and "" are the same."""

    joined: str
    rows: int

    def __len__(self) -> int:
        return self.joined.count(SEPARATOR) + 1 if self.rows else 0

    def values(self) -> list[str]:
        """The texts, one per row."""
        return self.joined.split(SEPARATOR) if self.rows else []

    def series(self) -> pd.Series:
        """The texts as a column of dtype `str`; fast when all are equal, as a source or a timeframe mostly is."""
        first = self.joined.partition(SEPARATOR)[0]
        if self.rows and self.joined == SEPARATOR.join([first] * self.rows):
            one = pd.Series([first], dtype="str")
            return one.repeat(self.rows).reset_index(drop=True)
        return pd.Series(self.values(), dtype="str")


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
    codes, texts = coded(values)
    empty = [position for position, text in enumerate(texts) if not text]
    return TextField(np.where(np.isin(codes, empty), -1, codes) if empty else codes, texts)


def coded(values: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """A column of texts as the distinct ones and, for each row, the position of its own (-1 for a missing one)."""
    codes, distinct = pd.factorize(values)
    return codes.astype(np.int64), [str(text) for text in distinct]


def joined(values: pd.Series) -> str:
    """A column of texts in the form in which `PackedTexts` arrives."""
    codes, texts = coded(values)
    if len(texts) == 1 and not (codes < 0).any():
        return SEPARATOR.join(texts * len(codes))
    texts.append("")
    return SEPARATOR.join([texts[code] for code in codes.tolist()])


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

    Instants are `datetime64[us]` in UTC, ticks and integers int64, volumes float64 with NaN for NULL, texts
    `PackedTexts`.
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


def names(columns: Sequence[str], *, alias: str = "") -> sql.Composable:
    """Column names, quoted and separated by commas, each behind `alias` when given."""
    return sql.SQL(", ").join(sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns)


def _unpack(blob: Any, *, kind: Kind, rows: int) -> Any:
    if kind is Kind.TEXT:
        return PackedTexts(blob or "", rows)
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
        texts: pd.Series = pd.concat([pd.Series([], dtype="str"), *(piece.series() for piece in pieces)], ignore_index=True)
        return texts
    if kind is Kind.INSTANT:
        joined = np.concatenate([np.empty(0, dtype="datetime64[us]"), *pieces])
        return pd.Series(pd.DatetimeIndex(joined).tz_localize("UTC"))
    return pd.Series(np.concatenate([np.empty(0, dtype=np.float64 if kind is Kind.VOLUME else np.int64), *pieces]))


def _one(row: Any) -> Any:
    if row is None:
        raise StorageError("The database answered without a row.", done="Nothing was stored.", fix="Run it again.")
    return row
