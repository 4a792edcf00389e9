"""Planned entries and deadlines: when a trade would be entered and would expire, by the calendar alone.

A decision is told them before any later bar exists; the kernel uses the bars that came.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants, to_datetime
from goldsignal_pipeline.simulation.kernel import COARSE_MINUTES
from goldsignal_pipeline.simulation.records import Integers
from goldsignal_pipeline.simulation.trades import GRACE

_LONGEST_CLOSURE = timedelta(days=10)


def planned_entries(confirmed_at: Instants, *, base: Timeframe, calendar: TradingCalendar, grace: timedelta = GRACE) -> Instants:
    """The open of the first base bar that opens at or after each confirming close and the grace.

    A base coarser than M15 takes the first open at or after the close.
    """
    if not len(confirmed_at):
        return confirmed_at
    opens = calendar.expected_opens(
        timeframe=base, start=to_datetime(confirmed_at.min()), end=to_datetime(confirmed_at.max()) + _LONGEST_CLOSURE
    )
    waited = np.timedelta64(grace if base.minutes <= COARSE_MINUTES else timedelta(0))
    return np.asarray(opens[np.searchsorted(opens, confirmed_at + waited, side="left")])


def planned_deadlines(entries: Instants, *, hold_minutes: Integers, calendar: TradingCalendar) -> Instants:
    """When trades entered at `entries` expire: so many minutes of market-open time later."""
    due = np.array(entries, dtype="datetime64[us]")
    for minutes in np.unique(hold_minutes).tolist():
        chosen = hold_minutes == minutes
        due[chosen] = calendar.add_open_time(due[chosen], minutes=minutes)
    return due
