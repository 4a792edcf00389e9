"""Feed freshness in trading time: over a weekend no bar is owed, so none is late."""

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource


@dg.asset_check(
    asset="candles",
    name="feed_is_fresh",
    description="The newest closed base candle of the live symbol is at most two base intervals of trading time old.",
)
def feed_is_fresh(
    database: DatabaseResource, feed: FeedResource, clock: ClockResource, settings: SettingsResource
) -> dg.AssetCheckResult:
    """Compare the newest close with the clock, in market-open minutes."""
    from goldsignal_pipeline.market.freshness import feed_age_minutes, tolerated_age_minutes
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
