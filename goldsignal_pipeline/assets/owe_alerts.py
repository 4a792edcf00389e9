"""Messages that are owed for what happened live, derived from events in one transaction; each is owed once.

Whoever runs it, and however often, the same messages are owed: a crash between a cause and its message loses nothing, because the
next run finds the cause again. A backfill owes none: only events of origin live, and what the operator is told, are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.alerts.messages import message_id
from goldsignal_pipeline.alerts.operating import blocked_message, digest_message
from goldsignal_pipeline.alerts.texts import Reader, signal_message, step_message
from goldsignal_pipeline.assets import alert_facts
from goldsignal_pipeline.assets.alert_facts import Row
from goldsignal_pipeline.assets.owe_operator_alerts import owe_operator_alerts
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.signal_ids import signal_id
from goldsignal_pipeline.storage import alerts
from goldsignal_pipeline.storage.alerts import SEPARATOR, Owed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

STEP_USEFUL: Final = timedelta(days=3)
SIGNAL_USEFUL: Final = timedelta(hours=1)
"""At least; otherwise until the trade would expire."""
BLOCKED_USEFUL: Final = timedelta(days=1)
DIGEST_USEFUL: Final = timedelta(hours=20)


def owe_alerts(database: Database, settings: Settings, writing: Writing) -> Counter[str]:
    """Owe what happened live in the months and what the last days brought; returns how many messages are new, by kind."""
    reader = Reader(settings.display_zone, settings.own_account)
    new = Counter[str]()
    with database.transaction() as connection:
        found = [*_step_alerts(connection, writing, reader), *_day_alerts(connection, settings, now=writing.now)]
        for owed in found:
            new[owed.kind] += alerts.owe(connection, owed, now=writing.now, run_id=writing.run_id)
        new.update(owe_operator_alerts(connection, reader, now=writing.now, run_id=writing.run_id))
    return +new


def _step_alerts(connection: Connection, writing: Writing, reader: Reader) -> Iterator[Owed]:
    for row in alert_facts.steps(connection, start=writing.start, end=writing.end):
        key, kind, known = row["natural_key"], row["event_kind"], row["event_known_at"]
        own_id, message = _signal_id(row), message_id(key)
        if kind == "published":
            record = alert_facts.tested_record(connection, row)
            told = signal_message(row, record=record, signal_id=own_id, message_id=message, reader=reader)
            useful = max(row["deadline"], known + SIGNAL_USEFUL)
        else:
            event = {"kind": kind, "at": row["event_at"], "known_at": known, "detail": row["detail"]}
            outcome = row if kind in ("closed", "corrected") else None
            told = step_message(
                event, row, outcome=outcome, before=row["before"], signal_id=own_id, message_id=message, reader=reader
            )
            useful = known + STEP_USEFUL
        thread = None if kind == "published" else row["published_key"]
        yield Owed(key, kind, row["symbol"], thread, known, useful, told.to_json())


def _day_alerts(connection: Connection, settings: Settings, *, now: datetime) -> Iterator[Owed]:
    """What the running trading day and the one before it owe, once the symbol of the feed is live."""
    symbol = settings.symbol
    since = alert_facts.live_since(connection, symbol=symbol)
    if since is None:
        return
    blocked = alert_facts.blocked_day(connection, symbol=symbol, now=now)
    if blocked is not None:
        key = SEPARATOR.join(("blocked", symbol, blocked["trading_day"].isoformat()))
        message = blocked_message(blocked, symbol=symbol, message_id=message_id(key)).to_json()
        yield Owed(key, "data_blocked", symbol, None, now, now + BLOCKED_USEFUL, message)
    over = alert_facts.last_day(load_calendar(), now=now - settings.grace)
    if over is None or over[2] <= since or over[2] + DIGEST_USEFUL <= now:
        return
    key = SEPARATOR.join(("digest", symbol, over[0].isoformat()))
    if not alerts.known_keys(connection, [key]):
        day = alert_facts.day_over(connection, symbol=symbol, day=over[0], start=over[1], end=over[2])
        message = digest_message(day, message_id=message_id(key)).to_json()
        yield Owed(key, "digest", symbol, None, now, over[2] + DIGEST_USEFUL, message)


def _signal_id(row: Row) -> str:
    key = SetupKey(row["strategy"], row["timeframe"], Direction(row["direction"]), row["timestamp"])
    return signal_id(key, symbol=row["symbol"])
