"""`operator_events`: what a person should know, append-only, each occurrence once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from goldsignal_pipeline.storage.tables import OperatorEvent


@dataclass(frozen=True, slots=True)
class Event:
    """One occurrence."""

    at: datetime
    kind: str
    severity: str
    message: str
    cause: str | None
    run_id: str | None
    natural_key: str


def append(
    connection: Connection,
    *,
    at: datetime,
    kind: str,
    severity: str,
    message: str,
    cause: str | None,
    run_id: str | None,
    natural_key: str,
) -> bool:
    """Store an event (`severity` info, warning or error); returns False when this occurrence is known already."""
    statement = (
        insert(OperatorEvent)
        .values(at=at, kind=kind, severity=severity, message=message, cause=cause, run_id=run_id, natural_key=natural_key)
        .on_conflict_do_nothing(index_elements=["natural_key"])
        .returning(OperatorEvent.id)
    )
    return connection.execute(statement).first() is not None


def read(connection: Connection, *, since: datetime, limit: int = 100) -> list[Event]:
    """The latest events from `since` on, newest first."""
    query = (
        select(OperatorEvent.__table__)
        .where(OperatorEvent.at >= since)
        .order_by(OperatorEvent.at.desc(), OperatorEvent.id.desc())
        .limit(limit)
    )
    return [
        Event(
            at=row.at,
            kind=row.kind,
            severity=row.severity,
            message=row.message,
            cause=row.cause,
            run_id=row.run_id,
            natural_key=row.natural_key,
        )
        for row in connection.execute(query)
    ]
