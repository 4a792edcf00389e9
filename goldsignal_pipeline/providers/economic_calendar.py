"""The weekly economic calendar of ForexFactory, from its address or from a saved file.

1. `read` parses the document: a JSON array of `title`, `country` (a currency), `date` (with its offset), `impact`, `forecast`,
   `previous`. Rows that cannot be read are counted and left out; without a readable one the document is refused.
2. `fetch` asks an address once, with what is known of the last answer, so that an unchanged calendar costs nobody anything. The
   service takes about two questions in five minutes; beyond it answers 429, or a page of HTML under status 200.

The feed holds the running week, Sunday to Saturday. There is none of the next week.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.news import EconomicEvent, Impact, distinct
from goldsignal_pipeline.providers.base import (
    AuthenticationError,
    MinuteLimitError,
    RequestError,
    UnexpectedAnswerError,
    VendorUnavailableError,
)
from goldsignal_pipeline.providers.transport import Answer, Timeouts, get

logger = logging.getLogger(__name__)

FIELDS: Final = ("title", "country", "date", "impact")
USUAL_PAUSE: Final = timedelta(minutes=5)
"""How long the service is left alone after a refusal that names no time."""
LONGEST_PAUSE: Final = timedelta(days=1)
_VENDOR: Final = "The economic calendar"
_NEXT_TIME: Final = "Nothing to do: it is asked again within the hour."
_SHAPE_FIX: Final = "Expected is the weekly JSON of ForexFactory; check GOLDSIGNAL_NEWS_CALENDAR."
_IMPACTS: Final = {"High": Impact.HIGH, "Medium": Impact.MEDIUM, "Low": Impact.LOW, "Holiday": Impact.HOLIDAY}


class CalendarRefusedError(MinuteLimitError):
    """The service takes no question before `pause` is over."""

    def __init__(self, what: str, *, pause: timedelta) -> None:
        super().__init__(what, done="The calendar that is held stays in force.", fix=_NEXT_TIME)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Announced:
    """A calendar as it was announced: its events, how many rows could not be read, and the marks of the answer."""

    events: Sequence[EconomicEvent]
    unreadable: int
    etag: str | None = None
    last_modified: str | None = None


def is_address(calendar: str) -> bool:
    """Whether a setting names an address and not a file."""
    return calendar.startswith(("http://", "https://"))


def calendar_name(calendar: str) -> str:
    """How a calendar is called: its file, or host and path without anything that may be a secret."""
    if not is_address(calendar):
        return Path(calendar).name
    parts = urlsplit(calendar)
    return f"{parts.hostname or ''}{parts.path}"


def read_file(path: Path) -> Announced:
    """The calendar in a file; raises `DataError` for one that cannot be read."""
    try:
        return read(path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The calendar {path.name} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}.",
            done="The calendar that is held stays in force.",
            fix=_SHAPE_FIX,
        ) from None


def fetch(address: str, *, etag: str | None, last_modified: str | None, timeouts: Timeouts | None = None) -> Announced | None:
    """Ask the address once; None when nothing changed since the answer with these marks."""
    marks = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    headers = {"Accept": "application/json", **{name: value for name, value in marks.items() if value}}
    answer = get(address, headers=headers, timeouts=timeouts or Timeouts(), vendor=_VENDOR)
    if answer.status == HTTPStatus.NOT_MODIFIED:
        return None
    _refuse_faults(answer)
    announced = read(answer.text)
    return Announced(
        announced.events, announced.unreadable, etag=answer.headers.get("etag"), last_modified=answer.headers.get("last-modified")
    )


def read(text: str) -> Announced:
    """The events of a document; raises `UnexpectedAnswerError` for anything but a calendar."""
    try:
        rows = json.loads(text)
    except ValueError:
        raise VendorUnavailableError(f"{_VENDOR} is no complete JSON.", fix=_NEXT_TIME) from None
    if not isinstance(rows, list):
        raise UnexpectedAnswerError(f"{_VENDOR} is a JSON {type(rows).__name__}, expected an array.", fix=_SHAPE_FIX)
    events = [event for row in rows if (event := _event(row)) is not None]
    if not events:
        raise UnexpectedAnswerError(
            f"{_VENDOR} holds no event that can be read, expected rows with {', '.join(FIELDS)}.", fix=_SHAPE_FIX
        )
    unreadable = len(rows) - len(events)
    if unreadable:
        logger.warning("%d of %d rows of the economic calendar could not be read.", unreadable, len(rows))
    return Announced(distinct(events), unreadable)


def _refuse_faults(answer: Answer) -> None:
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or "request denied" in answer.text[:1000].lower():
        raise CalendarRefusedError(f"{_VENDOR} was asked too often.", pause=_pause(answer.headers))
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise AuthenticationError(f"{_VENDOR} refuses access (HTTP {answer.status}).", fix="Check GOLDSIGNAL_NEWS_CALENDAR.")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise VendorUnavailableError(f"{_VENDOR} answered HTTP {answer.status}.", fix=_NEXT_TIME)
    if answer.status != HTTPStatus.OK:
        raise RequestError(
            f"{_VENDOR} answered HTTP {answer.status}.",
            fix="Check GOLDSIGNAL_NEWS_CALENDAR; ForexFactory has the running week only, and none of the next.",
        )
    if answer.text.lstrip().startswith("<"):
        raise VendorUnavailableError(f"{_VENDOR} sent a web page instead of data.", fix=_NEXT_TIME)


def _pause(headers: Mapping[str, str]) -> timedelta:
    told = headers.get("retry-after", "")
    return min(timedelta(seconds=int(told)), LONGEST_PAUSE) if told.isascii() and told.isdigit() else USUAL_PAUSE


def _event(row: Any) -> EconomicEvent | None:
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) and row[name].strip() for name in FIELDS):
        return None
    impact = _IMPACTS.get(row["impact"].strip().title())
    try:
        at = datetime.fromisoformat(row["date"].strip())
    except ValueError:
        return None
    # Without an offset nobody knows when it is.
    if impact is None or at.tzinfo is None:
        return None
    shown = [row.get(name) if isinstance(row.get(name), str) else "" for name in ("forecast", "previous")]
    try:
        instant = at.astimezone(UTC)
    except OverflowError:
        return None
    return EconomicEvent(instant, row["country"].strip(), " ".join(row["title"].split()), impact, *map(_plain, shown))


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())
