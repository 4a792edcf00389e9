"""Sessions as spans of time, for pictures: when each financial centre is at work while the market is open."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np

from goldsignal_pipeline.market.hours import TradingCalendar, sessions
from goldsignal_pipeline.market.zones import to_instant

# Sessions, openings and closes all fall on half hours of UTC.
_STEP: Final = np.timedelta64(30, "m")


def session_spans(*, start: datetime, end: datetime, calendar: TradingCalendar) -> dict[str, list[tuple[int, int]]]:
    """Per session its spans within [start, end), in epoch seconds; half hours that begin earlier are left out."""
    first = to_instant(start).astype("datetime64[s]").astype(np.int64)
    half_hour = int(_STEP.astype("timedelta64[s]").astype(np.int64))
    begin = np.datetime64(-(-int(first) // half_hour) * half_hour, "s").astype("datetime64[us]")
    instants = np.arange(begin, to_instant(end), _STEP)
    is_open = calendar.is_open(instants)
    spans = {}
    for session, at_work in sessions(instants).items():
        edges = np.flatnonzero(np.diff(np.concatenate([[False], at_work & is_open, [False]]).astype(np.int8)))
        opens = (begin + edges * _STEP).astype("datetime64[s]").astype(np.int64)
        spans[session.value] = list(zip(opens[::2].tolist(), opens[1::2].tolist(), strict=True))
    return spans
