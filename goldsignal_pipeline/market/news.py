"""Economic events as a calendar announces them, and what of a new announcement is news.

An event is known by its instant, currency and title; a title may come twice in a week, at two instants. A calendar speaks of
whole weeks, Sunday to Saturday in New York: what it no longer names of them was withdrawn or moved, of others it says nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum
from typing import Final
from zoneinfo import ZoneInfo

_NEW_YORK: Final = ZoneInfo("America/New_York")
_DAYS: Final = 7


class Impact(IntEnum):
    """How much an event is expected to move prices; a holiday moves none."""

    HOLIDAY = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class EconomicEvent:
    """An event at an aware UTC instant; `forecast` and `previous` are shown as they were written, empty when unknown."""

    at: datetime
    currency: str
    title: str
    impact: Impact
    forecast: str = ""
    previous: str = ""

    @property
    def key(self) -> tuple[datetime, str, str]:
        """What it is known by."""
        return self.at, self.currency, self.title

    @property
    def stops_signals(self) -> bool:
        """Whether the gate takes no setup around it."""
        return self.impact is Impact.HIGH and self.currency == "USD"


def distinct(events: Iterable[EconomicEvent]) -> list[EconomicEvent]:
    """Each event once, by time; of two announcements of one event the stronger."""
    found: dict[tuple[datetime, str, str], EconomicEvent] = {}
    for event in events:
        held = found.get(event.key)
        if held is None or held.impact < event.impact:
            found[event.key] = event
    return [found[key] for key in sorted(found)]


def weeks_of(events: Collection[EconomicEvent]) -> tuple[datetime, datetime]:
    """The whole weeks that a calendar with these events speaks of, half-open, UTC; there must be one."""
    first, last = (found(event.at for event in events) for found in (min, max))
    return _week_start(first), _week_start(last, weeks_later=1)


def _week_start(at: datetime, *, weeks_later: int = 0) -> datetime:
    local = at.astimezone(_NEW_YORK)
    sunday = local.date() - timedelta(days=(local.weekday() + 1) % _DAYS) + timedelta(weeks=weeks_later)
    return datetime.combine(sunday, time(0), _NEW_YORK).astimezone(UTC)
