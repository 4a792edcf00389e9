"""What going live costs: calls, minutes and days that fetching the history takes. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.twelvedata import pages


@dataclass(frozen=True, slots=True)
class CreditPlan:
    """A fetch of the past: its window, and what it takes.

    `minutes` of calling within one day's credits; `days` over which the calls spread (1 when they fit into today).
    """

    window: FetchWindow
    calls: int
    minutes: int
    days: int


def plan_history(
    *,
    now: datetime,
    months: int,
    timeframe: Timeframe,
    credits_per_minute: int,
    credits_per_day: int,
    live_calls_per_day: int = 0,
) -> CreditPlan:
    """Plan the running UTC month of `now` and the `months` before it, while the live cycle keeps its own calls.

    Raises `UsageError` when the live cycle leaves nothing of the day's credits.
    """
    months_since_year_0 = now.year * 12 + now.month - 1 - months
    start = now.replace(
        year=months_since_year_0 // 12, month=months_since_year_0 % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
    )
    window = FetchWindow(timeframe=timeframe, start=start, end=now)
    free_per_day = credits_per_day - live_calls_per_day
    if free_per_day < 1:
        raise UsageError(
            f"The live cycle needs {live_calls_per_day} calls a day and the plan allows {credits_per_day}.",
            fix="Choose a coarser GOLDSIGNAL_BASE_TIMEFRAME or a larger plan.",
        )
    calls = len(pages(window, now=now))
    busiest_day = min(calls, free_per_day)
    return CreditPlan(
        window=window,
        calls=calls,
        minutes=-(-busiest_day // credits_per_minute),
        days=-(-calls // free_per_day),
    )
