"""`gate_states`: all that deciding remembers at the end of a month, as the text it was written as."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

_PUT = text(
    "INSERT INTO goldsignal.gate_states AS held (symbol, month, state, digest, run_id)"
    " VALUES (:symbol, :month, CAST(:state AS json), :digest, :run_id)"
    " ON CONFLICT (symbol, month) DO UPDATE SET state = EXCLUDED.state, digest = EXCLUDED.digest, run_id = EXCLUDED.run_id"
    " WHERE held.digest <> EXCLUDED.digest OR held.state::text <> EXCLUDED.state::text RETURNING month"
)
_GET = text("SELECT state::text AS state, digest FROM goldsignal.gate_states WHERE symbol = :symbol AND month = :month")


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state and its digest."""

    state: str
    digest: str


def read(connection: Connection, *, symbol: str, month: str) -> StoredState | None:
    """The state at the end of a month ("YYYY-MM"), byte for byte as it was written; None where there is none."""
    row = connection.execute(_GET, {"symbol": symbol, "month": month}).one_or_none()
    return None if row is None else StoredState(row.state, row.digest)


def upsert(connection: Connection, *, symbol: str, month: str, state: str, digest: str, run_id: str | None) -> bool:
    """Store the state at the end of a month; returns False, and leaves the row as it is, when it holds that already."""
    parameters = {"symbol": symbol, "month": month, "state": state, "digest": digest, "run_id": run_id}
    return connection.execute(_PUT, parameters).first() is not None
