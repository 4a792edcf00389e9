"""Record: the candles that a proof is tried on, and stretches of them.

A stretch holds only what an evaluation reads: the strategy's own bars from its origin on, H4 and H1 from the origins of the
context. `record_of` makes a record of one frame of bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of, resample
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants, to_datetime
from goldsignal_pipeline.proofs.comparing import Span
from goldsignal_pipeline.strategies.context import H4_WARM_UP_DAYS, VOLATILITY_WARM_UP_DAYS

PROVED_MONTHS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """Candles by timeframe, ascending; `timeframe` is the strategy's, `months` are those that are evaluated."""

    timeframe: Timeframe
    warm_up_days: int
    candles: Mapping[Timeframe, pd.DataFrame]
    closes: Mapping[Timeframe, Instants]
    start: datetime
    months: tuple[str, ...]

    @property
    def span(self) -> Span:
        """From the first instant of the first month to the end of the last."""
        return Span(month_start(self.months[0]), month_end(self.months[-1]))

    def bar_closes(self) -> Instants:
        """The closes of the strategy's bars within the months."""
        closes = self.closes[self.timeframe]
        return closes[self.span.of(closes)]

    def origin(self, timeframe: Timeframe, *, month: str) -> np.datetime64:
        """The first instant of which an evaluation of `month` reads bars of `timeframe`."""
        days = [self.warm_up_days] if timeframe is self.timeframe else []
        days += [VOLATILITY_WARM_UP_DAYS] if timeframe is Timeframe.H1 else []
        days += [H4_WARM_UP_DAYS] if timeframe is Timeframe.H4 else []
        return month_start(month) - np.timedelta64(max(days), "D")

    def stretch(self, months: Iterable[str], *, until: np.datetime64 | None = None) -> dict[Timeframe, pd.DataFrame]:
        """What an evaluation of `months` reads, and of it only bars that closed by `until`."""
        ordered = sorted(months)
        cut: dict[Timeframe, pd.DataFrame] = {}
        for timeframe, frame in self.candles.items():
            closes = self.closes[timeframe]
            first = np.searchsorted(instants_of(frame["timestamp"]), self.origin(timeframe, month=ordered[0]))
            end = np.searchsorted(closes, month_end(ordered[-1]))
            if until is not None:
                end = min(end, np.searchsorted(closes, until, side="right"))
            cut[timeframe] = frame.iloc[int(first) : int(end)]
        return cut


def month_start(month: str) -> np.datetime64:
    """The first instant of a month, YYYY-MM."""
    return np.datetime64(f"{month}-01", "us")


def month_end(month: str) -> np.datetime64:
    """The first instant after a month."""
    return month_start(str(np.datetime64(month, "M") + np.timedelta64(1, "M")))


def month_of(instant: np.datetime64) -> str:
    """The month to which a bar that closes at `instant` belongs."""
    return str(instant.astype("datetime64[M]"))


def record_of(bars: pd.DataFrame, *, given: Timeframe, timeframe: Timeframe, warm_up_days: int) -> Record:
    """A record of bars of one timeframe (`timestamp`, prices in ticks, `volume`), and the last months that are warm in it.

    Raises DataError when the bars are coarser than the strategy's or do not reach back far enough.
    """
    if given.minutes > timeframe.minutes:
        what = f"there are {given} bars, and the strategy runs on {timeframe}"
        raise DataError(what, done="nothing was proved", fix="give finer bars")
    wanted = {timeframe, *(context for context in (Timeframe.H1, Timeframe.H4) if context.minutes >= given.minutes)}
    candles = {key: bars if key is given else resample(bars, target=key) for key in wanted}
    closes = {key: bar_close(instants_of(frame["timestamp"]), timeframe=key) for key, frame in candles.items()}
    start, last = instants_of(bars["timestamp"])[0], closes[timeframe][-1]
    touched = np.arange(start.astype("datetime64[M]"), last.astype("datetime64[M]") + np.timedelta64(1, "M")).astype(str).tolist()
    oldest = start + np.timedelta64(warm_up_days, "D")
    warm = [month for month in touched if oldest <= month_start(month) < last]
    if not warm:
        what = f"the bars begin on {to_datetime(start):%Y-%m-%d}, and no month in them begins {warm_up_days} days later"
        raise DataError(what, done="nothing was proved", fix="give more bars")
    return Record(timeframe, warm_up_days, candles, closes, to_datetime(start), tuple(warm[-PROVED_MONTHS:]))
