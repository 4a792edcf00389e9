"""The circuit breaker, told to the operator once each time it lets no signal through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.storage import operator_events

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.selection.gate_state import Breaker

KIND: Final = "breaker_tripped"


def tell_breaker(connection: Connection, breaker: Breaker, *, symbol: str, live_since: datetime | None, writing: Writing) -> None:
    """An operator event when the breaker of a live symbol holds now; the same holding is told once."""
    until = breaker.holds_until
    if until is None or live_since is None or not live_since <= writing.now < until:
        return
    operator_events.append(
        connection,
        at=writing.now,
        kind=KIND,
        severity="warning",
        message=f"The circuit breaker of {symbol} holds: no signals until {until:%Y-%m-%d %H:%M} UTC, then losses count anew.",
        cause=None,
        run_id=writing.run_id,
        natural_key=f"breaker:{symbol}:{until.isoformat()}",
    )
