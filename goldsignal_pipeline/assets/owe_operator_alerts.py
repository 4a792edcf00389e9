"""Messages that are owed for events of the operator: errors, changes of health, the breaker.

They tell that runs fail, so they must not need one: the sender derives them too, and this module imports little. The same
error counts once in six hours, for a feed that is down fails every cycle. An economic calendar that fails is told every hour.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from goldsignal_pipeline.alerts.messages import message_id
from goldsignal_pipeline.alerts.operating import event_message
from goldsignal_pipeline.storage import alerts
from goldsignal_pipeline.storage.alerts import SEPARATOR, Owed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.alerts.texts import Reader

Row = Mapping[str, Any]

REACH: Final = timedelta(days=7)
ERROR_USEFUL: Final = timedelta(days=1)
HEALTH_USEFUL: Final = timedelta(days=7)
_SAME_ERROR: Final = timedelta(hours=6)
_KINDS: Final = {"health_changed": "health", "breaker_tripped": "breaker", "news_calendar_failed": "operator"}
"""Events that are told each time, and the kind of their messages."""
_EVENTS: Final = text(r"""
    SELECT at, kind, severity, message, cause, natural_key FROM operator_events
    WHERE at >= :since AND kind NOT LIKE 'alert\_%' AND (
        severity = 'error' OR kind IN ('health_changed', 'breaker_tripped', 'news_calendar_failed')
        OR natural_key LIKE 'check_failed:candles:feed_is_fresh:%')
    ORDER BY at, id
""")


def owe_operator_alerts(connection: Connection, reader: Reader, *, now: datetime, run_id: str | None = None) -> Counter[str]:
    """Owe what the operator must know of the last days; returns how many messages are new, by kind."""
    new = Counter[str]()
    events: dict[str, Row] = {}
    for row in connection.execute(_EVENTS, {"since": now - REACH}).mappings():
        events.setdefault(_key(dict(row)), dict(row))
    known = alerts.known_keys(connection, list(events))
    for key, event in events.items():
        if key in known:
            continue
        kind = _KINDS.get(event["kind"], "operator")
        useful = ERROR_USEFUL if kind == "operator" else HEALTH_USEFUL
        message = event_message(event, message_id=message_id(key), reader=reader).to_json()
        owed = Owed(key, kind, None, None, event["at"], event["at"] + useful, message)
        new[kind] += alerts.owe(connection, owed, now=now, run_id=run_id)
    return new


def _key(event: Row) -> str:
    if event["kind"] in _KINDS:
        return f"event{SEPARATOR}{event['natural_key']}"
    same = hashlib.sha256(f"{event['kind']} {event['cause'] or event['message']}".encode()).hexdigest()[:12]
    span = int(event["at"].timestamp() // _SAME_ERROR.total_seconds())
    return SEPARATOR.join(("event", event["kind"], same, str(span)))
