"""Months as commands handle them: which are behind, and how they fall into ranges."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from goldsignal_pipeline.assets.staleness import Behind
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

ROWS_PER_RUN: Final = 200_000
MOST_MONTHS_PER_RUN: Final = 60


def behind(database: Database, settings: Settings) -> list[Behind]:
    """What of the graph is behind what it is made of, by symbol."""
    from goldsignal_pipeline.assets.staleness import Basis, everything_behind

    return everything_behind(database, Basis.of(settings, now=datetime.now(UTC)))


def months_to_compute(
    found: Sequence[Behind], *, assets: Collection[str], first_month: str = "", last_month: str = "9999-12"
) -> tuple[str, ...]:
    """The months of these assets that are behind, from the first with a cause of its own on; all within the given ones."""
    causes = {month for one in found for asset, months in one.causes.items() if asset in assets for month in months}
    due = {month for one in found for asset, months in one.assets.items() if asset in assets for month in months}
    begin = min((month for month in causes if first_month <= month <= last_month), default=None)
    return () if begin is None else tuple(sorted(month for month in due if begin <= month <= last_month))


def stale_candles(database: Database, settings: Settings, *, symbol: str) -> list[str]:
    """Months whose candles are missing, or older than the observations or rules they follow from."""
    from goldsignal_pipeline.assets import derive

    with database.transaction(read_only=True) as connection:
        rules = derive.Rules.of(connection, symbol=symbol, grace=settings.grace, source_order=settings.source_order)
        return derive.stale_months(connection, symbol=symbol, rules=rules)


def months_per_run(database: Database, *, symbol: str, least: int) -> int:
    """How many months one run may derive: `least`, or more where the fullest month holds few observations.

    A run has a cost of its own (a dozen events, a connection for each), so years of hourly bars go together; minutes do not,
    because a run holds its rows in memory.
    """
    from goldsignal_pipeline.storage import digests

    with database.transaction(read_only=True) as connection:
        observed = digests.by_month(connection, asset="raw_candles", symbol=symbol)
    fullest = max((digest.rows for digest in observed.values()), default=1)
    return max(least, min(MOST_MONTHS_PER_RUN, ROWS_PER_RUN // max(fullest, 1)))


def ranges(months: Sequence[str]) -> list[tuple[str, str]]:
    """Sorted months as runs of neighbours, each as first and last month."""
    from goldsignal_pipeline.assets.partitions import next_month

    found: list[tuple[str, str]] = []
    for month in months:
        if found and next_month(found[-1][1]) == month:
            found[-1] = (found[-1][0], month)
        else:
            found.append((month, month))
    return found


def ranges_text(months: Sequence[str], *, shown: int = 3) -> str:
    """Sorted months in words, ranges of neighbours at most `shown`."""
    pieces = ranges(months)
    words = [first if first == last else f"{first} to {last}" for first, last in pieces[:shown]]
    return ", ".join(words) + (f" and {len(pieces) - shown} more" if len(pieces) > shown else "")
