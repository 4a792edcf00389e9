"""Closing times: when it is too late in the week, or too shortly before a holiday, to open a trade.

1. `_closures` lists the instants at which the market closes for a holiday or earlier than usual.
2. `is_market_closing` compares an instant with the next of them in market-open minutes, and with Friday noon in New York.
"""

from __future__ import annotations

from datetime import time
from functools import cache
from typing import Final

import numpy as np

from goldsignal_pipeline.market.hours import Flags, TradingCalendar
from goldsignal_pipeline.market.reasons import ClosedReason
from goldsignal_pipeline.market.timeframes import ROLL_HOUR_NEW_YORK
from goldsignal_pipeline.market.zones import NEW_YORK, Instants, to_datetime, to_instant, to_wall

FRIDAY_LAST_HOUR_NEW_YORK: Final = 12
_UNUSUAL: Final = (ClosedReason.HOLIDAY.value, ClosedReason.EARLY_CLOSE.value)
_FRIDAY: Final = 4


def is_market_closing(instants: Instants, *, calendar: TradingCalendar, minutes: int) -> Flags:
    """Where it is Friday 12:00 New York or later, or less than `minutes` of market time before a holiday or early close.

    An instant inside such a closure counts too: the last bar before it closes nominally when the market already rests.
    """
    instants = np.asarray(instants).astype("datetime64[us]")
    wall = to_wall(instants, zone=NEW_YORK)
    days = wall.astype("datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7
    from_noon = weekday == _FRIDAY
    from_noon &= (wall - days) >= np.timedelta64(FRIDAY_LAST_HOUR_NEW_YORK, "h")
    closures = _closures(calendar)
    position = np.searchsorted(closures, instants, side="left")
    following = closures[np.minimum(position, len(closures) - 1)]
    soon = (position < len(closures)) & (calendar.open_minutes_between(instants, following) < minutes)
    return np.asarray(from_noon | soon | np.isin(calendar.closed_reason(instants), _UNUSUAL))


@cache
def _closures(calendar: TradingCalendar) -> Instants:
    """Ascending: the last close before the end of every exceptional day that rests or ends before the roll."""
    usual = time(ROLL_HOUR_NEW_YORK)
    early = [np.datetime64(day.day, "D") for day in calendar.exceptional_days if day.closes != usual]
    _, ends = calendar.trading_day_bounds(np.array(early, dtype="datetime64[D]"))
    closes = [to_instant(calendar.last_close(to_datetime(end))) for end in ends]
    return np.unique(np.array(closes, dtype="datetime64[us]"))
