"""How old the newest bar is, in trading time: over a weekend no bar is owed, so none is late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from goldsignal_pipeline.market.zones import to_instant

if TYPE_CHECKING:
    from goldsignal_pipeline.market.hours import TradingCalendar

TOLERATED_INTERVALS: Final = 2


def feed_age_minutes(newest_close: datetime, *, now: datetime, calendar: TradingCalendar) -> int:
    """Minutes the market was open between the newest close held and `now`."""
    begin, end = np.array([to_instant(newest_close)]), np.array([to_instant(max(now, newest_close))])
    return int(calendar.open_minutes_between(begin, end)[0])


def tolerated_age_minutes(*, bar_minutes: int, grace: timedelta) -> int:
    """The age from which the newest closed bar counts as late: two base intervals beyond the one that is still forming."""
    return TOLERATED_INTERVALS * bar_minutes + -(-int(grace.total_seconds()) // 60) + bar_minutes
