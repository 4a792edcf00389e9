"""The fetch plan: which stretches to ask the vendor for, so that no call is spent twice on the same answer.

1. A closed expected bar that is not held is *wanted* when nobody asked since it closed: new bars, and history never asked.
2. A hole (asked and absent) is wanted again once a day for three days, because vendors fill some in late; then never again.
3. When the newest closed bar is new, the last 12 bars are wanted with it, held or not: late corrections arrive there.
4. Wanted bars are covered by the fewest windows that fit a page. What lies between them in a page (closed time, bars held)
   costs nothing extra, because a call costs the same for one row as for a full page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.gaps import answered_windows
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants, to_datetime, to_instant

REFETCHED_BARS: Final = 12
ASK_AGAIN_AFTER: Final = np.timedelta64(1, "D")
ASK_AGAIN_FOR: Final = np.timedelta64(3, "D")
_NEVER: Final = np.datetime64("NaT", "us")

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """Bars that open in [start, end), aware UTC: at most one page."""

    start: datetime
    end: datetime


def plan_fetch(
    expected: Instants,
    *,
    timeframe: Timeframe,
    held: Instants,
    asked: pd.DataFrame,
    now: datetime,
    grace: timedelta,
    page_bars: int,
) -> list[PlannedWindow]:
    """The windows to ask for now, ascending and disjoint; none when nothing new can come of it.

    `expected`: ascending opens at which bars may exist; `held`: opens of the bars stored from this source; `asked`: earlier
    windows of this source and timeframe (`gaps.WINDOW_COLUMNS`); `page_bars`: rows that one call returns at most, counted in
    slots of the timeframe, since some vendors fill closed hours.
    """
    due = expected[bar_close(expected, timeframe=timeframe) <= to_instant(now - grace)]
    first_asked, last_asked = _asked_span(due, asked=asked, timeframe=timeframe, grace=grace)
    unasked = np.isnat(last_asked)
    again = (to_instant(now) - last_asked >= ASK_AGAIN_AFTER) & (last_asked - first_asked < ASK_AGAIN_FOR)
    missing = ~np.isin(due, held)
    wanted = missing & (unasked | again)
    if len(due) and unasked[-1]:
        wanted[-REFETCHED_BARS:] = True
    return _pages(due[wanted], timeframe=timeframe, page_bars=page_bars)


def _asked_span(opens: Instants, *, asked: pd.DataFrame, timeframe: Timeframe, grace: timedelta) -> tuple[Instants, Instants]:
    """When each bar was first and last asked for after it had closed; NaT where never."""
    starts, ends, asked_at = answered_windows(asked, timeframe=timeframe, grace=grace)
    order = np.argsort(asked_at, kind="stable")
    low = np.searchsorted(opens, starts[order])
    high = np.searchsorted(opens, ends[order])
    touching = np.flatnonzero(high > low)
    first, last = np.full(len(opens), _NEVER), np.full(len(opens), _NEVER)
    for window in touching:
        last[low[window] : high[window]] = asked_at[order[window]]
    for window in touching[::-1]:
        first[low[window] : high[window]] = asked_at[order[window]]
    return first, last


def _pages(wanted: Instants, *, timeframe: Timeframe, page_bars: int) -> list[PlannedWindow]:
    """Cover the wanted opens from the left, each window as long as a page allows: no fewer windows can do it."""
    page = np.timedelta64(timeframe.minutes * page_bars, "m")
    windows = []
    position = 0
    while position < len(wanted):
        start = wanted[position]
        position = int(np.searchsorted(wanted, start + page, side="left"))
        end = bar_close(wanted[position - 1 : position], timeframe=timeframe)[0]
        windows.append(PlannedWindow(to_datetime(start), to_datetime(min(end, start + page))))
    return windows
