"""When Dagster's daemon last gave a sign of life, and from when its silence is a fault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dagster import DagsterInstance

# Each daemon beats every 30 seconds; four beats missed is no coincidence.
SILENT_DAEMON: Final = timedelta(seconds=120)


def newest_heartbeat(instance: DagsterInstance) -> datetime | None:
    """The newest heartbeat of any of its parts; None when it never ran."""
    beats = instance.get_daemon_heartbeats()
    return datetime.fromtimestamp(max(beat.timestamp for beat in beats.values()), UTC) if beats else None
