"""What the chart page asks beyond the record itself: markets held, zone and account; hours of sessions; corrections since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, model_validator
from sqlalchemy import Connection

from goldsignal_pipeline.api.known_then import Span, corrections
from goldsignal_pipeline.assets.partitions import FIRST_MONTH, month_start
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.session_spans import session_spans
from goldsignal_pipeline.market.sources import SIMULATED_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage import candles
from goldsignal_pipeline.storage.reading.candles import newest_opens
from goldsignal_pipeline.storage.reading.queries import rows
from goldsignal_pipeline.storage.reading.results import strategies

LONGEST_SPAN: Final = timedelta(days=3 * 366)

Instant = Annotated[AwareDatetime, AfterValidator(lambda instant: instant.astimezone(UTC))]


class Hours(BaseModel):
    """A span of time of at most three years."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _is_no_longer_than_allowed(self) -> Self:
        if not timedelta() <= self.end - self.start <= LONGEST_SPAN:
            raise ValueError(f"expected an end after the start and at most {LONGEST_SPAN.days} days of it")
        return self


class Corrections(BaseModel):
    """Bars of a timeframe that open in [start, end), and the instant at which they are read."""

    symbol: str
    timeframe: Timeframe
    start: Instant
    end: Instant
    as_of: Instant


router = APIRouter(prefix="/page", tags=["pages"])


@router.get("")
def page(request: Request) -> dict[str, Any]:
    """Markets that candles are held of, strategies, and the settings that the pages show values with."""
    settings, database = request.app.state.settings, request.app.state.database
    own = settings.own_account
    with database.transaction(read_only=True) as connection:
        held = candles.symbols(connection, start=month_start(FIRST_MONTH), end=datetime.now(UTC) + timedelta(days=1))
        markets = [_market(connection, symbol) for symbol in held]
        known = sorted({row["strategy"] for row in rows(connection, strategies(symbol=settings.symbol))})
    chosen = settings.symbol if settings.symbol in held or not held else held[0]
    return {
        "symbol": chosen,
        "symbols": markets or [{"symbol": chosen, "simulated": chosen == SIMULATED_SYMBOL, "timeframes": [], "newest": None}],
        "timeframe_seconds": {timeframe.value: timeframe.minutes * 60 for timeframe in Timeframe},
        "strategies": known,
        "display_timezone": settings.display_timezone,
        "currency": own.currency,
        "usd_per_unit": str(own.usd_per_unit),
        "level_offset": str(own.level_offset),
    }


@router.get("/sessions")
def sessions(wanted: Annotated[Hours, Query()]) -> dict[str, Any]:
    """Spans of each session in [start, end), in epoch seconds; at most three years."""
    return {"sessions": session_spans(start=wanted.start, end=wanted.end, calendar=load_calendar())}


@router.get("/corrections")
def corrected(request: Request, wanted: Annotated[Corrections, Query()]) -> dict[str, Any]:
    """Bars in [start, end) that read otherwise at `as_of`: open in epoch seconds, open, high, low and close as they read."""
    span = Span(wanted.symbol, wanted.timeframe, wanted.start, wanted.end)
    with request.app.state.database.transaction(read_only=True) as connection:
        return {"bars": corrections(connection, request.app.state.settings, span=span, as_of=wanted.as_of)}


def _market(connection: Connection, symbol: str) -> dict[str, Any]:
    found = rows(connection, newest_opens(symbol=symbol, timeframes=[timeframe.value for timeframe in Timeframe]))
    held = {row["timeframe"]: row["newest"] for row in found if row["newest"] is not None}
    return {
        "symbol": symbol,
        "simulated": symbol == SIMULATED_SYMBOL,
        "timeframes": [timeframe.value for timeframe in Timeframe if timeframe.value in held],
        "newest": max(held.values()).isoformat(),
    }
