"""`news_events` and `news_sources`: the economic calendar as it stands, and where and when it was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from goldsignal_pipeline.market.news import EconomicEvent
from goldsignal_pipeline.storage.locks import lock_name

_TOLD: Final = text("""
    INSERT INTO goldsignal.news_events AS held
        (at, currency, title, impact, forecast, previous, source, first_seen_at, changed_at)
    SELECT given.at, given.currency, given.title, given.impact, nullif(given.forecast, ''), nullif(given.previous, ''),
           :source, :now, :now
    FROM jsonb_to_recordset(CAST(:events AS jsonb)) AS given
        (at timestamptz, currency text, title text, impact text, forecast text, previous text)
    ON CONFLICT (at, currency, title) DO UPDATE SET
        impact = excluded.impact, forecast = excluded.forecast, previous = excluded.previous, source = excluded.source,
        changed_at = excluded.changed_at, withdrawn_at = NULL
    WHERE (held.impact, held.forecast, held.previous) IS DISTINCT FROM (excluded.impact, excluded.forecast, excluded.previous)
        OR held.withdrawn_at IS NOT NULL
    RETURNING 1
""")
# What is over happened, whether a calendar still names it or not.
_WITHDRAWN: Final = text("""
    UPDATE goldsignal.news_events AS held SET withdrawn_at = :now, changed_at = :now
    WHERE held.at >= :start AND held.at < :end AND held.at > :now AND held.withdrawn_at IS NULL AND NOT EXISTS (
        SELECT FROM jsonb_to_recordset(CAST(:events AS jsonb)) AS given (at timestamptz, currency text, title text)
        WHERE (given.at, given.currency, given.title) = (held.at, held.currency, held.title))
    RETURNING 1
""")
_STOPPING: Final = text("""
    SELECT at, array_agg(title ORDER BY title) AS titles FROM goldsignal.news_events
    WHERE currency = 'USD' AND impact = 'high' AND withdrawn_at IS NULL AND at > :now GROUP BY at ORDER BY at
""")
_SOURCE: Final = text("SELECT * FROM goldsignal.news_sources WHERE source = :source")
_ANSWERED: Final = text("""
    INSERT INTO goldsignal.news_sources AS held (source, etag, last_modified, answered_at)
    VALUES (:source, :etag, :last_modified, :now)
    ON CONFLICT (source) DO UPDATE SET etag = excluded.etag, last_modified = excluded.last_modified,
        answered_at = greatest(held.answered_at, excluded.answered_at), quiet_until = NULL
""")
_QUIET: Final = text("""
    INSERT INTO goldsignal.news_sources AS held (source, quiet_until) VALUES (:source, :until)
    ON CONFLICT (source) DO UPDATE SET quiet_until = greatest(held.quiet_until, excluded.quiet_until)
""")


@dataclass(frozen=True, slots=True)
class NewsSource:
    """What is known of a calendar: marks of its last answer, when that was, and until when it asks for quiet."""

    source: str
    etag: str | None = None
    last_modified: str | None = None
    answered_at: datetime | None = None
    quiet_until: datetime | None = None


def hold(connection: Connection) -> None:
    """Wait until no other transaction brings the calendar up to date, and be the one that does."""
    lock_name(connection, "news_events")


def announce(
    connection: Connection, events: Sequence[EconomicEvent], *, span: tuple[datetime, datetime], source: str, now: datetime
) -> tuple[int, int]:
    """Make what is to come within `span` equal to `events`; returns how many rows are new or changed, and withdrawn."""
    told = {"events": json.dumps([_plain(event) for event in events]), "now": now}
    changed = connection.execute(_TOLD, {**told, "source": source}).rowcount
    withdrawn = connection.execute(_WITHDRAWN, {**told, "start": span[0], "end": span[1]}).rowcount
    return changed, withdrawn


def stopping(connection: Connection, *, now: datetime) -> dict[datetime, list[str]]:
    """The instants to come around which no signal is given, with what happens then."""
    return {row.at: list(row.titles) for row in connection.execute(_STOPPING, {"now": now})}


def source(connection: Connection, name: str) -> NewsSource:
    """What is known of a calendar; nothing of one that was never asked for."""
    row: Any = connection.execute(_SOURCE, {"source": name}).mappings().one_or_none()
    return NewsSource(name) if row is None else NewsSource(**row)


def answered(connection: Connection, name: str, *, etag: str | None, last_modified: str | None, now: datetime) -> None:
    """Remember that a calendar answered, and the marks by which an unchanged one is known."""
    connection.execute(_ANSWERED, {"source": name, "etag": etag, "last_modified": last_modified, "now": now})


def ask_for_quiet(connection: Connection, name: str, *, until: datetime) -> None:
    """Remember that a calendar is not to be asked before."""
    connection.execute(_QUIET, {"source": name, "until": until})


def _plain(event: EconomicEvent) -> dict[str, str]:
    return {
        "at": event.at.isoformat(),
        "currency": event.currency,
        "title": event.title,
        "impact": event.impact.name.lower(),
        "forecast": event.forecast,
        "previous": event.previous,
    }
