"""Completeness: how much of a trading day was missing at an instant, by the bars alone.

A day is blocked while more than 2 % of its market time so far is covered by no base bar; a run at its end counts from two hours
on, and all of it where there is no bar yet. It is the rule of `coverage`, asked for instants within a day: what a decision at
that instant may know.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.coverage import MISSING_SHARE, TOLERATED_TRAILING_MINUTES
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.zones import Instants

Flags = npt.NDArray[np.bool_]

_INSTANT = np.timedelta64(1, "us")


def is_blocked_at(at: Instants, *, opens: Instants, closes: Instants, calendar: TradingCalendar) -> Flags:
    """Whether the trading day that ends at or holds each instant was too incomplete by then to decide on.

    `opens` and `closes` are those of the base bars, ascending and not overlapping; bars that close after an instant are not read
    for it (I5). `at` are `datetime64[us]` in UTC.
    """
    if not len(at):
        return np.zeros(0, dtype=bool)
    begins, _ = calendar.trading_day_bounds(calendar.trading_day(np.asarray(at - _INSTANT)))
    expected = calendar.open_minutes_between(begins, at)
    covered = np.concatenate([[0], np.cumsum(calendar.open_minutes_between(opens, closes))])
    first, stop = np.searchsorted(opens, begins, side="left"), np.searchsorted(closes, at, side="right")
    stop = np.maximum(first, stop)
    missing = expected - (covered[stop] - covered[first])
    newest = np.where(stop > first, np.append(closes, begins[:1])[np.maximum(stop - 1, 0)], begins)
    trailing = calendar.open_minutes_between(newest, at)
    missing -= np.where((stop > first) & (trailing < TOLERATED_TRAILING_MINUTES), trailing, 0)
    return np.asarray(missing * MISSING_SHARE > expected)
