"""Zones: UTC instants to local clocks and back, exact and fast for whole arrays, whatever the host's own zone.

A zone's clock changes are read once from the IANA database into a sorted table; every conversion is then one binary
search. The table spans 1990 to 2060; outside it the nearest known offset holds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Instants = npt.NDArray[np.datetime64]

NEW_YORK: Final = "America/New_York"
LONDON: Final = "Europe/London"
TOKYO: Final = "Asia/Tokyo"

_FIRST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_DAYS: Final = (datetime(2060, 1, 1, tzinfo=UTC) - _FIRST).days
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)


def to_wall(instants: Instants, *, zone: str) -> Instants:
    """What the clocks of `zone` show at UTC `instants`.

    Takes and returns `datetime64[us]` arrays of equal shape.
    """
    changes, offsets, _ = _clock_changes(zone)
    instants = np.asarray(instants).astype("datetime64[us]")
    return np.asarray(instants + offsets[np.searchsorted(changes, instants, side="right") - 1])


def from_wall(wall: Instants, *, zone: str) -> Instants:
    """The UTC instants at which the clocks of `zone` show `wall`.

    Takes and returns `datetime64[us]` arrays of equal shape. A repeated time means its first occurrence; a skipped time is
    read with the offset in force before the change.
    """
    _, offsets, wall_changes = _clock_changes(zone)
    wall = np.asarray(wall).astype("datetime64[us]")
    return np.asarray(wall - offsets[np.searchsorted(wall_changes, wall, side="right") - 1])


def to_instant(moment: datetime) -> np.datetime64:
    """An aware datetime as a UTC `datetime64[us]`; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"expected an aware datetime, was {moment!r}")
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def to_datetime(instant: np.datetime64) -> datetime:
    """A UTC `datetime64` as an aware datetime."""
    moment: datetime = instant.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)


@cache
def _clock_changes(zone: str) -> tuple[Instants, npt.NDArray[np.timedelta64], Instants]:
    """Instants of change, the offset from each on, and the wall times from which each offset answers."""
    clock = ZoneInfo(zone)
    days = [_FIRST + day * _DAY for day in range(_DAYS)]
    offset_at = [day.astimezone(clock).utcoffset() for day in days]
    changed = [day for day, before, after in zip(days, offset_at, offset_at[1:], strict=False) if before != after]
    starts = [_FIRST, *(_change_after(day, clock=clock) for day in changed)]
    changes = np.array([start.replace(tzinfo=None) for start in starts], dtype="datetime64[us]")
    offsets = np.array([start.astimezone(clock).utcoffset() for start in starts], dtype="timedelta64[us]")
    # The later of both readings of a change: a repeated hour stays with the old offset, and so does a skipped one.
    wall_changes = changes + np.maximum(offsets, np.concatenate([offsets[:1], offsets[:-1]]))
    changes[0] = wall_changes[0] = np.iinfo(np.int64).min + 1
    return changes, offsets, wall_changes


def _change_after(start: datetime, *, clock: ZoneInfo) -> datetime:
    """The minute within a day of `start` from which another offset holds; zones change at most once a day."""
    before, end = start.astimezone(clock).utcoffset(), start + _DAY
    while end - start > _MINUTE:
        middle = start + (end - start) // _MINUTE // 2 * _MINUTE
        if middle.astimezone(clock).utcoffset() == before:
            start = middle
        else:
            end = middle
    return end
