"""What the record holds: the feed's newest bar and its age in trading time, credits, blocked days, months behind, events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from goldsignal_pipeline.cli.findings import Finding, note, ok, problem
from goldsignal_pipeline.cli.output import local_text, span_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.assets.staleness import Behind
    from goldsignal_pipeline.settings import Settings

BLOCKED_DAYS_SPAN: Final = timedelta(days=30)

_BLOCKED: Final = """
    SELECT trading_day, missing_bars, expected_bars FROM trading_day_states
    WHERE symbol = :symbol AND data_blocked AND trading_day >= :since ORDER BY trading_day
"""


@dataclass(frozen=True, slots=True)
class FeedState:
    """The close of the newest candle and its age in minutes of trading time, beside the age that is tolerated."""

    symbol: str
    newest_close: datetime
    age_minutes: int
    tolerated_minutes: int
    market_open: bool


@dataclass(frozen=True, slots=True)
class BlockedDay:
    """A trading day with too many bars missing."""

    trading_day: date
    missing_bars: int
    expected_bars: int


def feed_state(connection: Connection, settings: Settings, *, symbol: str, now: datetime) -> FeedState | None:
    """How old the newest candle is, by the rules of the freshness check; None without any candle."""
    import numpy as np

    from goldsignal_pipeline.market.freshness import feed_age_minutes, tolerated_age_minutes
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.market.zones import to_instant
    from goldsignal_pipeline.storage import candles

    newest = candles.newest_close(connection, symbol=symbol)
    if newest is None:
        return None
    calendar = load_calendar()
    return FeedState(
        symbol=symbol,
        newest_close=newest,
        age_minutes=feed_age_minutes(newest, now=now, calendar=calendar),
        tolerated_minutes=tolerated_age_minutes(bar_minutes=settings.base_timeframe.minutes, grace=settings.grace),
        market_open=bool(calendar.is_open(np.array([to_instant(now)]))[0]),
    )


def feed_finding(feed: FeedState | None, settings: Settings, *, zone: ZoneInfo) -> Finding:
    """Is the newest closed bar recent, counted in trading time?"""
    if feed is None:
        return problem("feed", "no candles yet", fix="Run `goldsignal up`, or import a file.")
    market = "the market is open" if feed.market_open else "the market is closed"
    detail = (
        f"{feed.symbol} ({settings.feed}): newest bar closed {local_text(feed.newest_close, zone=zone)}, "
        f"{span_text(feed.age_minutes * 60)} of trading time ago; {market}"
    )
    if feed.age_minutes > feed.tolerated_minutes:
        return problem("feed", detail, fix=f"Expected at most {feed.tolerated_minutes} min; see the last runs below.")
    return ok("feed", detail)


def blocked_days(connection: Connection, *, symbol: str, now: datetime) -> list[BlockedDay]:
    """The trading days of the last 30 days with more than 2 % of their bars missing so far."""
    from sqlalchemy import text

    since = (now - BLOCKED_DAYS_SPAN).date()
    return [BlockedDay(*row) for row in connection.execute(text(_BLOCKED), {"symbol": symbol, "since": since})]


def days_finding(blocked: Sequence[BlockedDay], *, now: datetime) -> Finding:
    """Is the running trading day good enough to decide on?"""
    import numpy as np

    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.market.zones import to_instant

    if not blocked:
        return ok("days", f"none blocked in {BLOCKED_DAYS_SPAN.days} days")
    shown = ", ".join(f"{day.trading_day} ({day.missing_bars} of {day.expected_bars} bars missing)" for day in blocked[-3:])
    detail = f"{len(blocked)} blocked in {BLOCKED_DAYS_SPAN.days} days: {'... ' if len(blocked) > 3 else ''}{shown}"
    today = load_calendar().trading_day(np.array([to_instant(now)]))[0].item()
    judge = problem if blocked[-1].trading_day >= today else note
    return judge("days", detail, fix="`goldsignal gaps` shows what is missing and why.")


def months_finding(found: Sequence[Behind], *, now: datetime) -> Finding:
    """Is every month of every asset in line with what it is made of?

    What was observed within the last minutes is the work of the live cycle that observed it, and not behind yet.
    """
    from goldsignal_pipeline.automation.ticks import SETTLING_TIME
    from goldsignal_pipeline.cli.months import ranges_text

    behind: dict[str, set[str]] = {}
    for one in found:
        young = one.unsettled(since=now - SETTLING_TIME)
        for asset, months in one.causes.items():
            behind.setdefault(asset, set()).update(set(months) - young)
    shown = [f"{asset} {ranges_text(sorted(months))}" for asset, months in behind.items() if months]
    if not shown:
        return ok("months", "every month is computed from what is held")
    return note(
        "months",
        f"behind what they are made of: {'; '.join(shown)}",
        fix="`goldsignal backfill --missing`, or let a running `goldsignal up` do it.",
    )
