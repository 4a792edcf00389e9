"""Closing times: how much trading time is left before the market closes for longer than usual.

1. `_closures` lists the instants at which the market closes for a holiday or earlier than usual.
2. `minutes_to_closing` counts the market-open minutes to the next of them; from Friday noon in New York on none are left.
"""

from __future__ import annotations

from datetime import time
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.reasons import ClosedReason
from goldsignal_pipeline.market.timeframes import ROLL_HOUR_NEW_YORK
from goldsignal_pipeline.market.zones import NEW_YORK, Instants, to_datetime, to_instant, to_wall

FRIDAY_LAST_HOUR_NEW_YORK: Final = 12
NEVER: Final = int(np.iinfo(np.int64).max)
"""Minutes to a closing that the calendar does not know of."""

_UNUSUAL: Final = (ClosedReason.HOLIDAY.value, ClosedReason.EARLY_CLOSE.value)
_FRIDAY: Final = 4


def minutes_to_closing(instants: Instants, *, calendar: TradingCalendar) -> npt.NDArray[np.int64]:
    """Market-open minutes from each instant to the next holiday or early close, 0 from Friday 12:00 New York on.

    Inside such a closure they are 0 too: the last bar before it closes nominally when the market already rests.
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
    minutes = np.where(position < len(closures), calendar.open_minutes_between(instants, following), NEVER)
    return np.where(from_noon | np.isin(calendar.closed_reason(instants), _UNUSUAL), 0, minutes)


@cache
def _closures(calendar: TradingCalendar) -> Instants:
    """Ascending: the last close before the end of every exceptional day that rests or ends before the roll."""
    usual = time(ROLL_HOUR_NEW_YORK)
    early = [np.datetime64(day.day, "D") for day in calendar.exceptional_days if day.closes != usual]
    _, ends = calendar.trading_day_bounds(np.array(early, dtype="datetime64[D]"))
    closes = [to_instant(calendar.last_close(to_datetime(end))) for end in ends]
    return np.unique(np.array(closes, dtype="datetime64[us]"))
