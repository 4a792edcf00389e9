"""Keep the economic calendar, and tell the gate what is news.

1. The calendar of the settings is read, from its file or address; one that asked for quiet is left alone (`read_calendar`).
2. Its events become rows; what it names no longer of the weeks it speaks of is withdrawn (`keep`).
3. The gate is told each instant to come that stops signals, and each that no longer does, as events that hold from now on: what a
   decision knew is what had been told by the close of its bar, and parity and reproduction replay exactly that (`tell_gate`).

A calendar that cannot be had keeps what is held in force, and the operator is told, once an hour; only when none was had for a
day is that an error.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from goldsignal_pipeline.errors import ProviderError, SettingsError
from goldsignal_pipeline.market.news import weeks_of
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.providers.economic_calendar import (
    Announced,
    CalendarRefusedError,
    calendar_name,
    fetch,
    is_address,
    read_file,
)
from goldsignal_pipeline.storage import gate_events, news, operator_events

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.storage.news import NewsSource

logger = logging.getLogger(__name__)

LONGEST_WITHOUT: Final = timedelta(days=1)
_END: Final = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """What reading a calendar brought: rows new or changed, withdrawn, unreadable, gate events; or why it brought nothing."""

    source: str
    events: int = 0
    changed: int = 0
    withdrawn: int = 0
    unreadable: int = 0
    gate_events: int = 0
    nothing_because: str = ""

    def metadata(self) -> dict[str, Any]:
        """The same by name."""
        return asdict(self)


def keep_news(database: Database, calendar: str | None, *, now: datetime) -> Kept:
    """Bring `news_events` and the gate up to date with a calendar."""
    if calendar is None:
        raise SettingsError(
            "No economic calendar is configured.",
            done="Nothing was read; no signal is kept back around news.",
            fix="Set GOLDSIGNAL_NEWS_CALENDAR to an address or a file, see docs/how-to/news.md.",
        )
    name = calendar_name(calendar)
    with database.transaction(read_only=True) as connection:
        known = news.source(connection, name)
    if known.quiet_until is not None and now < known.quiet_until:
        return Kept(name, nothing_because=f"it asks for quiet until {known.quiet_until:%Y-%m-%d %H:%M} UTC")
    try:
        announced = _read_calendar(calendar, known)
    except ProviderError as error:
        return _without(database, known, error, now=now)
    with database.transaction() as connection:
        if announced is None:
            news.answered(connection, name, etag=known.etag, last_modified=known.last_modified, now=now)
            return Kept(name, nothing_because="it is unchanged")
        news.answered(connection, name, etag=announced.etag, last_modified=announced.last_modified, now=now)
        return _keep(connection, announced, source=name, now=now)


def _read_calendar(calendar: str, known: NewsSource) -> Announced | None:
    if is_address(calendar):
        return fetch(calendar, etag=known.etag, last_modified=known.last_modified)
    return read_file(Path(calendar).expanduser())


def _without(database: Database, known: NewsSource, error: ProviderError, *, now: datetime) -> Kept:
    """Leave a calendar alone that cannot be had, and tell the operator; raise the error once none was had for a day."""
    with database.transaction() as connection:
        if isinstance(error, CalendarRefusedError):
            news.ask_for_quiet(connection, known.source, until=now + error.pause)
        _tell_operator(connection, known, error, now=now)
    # Faults of the network pass; everything else needs a person, who is told at once.
    passes = error.retryable or isinstance(error, CalendarRefusedError)
    if not passes or known.answered_at is None or now - known.answered_at > LONGEST_WITHOUT:
        raise error
    logger.warning("%s The one of %s stays in force.", error.what, f"{known.answered_at:%Y-%m-%d %H:%M} UTC")
    return Kept(known.source, nothing_because=error.what)


def _tell_operator(connection: Connection, known: NewsSource, error: ProviderError, *, now: datetime) -> None:
    """One event an hour, however often it is asked; a calendar that answers again is not worth a message."""
    if known.answered_at is None:
        held = "None was ever had from there: what it would announce keeps no signal back."
    else:
        held = f"The one of {known.answered_at:%Y-%m-%d %H:%M} UTC stays in force."
    operator_events.append(
        connection,
        at=now,
        kind="news_calendar_failed",
        severity="warning",
        message=f"The economic calendar {known.source} cannot be had. {held}",
        cause=str(error),
        run_id=None,
        natural_key=f"news_calendar_failed:{known.source}:{now:%Y-%m-%dT%H}",
    )


def _keep(connection: Connection, announced: Announced, *, source: str, now: datetime) -> Kept:
    news.hold(connection)
    span = weeks_of(announced.events)
    changed, withdrawn = news.announce(connection, announced.events, span=span, source=source, now=now)
    told = _tell_gate(connection, now=now)
    return Kept(source, len(announced.events), changed, withdrawn, announced.unreadable, told)


def _tell_gate(connection: Connection, *, now: datetime) -> int:
    """Tell the gate what it does not know yet of the instants to come; returns how many events that took."""
    wanted = news.stopping(connection, now=now)
    held: dict[datetime, bool] = {}
    # News holds for every symbol.
    for event in gate_events.in_force(connection, symbol=REAL_SYMBOL, until=_END, kinds=("news",)):
        detail = json.loads(event.detail)
        held[datetime.fromisoformat(detail["event_at"])] = not detail.get("withdrawn", False)
    new = [at for at in wanted if not held.get(at, False)]
    gone = [at for at, stands in held.items() if stands and at > now and at not in wanted]
    for at in new:
        _append(connection, {"event_at": at.isoformat(), "titles": wanted[at]}, now=now)
    for at in gone:
        _append(connection, {"event_at": at.isoformat(), "withdrawn": True}, now=now)
    return len(new) + len(gone)


def _append(connection: Connection, detail: dict[str, Any], *, now: datetime) -> None:
    gate_events.append(
        connection,
        natural_key=f"news:{detail['event_at']}:{now.isoformat()}",
        at=now,
        recorded_at=now,
        kind="news",
        symbol=None,
        strategy=None,
        detail=json.dumps(detail, separators=(",", ":")),
    )
