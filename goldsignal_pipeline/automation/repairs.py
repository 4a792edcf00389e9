"""What needs repair, read from our own tables: months that are behind, and holes that a vendor may fill in late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypedDict

from goldsignal_pipeline.assets.staleness import Basis, everything_behind, first_range
from goldsignal_pipeline.market.digests import combine
from goldsignal_pipeline.market.fetch_plan import plan_fetch
from goldsignal_pipeline.market.gaps import answered_windows, is_covered
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.storage import fetches, raw_candles

if TYPE_CHECKING:
    from goldsignal_pipeline.market.sources import Source
    from goldsignal_pipeline.market.timeframes import Timeframe
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database


LONGEST_REPAIR_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class StaleRange:
    """First and last month to compute again, and a digest of what put them behind."""

    first_month: str
    last_month: str
    digest: str


class _Span(TypedDict):
    symbol: str
    source: Source
    timeframe: Timeframe
    start: datetime
    end: datetime


def stale_range(database: Database, settings: Settings, *, now: datetime, settled_before: datetime) -> StaleRange | None:
    """The first year of what is behind and has settled, of all symbols; None when there is nothing to compute.

    What was observed since `settled_before` still has its own run: the newest month waits for it, and a symbol with other such
    months is left alone altogether, because an import is on its way.
    """
    months: set[str] = set()
    reasons = []
    for one in everything_behind(database, Basis.of(settings, now=now)):
        young = one.unsettled(since=settled_before)
        if young <= {max(one.observed)}:
            months |= {*one.months} - young
            reasons.append(one.reasons)
    if not months:
        return None
    first, last = first_range(sorted(months), longest=LONGEST_REPAIR_MONTHS)
    return StaleRange(first, last, combine(reasons)[:16])


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
