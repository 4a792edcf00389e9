"""`strategies`: the registry as it stands, a row per strategy and timeframe; what is no longer registered stays, inactive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from goldsignal_pipeline.storage.locks import lock_name
from goldsignal_pipeline.storage.tables import Strategy

Track = tuple[str, str]
"""A strategy and a timeframe it runs on."""


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """A strategy on a timeframe; `parameters` are what JSON can hold."""

    strategy: str
    timeframe: str
    version: str
    parameters: Mapping[str, Any]
    description: str
    is_active: bool = True

    @property
    def track(self) -> Track:
        """What makes the row one."""
        return self.strategy, self.timeframe


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """What an update of the registry changed, by strategy and timeframe; `changed` also holds what is registered again."""

    added: tuple[Track, ...]
    changed: tuple[Track, ...]
    retired: tuple[Track, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.retired)


def update_registry(connection: Connection, rows: Iterable[RegistryRow], *, changed_at: datetime) -> RegistryChange:
    """Make the active rows equal to `rows`; rows that are equal already are not written."""
    lock_name(connection, "strategies")
    given = {row.track: row for row in rows}
    change = difference(connection, given.values())
    for track in (*change.added, *change.changed):
        _put(connection, given[track], changed_at=changed_at)
    for strategy, timeframe in change.retired:
        here = (Strategy.strategy == strategy) & (Strategy.timeframe == timeframe)
        connection.execute(update(Strategy).where(here).values(is_active=False, changed_at=changed_at))
    return change


def add_missing(connection: Connection, rows: Iterable[RegistryRow], *, changed_at: datetime) -> None:
    """Add those of the rows that are not there; others stay as they are."""
    content = [
        {
            "strategy": row.strategy,
            "timeframe": row.timeframe,
            "version": row.version,
            "parameters": dict(row.parameters),
            "description": row.description,
            "is_active": row.is_active,
            "changed_at": changed_at,
        }
        for row in rows
    ]
    if content:
        connection.execute(insert(Strategy).values(content).on_conflict_do_nothing(index_elements=["strategy", "timeframe"]))


def difference(connection: Connection, rows: Iterable[RegistryRow]) -> RegistryChange:
    """What `update_registry` would change."""
    held = {row.track: row for row in read(connection)}
    given = {row.track: row for row in rows}
    added = tuple(sorted(given.keys() - held.keys()))
    changed = tuple(sorted(track for track, row in given.items() if track in held and _content(row) != _content(held[track])))
    retired = tuple(sorted(track for track, row in held.items() if row.is_active and track not in given))
    return RegistryChange(added, changed, retired)


def read(connection: Connection) -> list[RegistryRow]:
    """Every row, by strategy and timeframe, those no longer registered included."""
    query = select(Strategy.__table__).order_by(Strategy.strategy, Strategy.timeframe)
    return [
        RegistryRow(row.strategy, row.timeframe, row.version, row.parameters, row.description, row.is_active)
        for row in connection.execute(query)
    ]


def _put(connection: Connection, row: RegistryRow, *, changed_at: datetime) -> None:
    content = {
        "version": row.version,
        "parameters": dict(row.parameters),
        "description": row.description,
        "is_active": row.is_active,
        "changed_at": changed_at,
    }
    statement = insert(Strategy).values(strategy=row.strategy, timeframe=row.timeframe, **content)
    connection.execute(statement.on_conflict_do_update(index_elements=["strategy", "timeframe"], set_=content))


def _content(row: RegistryRow) -> tuple[object, ...]:
    # As JSON, because the database gives lists back where tuples were given; the order of keys means nothing.
    return row.version, json.dumps(dict(row.parameters), sort_keys=True), row.description, row.is_active
