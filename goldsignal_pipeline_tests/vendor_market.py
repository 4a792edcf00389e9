"""The market as Twelve Data shows it at an instant: 24x7, the newest bar forming, the past sometimes revised.

Candles are given (recorded or simulated); this module fills closed hours with near-frozen bars, lets a bar grow from its
open to its final values (the vendor settles about a minute after the end) and shows a revision from its instant on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

PRICES = ("open", "high", "low", "close")
MICROS_PER_MINUTE = 60_000_000
Prices = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Revision:
    """Final prices of the bar that opens at `timestamp`, as shown from `shown_from` on."""

    timestamp: datetime
    shown_from: datetime
    prices: dict[str, float]


@dataclass(frozen=True)
class Withheld:
    """Bars that open in [start, end) and that the vendor lacks until `shown_from`."""

    start: datetime
    end: datetime
    shown_from: datetime


class VendorMarket:
    """Bars of any whole multiple of the given candles' length, as known at an instant.

    `candles`: `timestamp` (UTC), `open` `high` `low` `close` in USD/oz (numbers or strings).
    """

    def __init__(
        self,
        candles: pd.DataFrame,
        *,
        minutes: int = 5,
        fill_closed_hours: bool = True,
        weekend_move_usd: float = 0.0,
        settling: timedelta = timedelta(seconds=60),
    ) -> None:
        self.minutes = minutes
        self.settling = settling
        self._opens = _micros(candles["timestamp"])
        self._prices: Prices = {name: candles[name].to_numpy(dtype=np.float64) for name in PRICES}
        if fill_closed_hours:
            self._fill(weekend_move_usd=weekend_move_usd)
        self._revisions: list[Revision] = []
        self._withheld: list[Withheld] = []

    @classmethod
    def from_ticks(cls, candles: pd.DataFrame, **options: object) -> VendorMarket:
        """The same from integer ticks of 0.01 USD/oz, as providers deliver them."""
        usd = candles.assign(**{name: candles[name] / 100 for name in PRICES})
        return cls(usd, **options)  # type: ignore[arg-type]

    def revise(self, timestamp: datetime, *, shown_from: datetime, **prices: float) -> None:
        """Show other final prices of a bar from an instant on."""
        self._revisions.append(Revision(timestamp=timestamp, shown_from=shown_from, prices=prices))

    def withhold(self, start: datetime, end: datetime, *, shown_from: datetime) -> None:
        """Lack the bars that open in [start, end) until an instant."""
        self._withheld.append(Withheld(start=start, end=end, shown_from=shown_from))

    def bars(self, *, minutes: int, start: datetime, end: datetime, now: datetime) -> tuple[npt.NDArray[np.int64], Prices]:
        """Opens (microseconds of the epoch) in [start, end] and prices, ascending, as the vendor knows them at `now`."""
        width = minutes * MICROS_PER_MINUTE
        first = np.searchsorted(self._opens, _up(_micro(start), width=width))
        last = np.searchsorted(self._opens, min(_micro(end) + width, _micro(now) + 1))
        opens = self._opens[first:last]
        prices = {name: column[first:last].copy() for name, column in self._prices.items()}
        self._apply_revisions(opens, prices, now=now)
        self._unfinish(opens, prices, now=now)
        return _within(*_aggregate(*self._without_withheld(opens, prices, now=now), width=width), end=_micro(end))

    def _fill(self, *, weekend_move_usd: float) -> None:
        width = self.minutes * MICROS_PER_MINUTE
        grid = np.arange(self._opens[0], self._opens[-1] + width, width)
        source = np.searchsorted(self._opens, grid, side="right") - 1
        closed = self._opens[source] != grid
        gap = np.diff(self._opens, append=self._opens[-1] + width)[source]
        progress = (grid - self._opens[source]) / gap
        drift = np.where(gap > 24 * 60 * MICROS_PER_MINUTE, weekend_move_usd, 0.0) * progress
        noise = np.random.default_rng(20260207).normal(0.0, 0.05, size=(3, grid.size))
        level = self._prices["close"][source] + drift
        filler = {"open": level + noise[0], "close": level + noise[1]}
        filler["high"] = np.maximum(filler["open"], filler["close"]) + np.abs(noise[2])
        filler["low"] = np.minimum(filler["open"], filler["close"]) - np.abs(noise[2])
        self._prices = {name: np.where(closed, filler[name].round(5), self._prices[name][source]) for name in PRICES}
        self._opens = grid

    def _apply_revisions(self, opens: npt.NDArray[np.int64], prices: Prices, *, now: datetime) -> None:
        for revision in sorted(self._revisions, key=lambda each: each.shown_from):
            if revision.shown_from <= now:
                where = opens == _micro(revision.timestamp)
                for name, value in revision.prices.items():
                    prices[name][where] = value

    def _without_withheld(
        self, opens: npt.NDArray[np.int64], prices: Prices, *, now: datetime
    ) -> tuple[npt.NDArray[np.int64], Prices]:
        kept = np.ones(opens.size, dtype=bool)
        for stretch in self._withheld:
            if now < stretch.shown_from:
                kept &= (opens < _micro(stretch.start)) | (opens >= _micro(stretch.end))
        return opens[kept], {name: column[kept] for name, column in prices.items()}

    def _unfinish(self, opens: npt.NDArray[np.int64], prices: Prices, *, now: datetime) -> None:
        """Let bars that are not settled at `now` have gone only part of their way from the open."""
        life = self.minutes * MICROS_PER_MINUTE + self.settling // timedelta(microseconds=1)
        share = np.clip((_micro(now) - opens) / life, 0.0, 1.0)
        growing = share < 1.0
        start = prices["open"][growing]
        for name in ("high", "low", "close"):
            column = prices[name]
            column[growing] = (start + (column[growing] - start) * share[growing]).round(5)
        prices["high"] = np.maximum.reduce([prices["high"], prices["open"], prices["close"]])
        prices["low"] = np.minimum.reduce([prices["low"], prices["open"], prices["close"]])


def _aggregate(opens: npt.NDArray[np.int64], prices: Prices, *, width: int) -> tuple[npt.NDArray[np.int64], Prices]:
    if opens.size == 0:
        return opens, prices
    buckets = opens // width * width
    first = np.flatnonzero(np.append(True, np.diff(buckets) != 0))
    last = np.append(first[1:], opens.size) - 1
    return buckets[first], {
        "open": prices["open"][first],
        "high": np.maximum.reduceat(prices["high"], first),
        "low": np.minimum.reduceat(prices["low"], first),
        "close": prices["close"][last],
    }


def _within(opens: npt.NDArray[np.int64], prices: Prices, *, end: int) -> tuple[npt.NDArray[np.int64], Prices]:
    count = int(np.searchsorted(opens, end, side="right"))
    return opens[:count], {name: column[:count] for name, column in prices.items()}


def _up(micros: int, *, width: int) -> int:
    return -(-micros // width) * width


def _micro(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _micros(timestamps: pd.Series) -> npt.NDArray[np.int64]:
    utc = pd.to_datetime(timestamps, utc=True)
    return utc.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
