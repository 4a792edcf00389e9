"""`/news`: economic events, and which of them keep signals back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from goldsignal_pipeline.api.answers import answer
from goldsignal_pipeline.api.asking import Asking
from goldsignal_pipeline.api.parameters import MOST_ROWS, Asked, Instant
from goldsignal_pipeline.api.schemas import Exact
from goldsignal_pipeline.storage.reading import news as reading
from goldsignal_pipeline.storage.reading.queries import page

BACK: Final = timedelta(days=7)
AHEAD: Final = timedelta(days=14)

router = APIRouter(tags=["news"])

Impact = Literal["holiday", "low", "medium", "high"]


class NewsAsked(Asked):
    """Events in [start, end)."""

    start: Instant | None = Field(None, description="Begin, inclusive; a week before now, three before the end, when absent.")
    end: Instant | None = Field(None, description="End, exclusive; two weeks from now, three from the begin, when absent.")
    impact: Impact = Field("holiday", description="The least impact.")
    currency: Annotated[str, Field(pattern="^[A-Za-z]{3}$")] | None = Field(None, description="Only events of this currency.")
    limit: int = Field(500, ge=1, le=MOST_ROWS, description="At most so many, the first of the range.")
    as_of: Instant | None = Field(None, description="Only events that were known then, and not yet withdrawn.")


class NewsEvent(Exact):
    """An event of the economic calendar; around one that `stops_signals` no setup becomes a signal for 30 minutes."""

    at: datetime
    currency: str
    title: str
    impact: Impact
    forecast: str | None
    previous: str | None
    stops_signals: bool
    first_seen_at: datetime


class News(Exact):
    """Events by time; `configured` says whether a calendar is read, `complete` whether none was left off at the end."""

    configured: bool
    events: list[NewsEvent]
    complete: bool


@router.get("/news", response_model=News)
async def news(asking: Asking, asked: Annotated[NewsAsked, Query()]) -> Response:
    """Economic events in [start, end) by time, as they stand or as they were known at `as_of`."""
    start, end = _range(asked, now=asking.now)
    query = reading.events(start=start, end=end, least_impact=asked.impact, currency=asked.currency, as_of=asked.as_of)
    found = await asking.readers.rows(page(query, order=reading.NEWS_ORDER, after=None, limit=asked.limit + 1))
    return answer(
        {
            "configured": asking.settings.news_calendar is not None,
            "events": found[: asked.limit],
            "complete": len(found) <= asked.limit,
        }
    )


def _range(asked: NewsAsked, *, now: datetime) -> tuple[datetime, datetime]:
    if asked.start is not None:
        return asked.start, asked.end or asked.start + BACK + AHEAD
    if asked.end is not None:
        return asked.end - BACK - AHEAD, asked.end
    return now - BACK, now + AHEAD
