"""A free feed without a network: the simulated market behind the provider protocol.

Promises: a window equals the same window cut from a longer one; every timeframe is the aggregation of the same minutes;
nothing outside market hours; and, like a real feed, the bar in which the clock stands is delivered half finished and
unmarked, so the rule that drops forming bars is exercised every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.delivery import Delivery, empty_rejected
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.sources import SIMULATED_SYMBOL, Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe, bar_open
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated_market import MinuteBars, SimulatedMarket, week_of

SIMULATED_SOURCE: Final = Source("simulated", Side.BID)
UNBOUNDED_PAGE: Final = 1_000_000
RECORD_START: Final = datetime(2003, 5, 1, tzinfo=UTC)
_WEEKS_PER_PAGE: Final = 26


class SimulatedProvider:
    """Candles of the simulated market up to the clock's now."""

    def __init__(self, *, seed: int, calendar: TradingCalendar, base_timeframe: Timeframe, clock: Callable[[], datetime]) -> None:
        self._market = SimulatedMarket(seed=seed, calendar=calendar)
        self._base_timeframe = base_timeframe
        self._clock = clock

    @property
    def symbol(self) -> str:
        """A symbol of its own: the simulated market never mixes with a real record."""
        return SIMULATED_SYMBOL

    @property
    def source(self) -> Source:
        """Simulated bid quotes."""
        return SIMULATED_SOURCE

    @property
    def base_timeframe(self) -> Timeframe:
        """The timeframe the live cycle asks for."""
        return self._base_timeframe

    @property
    def page_bars(self) -> int:
        """Any number: the simulated market answers every window at once."""
        return UNBOUNDED_PAGE

    def calls_needed(self, window: FetchWindow) -> int:
        """Nothing: the simulated market is free."""
        return 0

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        """Deliver up to half a year a page, oldest first; a page without open hours is left out."""
        now = self._clock()
        # No bar of any timeframe spans a week's edge (Saturday 00:00 UTC), so whole weeks hold whole bars.
        start, end = max(window.start, RECORD_START), min(window.end, now + timedelta(microseconds=1))
        for first_week in range(week_of(start), week_of(end) + 1, _WEEKS_PER_PAGE) if start < end else ():
            last_week = min(first_week + _WEEKS_PER_PAGE, week_of(end) + 1)
            bars = _known_at(self._market.minutes(first_week=first_week, last_week=last_week), now=now)
            rows = _between(_aggregate(bars, timeframe=window.timeframe), start=start, end=end)
            if rows.opens.size:
                yield Delivery(source=self.source, timeframe=window.timeframe, rows=_frame(rows), rejected=empty_rejected())


def _known_at(bars: MinuteBars, *, now: datetime) -> MinuteBars:
    """The minutes begun by `now`; of the one still under way only its first quote is known."""
    instant = to_instant(now)
    count = int(np.searchsorted(bars.opens, instant, side="right"))
    known = bars.part(0, count)
    if count == 0 or known.opens[-1] + np.timedelta64(1, "m") <= instant:
        return known
    quote = known.open[-1:]
    extremes = {name: np.append(getattr(known, name)[:-1], quote) for name in ("high", "low", "close")}
    return known._replace(**extremes, volume=np.append(known.volume[:-1], np.int64(1)))


def _aggregate(bars: MinuteBars, *, timeframe: Timeframe) -> MinuteBars:
    """Bars of `timeframe` from finer ones in time order."""
    if timeframe is Timeframe.M1 or bars.opens.size == 0:
        return bars
    if not timeframe.is_utc_aligned:  # their edges are whole hours: New York's clock is asked once an hour, not a minute
        bars = _aggregate(bars, timeframe=Timeframe.H1)
    opens = bar_open(bars.opens, timeframe=timeframe)
    first = np.flatnonzero(np.append(True, opens[1:] != opens[:-1]))
    last = np.append(first[1:], opens.size) - 1
    return MinuteBars(
        opens[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[last],
        np.add.reduceat(bars.volume, first),
    )


def _between(bars: MinuteBars, *, start: datetime, end: datetime) -> MinuteBars:
    first, last = np.searchsorted(bars.opens, np.array([to_instant(start), to_instant(end)]))
    return bars.part(int(first), int(last))


def _frame(bars: MinuteBars) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "timestamp": pd.DatetimeIndex(bars.opens).tz_localize("UTC"),
            "open": bars.open,
            "high": bars.high,
            "low": bars.low,
            "close": bars.close,
            "volume": bars.volume.astype(np.float64),
        }
    )
