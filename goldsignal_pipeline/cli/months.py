"""Months as commands handle them: which are behind, and how they fall into ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

ROWS_PER_RUN: Final = 200_000
MOST_MONTHS_PER_RUN: Final = 60


def stale_months(database: Database, settings: Settings, *, symbol: str) -> list[str]:
    """Months whose candles are missing, or older than the observations or rules they follow from."""
    from goldsignal_pipeline.assets import derive
    from goldsignal_pipeline.market.hours import load_calendar

    rules = derive.Rules(load_calendar(), settings.grace, settings.source_order)
    with database.transaction(read_only=True) as connection:
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
