"""The installed strategies, as rows of `strategies`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from goldsignal_pipeline.storage import strategies
from goldsignal_pipeline.storage.strategies import RegistryChange, RegistryRow
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.strategies.base import Strategy


@dataclass(frozen=True, slots=True)
class Registered:
    """The rows of the registry, and what changed."""

    rows: tuple[RegistryRow, ...]
    change: RegistryChange

    def sentence(self) -> str:
        """What is installed and what changed, for the run's log."""
        changes = len(self.change.added), len(self.change.changed), len(self.change.retired)
        return f"{len(self.rows)} strategies and timeframes: {changes[0]} added, {changes[1]} changed, {changes[2]} retired."

    def metadata(self) -> Mapping[str, Any]:
        """The registry as a table."""
        import dagster as dg

        records = [
            dg.TableRecord(
                {"strategy": row.strategy, "timeframe": row.timeframe, "version": row.version, "description": row.description}
            )
            for row in self.rows
        ]
        return {"strategies": len(self.rows), "registry": dg.MetadataValue.table(records)}


def register(database: Database, *, now: datetime) -> Registered:
    """Make the active rows those of the installed strategies; equal rows are not written."""
    rows = _rows(load_strategies().values())
    with database.transaction() as connection:
        change = strategies.update_registry(connection, rows, changed_at=now)
    return Registered(rows, change)


def is_registered(database: Database) -> bool:
    """Whether the active rows are those of the installed strategies."""
    with database.transaction(read_only=True) as connection:
        return not strategies.difference(connection, _rows(load_strategies().values()))


def ensure_registered(connection: Connection, installed: Iterable[Strategy], *, now: datetime) -> None:
    """Add the rows of strategies that have none yet, so that results may refer to them whichever run comes first."""
    strategies.add_missing(connection, _rows(installed), changed_at=now)


def _rows(installed: Iterable[Strategy]) -> tuple[RegistryRow, ...]:
    return tuple(
        RegistryRow(one.name, timeframe.value, one.version, one.parameters.model_dump(mode="json"), one.description)
        for one in installed
        for timeframe in one.timeframes
    )
