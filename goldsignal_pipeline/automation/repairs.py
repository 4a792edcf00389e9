"""What needs repair, read from our own tables: stale months, and holes that a vendor may fill in late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from goldsignal_pipeline.assets.derive import Rules, stale_months
from goldsignal_pipeline.market.digests import combine
from goldsignal_pipeline.market.fetch_plan import plan_fetch
from goldsignal_pipeline.market.gaps import answered_windows, is_covered
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.storage import digests, fetches, raw_candles

if TYPE_CHECKING:
    from goldsignal_pipeline.market.sources import Source
    from goldsignal_pipeline.market.timeframes import Timeframe
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.storage.database import Database


@dataclass(frozen=True, slots=True)
class StaleRange:
    """Months whose candles must be derived again, and a digest of the observations that made them stale."""

    months: tuple[str, ...]
    digest: str


class _Span(TypedDict):
    symbol: str
    source: Source
    timeframe: Timeframe
    start: datetime
    end: datetime


def stale_ranges(
    database: Database, *, grace: timedelta, source_order: Sequence[str], settled_before: datetime
) -> StaleRange | None:
    """The stale months of all symbols whose observations have settled; None when there is nothing to derive."""
    rules = Rules(load_calendar(), grace, tuple(source_order))
    months: set[str] = set()
    reasons = [rules.inputs_digest([])]
    with database.transaction(read_only=True) as connection:
        for symbol in digests.symbols(connection, asset="raw_candles"):
            observed = digests.by_month(connection, asset="raw_candles", symbol=symbol)
            stale = stale_months(connection, symbol=symbol, rules=rules)
            if any(observed[month].computed_at >= settled_before for month in stale if month in observed):
                continue
            months |= set(stale)
            reasons += [f"{symbol} {month} {observed[month].digest if month in observed else ''}" for month in stale]
    if not months:
        return None
    return StaleRange(tuple(sorted(months)), combine(reasons)[:16])


def hole_to_refetch(
    database: Database, provider: Provider, *, since: datetime, until: datetime, now: datetime, grace: timedelta
) -> tuple[datetime, datetime] | None:
    """Begin and end of what is worth asking again between `since` and `until`: bars asked for once that did not come.

    What nobody has asked for is no hole: history is fetched by `up` and backfills, the newest bars by the next live cycle,
    which reaches back to the last good one. None when no call is worth it.
    """
    timeframe = provider.base_timeframe
    span: _Span = {"symbol": provider.symbol, "source": provider.source, "timeframe": timeframe, "start": since, "end": until}
    with database.transaction(read_only=True) as connection:
        asked = fetches.windows(connection, **span)
        held = raw_candles.opens(connection, **span)
    opens = load_calendar().expected_opens(timeframe=timeframe, start=since, end=until)
    starts, ends, _ = answered_windows(asked, timeframe=timeframe, grace=grace)
    due = plan_fetch(
        opens[is_covered(opens, starts=starts, ends=ends)],
        timeframe=timeframe,
        held=held,
        asked=asked,
        now=now,
        grace=grace,
        page_bars=provider.page_bars,
    )
    return (due[0].start, due[-1].end) if due else None
