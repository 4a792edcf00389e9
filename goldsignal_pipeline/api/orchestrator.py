"""What Dagster's own storage tells: when the daemon last lived, and when each asset was last materialized."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from goldsignal_pipeline.automation.heartbeat import newest_heartbeat

if TYPE_CHECKING:
    from dagster import DagsterInstance


class Orchestrator(Protocol):
    """Answers for `/health` and `/metrics`; may take its time and raise what it likes."""

    def heartbeat(self) -> datetime | None:
        """When the daemon last lived; None when it never has."""

    def successes(self) -> dict[str, datetime]:
        """When each asset was last materialized."""


class DagsterRecord:
    """Dagster's instance of this process, opened with the first question."""

    def __init__(self, instance: DagsterInstance | None = None) -> None:
        self._instance = instance

    def heartbeat(self) -> datetime | None:
        """When the daemon last lived; None when it never has, or where there is no Dagster."""
        instance = self._opened()
        return None if instance is None else newest_heartbeat(instance)

    def successes(self) -> dict[str, datetime]:
        """When each asset was last materialized."""
        instance = self._opened()
        records = [] if instance is None else instance.get_asset_records()
        return {
            record.asset_entry.asset_key.to_user_string(): datetime.fromtimestamp(found.timestamp, UTC)
            for record in records
            if (found := record.asset_entry.last_materialization) is not None
        }

    def _opened(self) -> DagsterInstance | None:
        if self._instance is None and "DAGSTER_HOME" in os.environ:
            # Imported here: Dagster is most of what a process weighs.
            from dagster import DagsterInstance

            self._instance = DagsterInstance.get()
        return self._instance
