"""What the chart page asks beyond the record itself: markets held, zone and account; hours of sessions; corrections since."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from goldsignal_pipeline.api.answers import answer
from goldsignal_pipeline.api.asking import Asking
from goldsignal_pipeline.api.known_then import Span, corrections
from goldsignal_pipeline.api.page_schemas import CorrectionsAnswer, PageAnswer, SessionsAnswer
from goldsignal_pipeline.api.parameters import RECORD_BEGINS, Asked, Instant, OfSymbol
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.session_spans import session_spans
from goldsignal_pipeline.market.sources import SIMULATED_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import candles
from goldsignal_pipeline.storage.reading.candles import newest_opens
from goldsignal_pipeline.storage.reading.queries import rows
from goldsignal_pipeline.storage.reading.results import strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings

LONGEST_SPAN: Final = timedelta(days=3 * 366)

router = APIRouter(prefix="/page", tags=["pages"])


class SpanAsked(Asked):
    """A span of time."""

    start: Instant = Field(description="Begin, inclusive.")
    end: Instant = Field(description="End, exclusive.")


class CorrectionsAsked(OfSymbol):
    """Bars that read otherwise at an instant."""

    timeframe: Timeframe = Field(description="Length of the bars.")
    start: Instant = Field(description="Earliest open, inclusive.")
    end: Instant = Field(description="End of the range of opens, exclusive.")
    as_of: Instant = Field(description="The instant.")


@router.get("", response_model=PageAnswer)
async def page(asking: Asking) -> Response:
    """Markets that candles are held of, strategies, and the settings that the pages show values with."""
    return answer(await asking.readers.in_thread(lambda connection: _page(connection, asking.settings, now=asking.now)))


@router.get("/sessions", response_model=SessionsAnswer)
async def sessions(asked: Annotated[SpanAsked, Query()]) -> Response:
    """Spans of each session in [start, end), in epoch seconds; at most three years."""
    if not timedelta() <= asked.end - asked.start <= LONGEST_SPAN:
        raise UsageError(f"Sessions are told of at most {LONGEST_SPAN.days} days.", fix="Ask for a shorter span.")
    return answer({"sessions": session_spans(start=asked.start, end=asked.end, calendar=load_calendar())})


@router.get("/corrections", response_model=CorrectionsAnswer)
async def corrected(asking: Asking, asked: Annotated[CorrectionsAsked, Query()]) -> Response:
    """Bars in [start, end) that read otherwise at `as_of`: open in epoch seconds, open, high, low and close as they read.

    Bars before `exact_from` read as today, because more was corrected since than one answer reads again.
    """
    span = Span(asking.symbol(asked), asked.timeframe, asked.start, asked.end)
    then = await asking.readers.in_thread(
        lambda connection: corrections(connection, asking.settings, span=span, as_of=asked.as_of)
    )
    return answer({"bars": then.bars, "exact_from": then.exact_from})


def _page(connection: Connection, settings: Settings, *, now: datetime) -> dict[str, Any]:
    held = candles.symbols(connection, start=RECORD_BEGINS, end=now + timedelta(days=1))
    markets = [_market(connection, symbol) for symbol in held]
    chosen = settings.symbol if settings.symbol in held or not held else held[0]
    own = settings.own_account
    return {
        "symbol": chosen,
        "symbols": markets or [{"symbol": chosen, "simulated": chosen == SIMULATED_SYMBOL, "timeframes": [], "newest": None}],
        "timeframe_seconds": {timeframe.value: timeframe.minutes * 60 for timeframe in Timeframe},
        "strategies": sorted({row["strategy"] for row in rows(connection, strategies(symbol=chosen))}),
        "display_timezone": settings.display_timezone,
        "currency": own.currency,
        "usd_per_unit": str(own.usd_per_unit),
        "level_offset": str(own.level_offset),
    }


def _market(connection: Connection, symbol: str) -> dict[str, Any]:
    found = rows(connection, newest_opens(symbol=symbol, timeframes=[timeframe.value for timeframe in Timeframe]))
    held = {row["timeframe"]: row["newest"] for row in found if row["newest"] is not None}
    return {
        "symbol": symbol,
        "simulated": symbol == SIMULATED_SYMBOL,
        "timeframes": [timeframe.value for timeframe in Timeframe if timeframe.value in held],
        "newest": max(held.values()),
    }
