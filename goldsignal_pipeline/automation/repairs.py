"""What needs repair, read from our own tables: stale months, and holes that a vendor may fill in late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from goldsignal_pipeline.assets.derive import Rules, stale_months
from goldsignal_pipeline.assets.refresh import fetch_windows
from goldsignal_pipeline.market.digests import combine
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.storage import digests

if TYPE_CHECKING:
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.storage.database import Database


@dataclass(frozen=True, slots=True)
class StaleRange:
    """Months whose candles must be derived again, and a digest of the observations that made them stale."""

    months: tuple[str, ...]
    digest: str


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


def holes_to_refetch(
    database: Database, provider: Provider, *, since: datetime, until: datetime, now: datetime, grace: timedelta
) -> list[datetime]:
    """Start and end of what `fetch_plan` would ask for between `since` and `until`; empty when nothing is worth a call.

    `until` leaves the newest bars to the live cycle.
    """
    windows = [
        window
        for window in fetch_windows(database, provider, start=since, end=until, now=now, grace=grace)
        if window.start < until
    ]
    return [windows[0].start, windows[-1].end] if windows else []
