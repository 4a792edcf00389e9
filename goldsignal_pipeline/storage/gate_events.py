"""`gate_events`: what the gate is told besides candles, append-only, each event once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from goldsignal_pipeline.storage.tables.words import GATE_EVENT_KINDS

_APPEND = text(
    "INSERT INTO goldsignal.gate_events (natural_key, at, recorded_at, kind, symbol, strategy, detail)"
    " VALUES (:natural_key, :at, :recorded_at, :kind, :symbol, :strategy, CAST(:detail AS json))"
    " ON CONFLICT (natural_key) DO NOTHING RETURNING id"
)
_IN_FORCE = text(
    "SELECT id, natural_key, at, recorded_at, kind, symbol, strategy, detail::text AS detail FROM goldsignal.gate_events"
    " WHERE (symbol = :symbol OR symbol IS NULL) AND at <= :until AND recorded_at <= CAST(:recorded_until AS timestamptz)"
    " AND kind = ANY (:kinds) ORDER BY at, id"
)


@dataclass(frozen=True, slots=True)
class GateEvent:
    """One event: it holds from `at` on and was recorded at `recorded_at`; None means every symbol, or every strategy.

    `kind` is one of `GATE_EVENT_KINDS`; `detail` is JSON, byte for byte as it was written.
    """

    id: int
    natural_key: str
    at: datetime
    recorded_at: datetime
    kind: str
    symbol: str | None
    strategy: str | None
    detail: str


def append(
    connection: Connection,
    *,
    natural_key: str,
    at: datetime,
    recorded_at: datetime,
    kind: str,
    symbol: str | None,
    strategy: str | None,
    detail: str,
) -> bool:
    """Store an event; returns False, and leaves the first word standing, when one of this natural key is there."""
    parameters: dict[str, Any] = {
        "natural_key": natural_key,
        "at": at,
        "recorded_at": recorded_at,
        "kind": kind,
        "symbol": symbol,
        "strategy": strategy,
        "detail": detail,
    }
    return connection.execute(_APPEND, parameters).first() is not None


def in_force(
    connection: Connection,
    *,
    symbol: str,
    until: datetime,
    recorded_until: datetime | None = None,
    kinds: Sequence[str] = GATE_EVENT_KINDS,
) -> list[GateEvent]:
    """The events for `symbol` that hold from `until` or before, ordered by (at, id).

    `recorded_until` leaves out what was recorded later: what was known then.
    """
    parameters = {
        "symbol": symbol,
        "until": until,
        "recorded_until": "infinity" if recorded_until is None else recorded_until.isoformat(),
        "kinds": list(kinds),
    }
    return [GateEvent(**row) for row in connection.execute(_IN_FORCE, parameters).mappings()]
