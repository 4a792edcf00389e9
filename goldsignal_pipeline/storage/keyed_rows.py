"""Keyed rows: the rows of a scope are made equal to a frame, and read back as one; the same for every table of the graph.

1. `replace` locks the months of the scope, reads what is held there and compares by key, value by value as the database would.
2. What is gone is deleted and what differs updated, through a staged table; what is new is sent by COPY. Equal rows are not
   touched, so a second run changes nothing (I19), not even who wrote them.
3. `append` only adds rows whose key is not held; what was published stays as it was.
4. `read` gives a scope as a frame, in the order of its shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from psycopg import sql
from sqlalchemy import Connection

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.frames import ordered
from goldsignal_pipeline.storage import bulk, kinds
from goldsignal_pipeline.storage.binary_encoding import Field
from goldsignal_pipeline.storage.database import driver_connection
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.locks import lock_months, months_in

Positions = npt.NDArray[np.intp]
Value = str | int | bool


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What making rows equal to a frame did to them."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int

    def __add__(self, other: MergeResult) -> MergeResult:
        return MergeResult(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class TableShape:
    """How frames stand for rows of a table.

    `columns` are all that frames hold, those of `key` among them; `order` is that of rows that are read. Columns in
    `uncompared` are written with new and changed rows and make no difference. `replaceable` narrows what `replace` may change:
    rows with other values are neither read nor touched by it.
    """

    table: str
    key: tuple[str, ...]
    columns: Mapping[str, Kind]
    order: tuple[str, ...]
    uncompared: tuple[str, ...] = ("run_id",)
    replaceable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows whose columns have the values of `where` (one, or any of a tuple), and whose `time` lies in [start, end)."""

    where: Mapping[str, Value | tuple[Value, ...]]
    time: str
    start: datetime
    end: datetime

    def fixed(self) -> dict[str, Value]:
        """The columns that have one and the same value in every row."""
        return {name: value for name, value in self.where.items() if not isinstance(value, tuple)}


def replace(connection: Connection, shape: TableShape, scope: Scope, frame: pd.DataFrame) -> MergeResult:
    """Make the rows of a scope equal to `frame`; rows that are equal already are not written.

    Columns that the scope fixes may be left out of the frame. The months are locked until the transaction ends, so that what is
    read here stays true until the differences are written. Raises `DataError` for a row outside the scope or a key that occurs
    twice.
    """
    lock_months(connection, table=shape.table, months=months_in(scope.start, scope.end))
    scope = _narrowed(scope, shape)
    given = _given(frame, shape=shape, scope=scope)
    compared = [name for name in shape.columns if name not in shape.uncompared and name not in scope.fixed()]
    held = _held(connection, shape=shape, scope=scope, columns=compared)
    if not len(given) and not len(held):
        return MergeResult(0, 0, 0, 0)
    pairs = _pair(given, held, shape=shape, scope=scope)
    values = [name for name in compared if name not in shape.key]
    differs = _differs(given, held, pairs=pairs, kinds_of={name: shape.columns[name] for name in values})
    if len(pairs.gone):
        _delete(connection, shape=shape, scope=scope, rows=held.iloc[pairs.gone])
    if differs.any():
        _update(connection, shape=shape, rows=given.iloc[pairs.ours[differs]])
    _insert(connection, shape=shape, rows=given.iloc[pairs.new])
    changed = int(differs.sum())
    return MergeResult(len(pairs.new), changed, len(pairs.gone), len(pairs.ours) - changed)


def append(connection: Connection, shape: TableShape, scope: Scope, frame: pd.DataFrame) -> MergeResult:
    """Add those rows of `frame` to a scope whose key it does not hold; whatever is held stays as it is."""
    lock_months(connection, table=shape.table, months=months_in(scope.start, scope.end))
    given = _given(frame, shape=shape, scope=scope)
    if not len(given):
        return MergeResult(0, 0, 0, 0)
    held = _held(connection, shape=shape, scope=scope, columns=[name for name in shape.key if name not in scope.fixed()])
    new = _pair(given, held, shape=shape, scope=scope).new
    _insert(connection, shape=shape, rows=given.iloc[new])
    return MergeResult(len(new), 0, 0, len(given) - len(new))


