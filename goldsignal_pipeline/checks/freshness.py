"""Feed freshness in trading time: over a weekend no bar is owed, so none is late."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource

if TYPE_CHECKING:
    from goldsignal_pipeline.market.hours import TradingCalendar

TOLERATED_INTERVALS: Final = 2


def feed_age_minutes(newest_close: datetime, *, now: datetime, calendar: "TradingCalendar") -> int:
    """Minutes the market was open between the newest close held and `now`."""
    import numpy as np

    from goldsignal_pipeline.market.zones import to_instant

    begin, end = np.array([to_instant(newest_close)]), np.array([to_instant(max(now, newest_close))])
    return int(calendar.open_minutes_between(begin, end)[0])


def tolerated_age_minutes(*, bar_minutes: int, grace: timedelta) -> int:
    """The age from which the newest closed bar counts as late: two base intervals beyond the one that is still forming."""
    return TOLERATED_INTERVALS * bar_minutes + -(-int(grace.total_seconds()) // 60) + bar_minutes


@dg.asset_check(
    asset="candles",
    name="feed_is_fresh",
    description="The newest closed base candle of the live symbol is at most two base intervals of trading time old.",
)
def feed_is_fresh(
    database: DatabaseResource, feed: FeedResource, clock: ClockResource, settings: SettingsResource
) -> dg.AssetCheckResult:
    """Compare the newest close with the clock, in market-open minutes."""
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.storage import candles

    now, chosen = clock.now(), settings.read()
    with database.open() as opened:
        symbol = feed.provider(opened, clock).symbol
        with opened.transaction(read_only=True) as connection:
            newest = candles.newest_close(connection, symbol=symbol)
    if newest is None:
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"symbol": symbol, "newest_close": "none"}
        )
    age = feed_age_minutes(newest, now=now, calendar=load_calendar())
    tolerated = tolerated_age_minutes(bar_minutes=chosen.base_timeframe.minutes, grace=chosen.grace)
    return dg.AssetCheckResult(
        passed=age <= tolerated,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "symbol": symbol,
            "newest_close": f"{newest:%Y-%m-%d %H:%M} UTC",
            "age_trading_minutes": age,
            "tolerated_trading_minutes": tolerated,
        },
    )
