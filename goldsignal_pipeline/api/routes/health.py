"""`/health`: is the database there, does the daemon live, is the newest bar recent; 503 with the reason when not."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import numpy as np
from fastapi import APIRouter
from fastapi.responses import Response

from goldsignal_pipeline.api.answers import answer
from goldsignal_pipeline.api.asking import Asking, Context
from goldsignal_pipeline.api.schemas import Health
from goldsignal_pipeline.automation.heartbeat import SILENT_DAEMON
from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.market.freshness import feed_age_minutes, tolerated_age_minutes
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.storage.candles import newest_close

UNWELL: Final = 503
_DAEMON_SECONDS: Final = 5.0

router = APIRouter(tags=["operation"])


@router.get("/health", response_model=Health, responses={UNWELL: {"model": Health, "description": "Something is not well."}})
async def health(asking: Asking) -> Response:
    """Whether all is well: 200, or 503 with every reason; the age of the feed counts trading time only."""
    feed, fault = await _feed(asking)
    daemon, silence = await _daemon(asking)
    reasons = [reason for reason in (fault, silence) if reason]
    content = {
        "status": "failing" if reasons else "ok",
        "database": "connected" if feed is not None or not fault.startswith("database") else "unreachable",
        "at": asking.now,
        "symbol": asking.settings.symbol,
        "feed": feed,
        "daemon": daemon,
        "reasons": reasons,
    }
    return answer(content, status=UNWELL if reasons else 200)


async def _feed(asking: Context) -> tuple[dict[str, Any] | None, str]:
    """The state of the feed, and what is wrong with it ("" when nothing is)."""
    symbol = asking.settings.symbol
    try:
        newest = await asking.readers.in_thread(lambda connection: newest_close(connection, symbol=symbol))
    except StorageError as error:
        return None, f"database: {error.what}"
    if newest is None:
        return None, f"feed: no bar of {symbol} is held"
    calendar, settings = load_calendar(), asking.settings
    age = feed_age_minutes(newest, now=asking.now, calendar=calendar)
    tolerated = tolerated_age_minutes(bar_minutes=settings.base_timeframe.minutes, grace=settings.grace)
    feed = {
        "newest_close": newest,
        "age_minutes": age,
        "tolerated_minutes": tolerated,
        "market_open": bool(calendar.is_open(np.array([to_instant(asking.now)]))[0]),
    }
    late = f"feed: the newest bar of {symbol} is {age} min of trading time old, expected at most {tolerated}"
    return feed, late if age > tolerated else ""


async def _daemon(asking: Context) -> tuple[dict[str, Any] | None, str]:
    """When the daemon last lived, and what is wrong with it ("" when nothing is)."""
    try:
        beat = await asyncio.wait_for(asyncio.to_thread(asking.orchestrator.heartbeat), _DAEMON_SECONDS)
    except TimeoutError:
        return None, f"daemon: Dagster's storage did not answer within {_DAEMON_SECONDS:.0f} s"
    except Exception as error:  # whatever Dagster's storage raises, health must say it and not fail itself
        return None, f"daemon: Dagster's storage does not answer ({type(error).__name__})"
    if beat is None:
        return None, "daemon: it has never run"
    age = (asking.now - beat).total_seconds()
    told = {"last_heartbeat": beat, "age_seconds": round(max(age, 0.0), 3)}
    return told, f"daemon: last heartbeat {age:.0f} s ago" if age > SILENT_DAEMON.total_seconds() else ""
