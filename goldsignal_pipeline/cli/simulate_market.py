"""A feed with seeded faults: the simulated market as a careless vendor shows it. The same seed gives the same faults.

Whether a bar is missing, late or revised follows from seed and bar alone, so a feed can be asked in any order. A bar that is
late is absent until its time; one that is revised shows other prices until its time; then each is what the market made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants, to_instant
from goldsignal_pipeline.providers.base import FetchWindow, Provider, VendorUnavailableError

if TYPE_CHECKING:
    import pandas as pd

PER_MILLE: Final = 1000
MISSING: Final = 1
LATE: Final = 6
REVISED: Final = 6
OUTAGE_DAYS: Final = 30
LONGEST_OUTAGE: Final = timedelta(hours=9)
LATEST_BARS: Final = 9
HIGHEST_SHIFT_TICKS: Final = 60
_DAY: Final = timedelta(days=1)

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Faults:
    """Seeded faults that begin at `start`; of a thousand bars `MISSING` never come, `LATE` come late, `REVISED` change."""

    seed: int
    start: datetime

    def of_bars(self, opens: Instants) -> tuple[Numbers, Numbers]:
        """For each bar a number of a thousand that says what is wrong with it, and one that says how much."""
        chance = [self.drawn(f"bar {at}") for at in opens.astype(np.int64).tolist()]
        begun = opens >= to_instant(self.start)
        kind = np.where(begun, np.array([one % PER_MILLE for one in chance], dtype=np.int64), PER_MILLE)
        return kind, np.array([one // PER_MILLE % 1_000_003 for one in chance], dtype=np.int64)

    def is_down(self, now: datetime) -> bool:
        """Whether the vendor does not answer: for some hours of a day in about thirty."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for begun in (day - _DAY, day):
            drawn = self.drawn(f"outage {begun.date()}")
            if begun < self.start or drawn % OUTAGE_DAYS:
                continue
            since = begun + _DAY * (drawn // OUTAGE_DAYS % 1000 / 1000)
            if since <= now < since + LONGEST_OUTAGE * (drawn // 30_000 % 1000 / 1000):
                return True
        return False

    def drawn(self, name: str) -> int:
        """A large number that follows from seed and name."""
        return int.from_bytes(hashlib.blake2b(f"{self.seed} {name}".encode(), digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class FaultyFeed:
    """A provider as a vendor with faults shows it at the clock's now."""

    inner: Provider
    faults: Faults
    clock: Callable[[], datetime]

    @property
    def symbol(self) -> str:
        """That of the market behind it."""
        return self.inner.symbol

    @property
    def source(self) -> Source:
        """That of the market behind it."""
        return self.inner.source

    @property
    def base_timeframe(self) -> Timeframe:
        """That of the market behind it."""
        return self.inner.base_timeframe

    @property
    def page_bars(self) -> int:
        """That of the market behind it."""
        return self.inner.page_bars

    def calls_needed(self, window: FetchWindow) -> int:
        """Nothing: it is simulated."""
        return self.inner.calls_needed(window)

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        """Deliver what the vendor shows; raises `VendorUnavailableError` while it is down."""
        now = self.clock()
        if self.faults.is_down(now):
            raise VendorUnavailableError("The simulated vendor is down.", done="Nothing was stored.", fix="Wait.")
        for delivery in self.inner.fetch(window):
            yield replace(delivery, rows=self._shown(delivery.rows, timeframe=delivery.timeframe, now=now))

    def _shown(self, rows: pd.DataFrame, *, timeframe: Timeframe, now: datetime) -> pd.DataFrame:
        opens = instants_of(rows["timestamp"])
        kind, size = self.faults.of_bars(opens)
        bar = np.timedelta64(timeframe.minutes, "m")
        settled = opens + bar * (2 + size % LATEST_BARS) <= to_instant(now)
        is_missing = kind < MISSING
        is_late = (kind >= MISSING) & (kind < MISSING + LATE)
        is_revised = (kind >= MISSING + LATE) & (kind < MISSING + LATE + REVISED) & ~settled
        shift = np.where(is_revised, 1 + size // LATEST_BARS % HIGHEST_SHIFT_TICKS, 0)
        shown = rows.assign(close=rows["close"] + shift, high=np.maximum(rows["high"], rows["close"] + shift))
        return shown.loc[~(is_missing | (is_late & ~settled))].reset_index(drop=True)