def read(connection: Connection, shape: TableShape, scope: Scope, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows of a scope, by `shape.order`; by default every column that `replace` compares and the scope does not fix."""
    left_out = {*shape.uncompared, *scope.fixed()}
    chosen = [name for name in shape.columns if name not in left_out] if columns is None else list(columns)
    order = [name for name in shape.order if name not in scope.fixed()]
    frame = _held(connection, shape=shape, scope=scope, columns=list(dict.fromkeys([*chosen, *order])))
    rows = ordered(frame, order)
    return rows if list(rows.columns) == chosen else rows[chosen]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Positions of rows: in both (`ours` given, `theirs` held), given only, held only."""

    ours: Positions
    theirs: Positions
    new: Positions
    gone: Positions


def _narrowed(scope: Scope, shape: TableShape) -> Scope:
    return Scope({**scope.where, **shape.replaceable}, scope.time, scope.start, scope.end) if shape.replaceable else scope


def _given(frame: pd.DataFrame, *, shape: TableShape, scope: Scope) -> pd.DataFrame:
    """The frame with every column of the shape; raises `DataError` for rows that do not belong in the scope."""
    absent = {name: value for name, value in scope.fixed().items() if name not in frame}
    given = frame.assign(**absent)[list(shape.columns)]
    if not len(given):
        return given
    for name, allowed in scope.where.items():
        values = allowed if isinstance(allowed, tuple) else (allowed,)
        fault = f"has another {name} than {', '.join(map(str, values))}"
        _refuse(given, ~given[name].isin(values).to_numpy(), shape=shape, fault=fault)
    at = _moments(given[scope.time], kind=shape.columns[scope.time])
    outside = (at < kinds.instant(scope.start)) | (at >= kinds.instant(scope.end)) | np.isnat(at)
    _refuse(given, outside, shape=shape, fault=f"lies outside the range by its {scope.time}")
    return given


def _moments(values: pd.Series, *, kind: Kind) -> npt.NDArray[np.datetime64]:
    return kinds.days(values).astype("datetime64[us]") if kind is Kind.DAY else instants_of(values)


def _refuse(rows: pd.DataFrame, misfits: npt.NDArray[np.bool_], *, shape: TableShape, fault: str) -> None:
    if misfits.any():
        key = ", ".join(str(value) for value in rows.loc[misfits, list(shape.key)].iloc[0])
        raise DataError(
            f"A row for {shape.table} ({key}) {fault}.",
            done="Nothing was stored.",
            fix="Report it: the computation must never hand over such a row.",
        )


def _held(connection: Connection, *, shape: TableShape, scope: Scope, columns: Sequence[str]) -> pd.DataFrame:
    conditions, parameters = _conditions(scope)
    rows = sql.SQL("SELECT {} FROM {} WHERE {}").format(bulk.names(columns), bulk.ours(shape.table), conditions)
    kinds_of = {name: shape.columns[name] for name in columns}
    return bulk.read_frame(connection, rows=rows, columns=kinds_of, parameters=parameters, start=scope.start, end=scope.end)


def _conditions(scope: Scope) -> tuple[sql.Composable, dict[str, Any]]:
    """The scope as conditions whose parameters are `start`, `end` and one for each column of `where`."""
    window = sql.SQL("{0} >= %(start)s AND {0} < %(end)s").format(sql.Identifier(scope.time))
    equal = [
        sql.SQL("{} = ANY ({})" if isinstance(value, tuple) else "{} = {}").format(
            sql.Identifier(name), sql.Placeholder(f"where_{name}")
        )
        for name, value in scope.where.items()
    ]
    parameters = {f"where_{name}": list(value) if isinstance(value, tuple) else value for name, value in scope.where.items()}
    return sql.SQL(" AND ").join([*equal, window]), parameters


def _pair(given: pd.DataFrame, held: pd.DataFrame, *, shape: TableShape, scope: Scope) -> _Pairs:
    """Which given and held rows have the same key; raises `DataError` for a key that is given twice."""
    ours, theirs = _codes(given, held, shape=shape, scope=scope)
    _, firsts = np.unique(ours, return_index=True)
    repeated = ~np.isin(np.arange(len(ours)), firsts)
    _refuse(given, repeated, shape=shape, fault="occurs twice")
    if np.array_equal(ours, theirs):
        nothing = np.zeros(0, dtype=np.intp)
        return _Pairs(np.arange(len(ours)), np.arange(len(theirs)), nothing, nothing)
    _, in_ours, in_theirs = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    return _Pairs(in_ours, in_theirs, np.flatnonzero(~np.isin(ours, theirs)), np.flatnonzero(~np.isin(theirs, ours)))


def _codes(
    given: pd.DataFrame, held: pd.DataFrame, *, shape: TableShape, scope: Scope
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """A number for each given and each held row, equal exactly where their keys are."""
    codes = np.zeros(len(given) + len(held), dtype=np.int64)
    for name in shape.key:
        if name not in scope.fixed():
            values = [kinds.comparable(side[name], kind=shape.columns[name]) for side in (given, held)]
            own, distinct = pd.factorize(np.concatenate(values))
            # Counted anew, so that the product of two numbers of distinct values is the most that has to fit.
            codes = pd.factorize(codes * len(distinct) + own)[0].astype(np.int64)
    return codes[: len(given)], codes[len(given) :]


def _differs(given: pd.DataFrame, held: pd.DataFrame, *, pairs: _Pairs, kinds_of: Mapping[str, Kind]) -> npt.NDArray[np.bool_]:
    """Which of the rows in both differ in any value."""
    differs = np.zeros(len(pairs.ours), dtype=bool)
    for name, kind in kinds_of.items() if len(differs) else ():
        ours, theirs = (kinds.comparable(side[name], kind=kind) for side in (given, held))
        differs |= np.asarray(ours[pairs.ours] != theirs[pairs.theirs], dtype=bool)
    return differs


def _fields(rows: pd.DataFrame, *, shape: TableShape) -> dict[str, Field]:
    return {name: kinds.column_field(rows[name], kind=shape.columns[name]) for name in rows.columns}


def _insert(connection: Connection, *, shape: TableShape, rows: pd.DataFrame) -> None:
    if len(rows):
        bulk.copy_into(connection, table=bulk.ours(shape.table), fields=_fields(rows, shape=shape), rows=len(rows))


def _update(connection: Connection, *, shape: TableShape, rows: pd.DataFrame) -> None:
    values = [name for name in shape.columns if name not in shape.key]
    with bulk.staged(connection, table=shape.table, fields=_fields(rows, shape=shape), rows=len(rows)) as stage:
        assignments = sql.SQL(", ").join(sql.SQL("{0} = given.{0}").format(sql.Identifier(name)) for name in values)
        statement = sql.SQL("UPDATE {} AS held SET {} FROM {} AS given WHERE {}").format(
            bulk.ours(shape.table), assignments, stage, _same_key(shape)
        )
        driver_connection(connection).execute(statement)


def _delete(connection: Connection, *, shape: TableShape, scope: Scope, rows: pd.DataFrame) -> None:
    keys = rows.assign(**scope.fixed())[list(shape.key)]
    with bulk.staged(connection, table=shape.table, fields=_fields(keys, shape=shape), rows=len(keys)) as stage:
        statement = sql.SQL("DELETE FROM {} AS held USING {} AS given WHERE {}").format(
            bulk.ours(shape.table), stage, _same_key(shape)
        )
        driver_connection(connection).execute(statement)


def _same_key(shape: TableShape) -> sql.Composable:
    return sql.SQL(" AND ").join(sql.SQL("held.{0} = given.{0}").format(sql.Identifier(name)) for name in shape.key)
