"""When there is work: pure functions of the clock, the calendar and the last good cycle.

1. `newest_closed_bar` is the last base bar that had ended, grace included, at the tick.
2. `cycle_for_tick` says which months a live cycle must cover, or why there is nothing to do.
3. `night_for_tick` says the same of the night.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.assets.partitions import FIRST_MONTH, month_of, next_month
from goldsignal_pipeline.market.timeframes import Timeframe

if TYPE_CHECKING:
    from goldsignal_pipeline.market.hours import TradingCalendar

REFETCH_BARS: Final = 12
STRADDLING_BAR: Final = timedelta(days=1)
FIRST_DAYS: Final = 5
# A live cycle stores observations and computes what follows seconds later; what is younger than this is its work, not a repair.
SETTLING_TIME: Final = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class LastCycle:
    """The newest live cycle: the close of its bar, and whether it succeeded (None while it runs)."""

    bar_close: datetime
    succeeded: bool | None


@dataclass(frozen=True, slots=True)
class Cycle:
    """A live cycle to run: its bar, its key (one run per key), and its first and last month."""

    bar_close: datetime
    run_key: str
    first_month: str
    last_month: str


@dataclass(frozen=True, slots=True)
class Night:
    """A nightly run: its key (one run per key), and its first and last month."""

    run_key: str
    first_month: str
    last_month: str


@dataclass(frozen=True, slots=True)
class Idle:
    """No run, and why."""

    reason: str


def newest_closed_bar(now: datetime, *, calendar: TradingCalendar, timeframe: Timeframe, grace: timedelta) -> datetime | None:
    """Close of the newest base bar with market time in it that ended `grace` before `now`; None when ten days held none."""
    known = now - grace
    opens = calendar.expected_opens(timeframe=timeframe, start=known - timedelta(days=10), end=known)
    for bar_open in opens[::-1]:
        bar_close: datetime = bar_open.item().replace(tzinfo=UTC) + timeframe.length
        if bar_close <= known:
            return bar_close
    return None


def cycle_for_tick(
    now: datetime,
    *,
    calendar: TradingCalendar,
    timeframe: Timeframe,
    grace: timedelta,
    last_good_close: datetime | None,
    last: LastCycle | None,
) -> Cycle | Idle:
    """The cycle owed at `now`, or the reason for none.

    `last_good_close` is the bar close of the newest successful cycle; a bar whose cycle failed is asked for again once an
    hour while no newer bar exists, so that a failure before the weekend is made good within it.
    """
    bar_close = newest_closed_bar(now, calendar=calendar, timeframe=timeframe, grace=grace)
    if bar_close is None:
        return Idle("the market has been closed for ten days")
    if last_good_close is not None and last_good_close >= bar_close:
        return Idle(f"no new {timeframe} bar since {bar_close:%Y-%m-%d %H:%M} UTC; {_market(now, calendar=calendar)}")
    run_key = f"live_cycle:{bar_close:%Y-%m-%dT%H:%MZ}"
    if last is not None and last.bar_close == bar_close:
        if last.succeeded is None:
            return Idle(f"the cycle of {bar_close:%Y-%m-%d %H:%M} UTC is still running")
        run_key += f":again:{now:%Y-%m-%dT%H}"
    since = min(last_good_close or bar_close, bar_close) - REFETCH_BARS * timeframe.length - STRADDLING_BAR
    return Cycle(bar_close, run_key, max(month_of(since), FIRST_MONTH), month_of(now))


def night_for_tick(now: datetime, *, calendar: TradingCalendar) -> Night | Idle:
    """The months of the night after New York's close, or the reason for none.

    Until its first days are over the month before is due too: its last trades, and bars that came late.
    """
    if not len(calendar.expected_opens(timeframe=Timeframe.M15, start=now - STRADDLING_BAR, end=now)):
        return Idle("the market has been closed since yesterday")
    last = month_of(now)
    first = next_month(last, steps=-1) if now.astimezone(UTC).day <= FIRST_DAYS else last
    return Night(f"nightly_backtests:{now:%Y-%m-%d}", max(first, FIRST_MONTH), last)


def _market(now: datetime, *, calendar: TradingCalendar) -> str:
    import numpy as np

    from goldsignal_pipeline.market.zones import to_instant

    if calendar.is_open(np.array([to_instant(now)]))[0]:
        return "the market is open"
    return f"next open {calendar.next_open(now):%a %H:%M} UTC"
