"""Timeframes: how long a bar is, where bars begin, and when they close.

M1 to H1 are aligned to UTC. H4 and D1 are aligned to 17:00 America/New_York, when gold's trading day rolls, so an H4 bar
may last three or five hours in UTC across a clock change (the market is closed then) and a D1 bar 23 or 25.
Instants are UTC: `datetime64[us]` arrays without a zone, or aware `datetime` scalars.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.zones import NEW_YORK, Instants, from_wall, to_wall

ROLL_HOUR_NEW_YORK: Final = 17
_ROLL: Final = np.timedelta64(ROLL_HOUR_NEW_YORK, "h")


class Timeframe(StrEnum):
    """A bar length, from one minute to one trading day."""

    M1 = "M1"
    M5 = "M5"
    M15 = "M15"
    M30 = "M30"
    H1 = "H1"
    H4 = "H4"
    D1 = "D1"

    @property
    def minutes(self) -> int:
        """Nominal length in minutes."""
        return _MINUTES[self]

    @property
    def length(self) -> timedelta:
        """Nominal length."""
        return timedelta(minutes=self.minutes)

    @property
    def is_utc_aligned(self) -> bool:
        """True for M1 to H1; False for H4 and D1, which follow New York's clock."""
        return self.minutes <= 60

    def coarser(self) -> tuple[Timeframe, ...]:
        """Every longer timeframe, shortest first."""
        return tuple(other for other in Timeframe if other.minutes > self.minutes)


PRUNABLE: Final = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.M30)
"""Of which old candles need not be kept: longer bars are few, and they tell where a record begins."""


_MINUTES: Final[dict[Timeframe, int]] = {
    Timeframe.M1: 1,
    Timeframe.M5: 5,
    Timeframe.M15: 15,
    Timeframe.M30: 30,
    Timeframe.H1: 60,
    Timeframe.H4: 240,
    Timeframe.D1: 1440,
}


def bar_open(instants: Instants, *, timeframe: Timeframe) -> Instants:
    """The open of the bar that contains each instant.

    Takes and returns `datetime64[us]` arrays in UTC, of equal shape.
    """
    if timeframe.is_utc_aligned:
        return _floor(instants, minutes=timeframe.minutes)
    # The only edge inside New York's repeated hour is 01:00, of which the first is meant; no edge is ever skipped.
    wall = to_wall(instants, zone=NEW_YORK)
    return from_wall(_floor(wall - _ROLL, minutes=timeframe.minutes) + _ROLL, zone=NEW_YORK)


def bar_close(opens: Instants, *, timeframe: Timeframe) -> Instants:
    """The nominal end of the bars that open at `opens` (which must be aligned).

    Takes and returns `datetime64[us]` arrays in UTC; the close is exclusive and equals the next bar's open.
    """
    length = np.timedelta64(timeframe.minutes, "m")
    if timeframe.is_utc_aligned:
        return np.asarray(opens.astype("datetime64[us]") + length)
    return from_wall(to_wall(opens, zone=NEW_YORK) + length, zone=NEW_YORK)


def is_aligned(instants: Instants, *, timeframe: Timeframe) -> npt.NDArray[np.bool_]:
    """Where an instant is the open of a bar."""
    return np.asarray(bar_open(instants, timeframe=timeframe) == instants.astype("datetime64[us]"))


def _floor(instants: Instants, *, minutes: int) -> Instants:
    micros = np.asarray(instants).astype("datetime64[us]").astype(np.int64)
    step = np.int64(minutes * 60_000_000)
    return np.asarray((micros // step * step).astype("datetime64[us]"))
