"""Zones of candle files: their names, and which of them the hours of trading in a file allow.

A file without a zone still shows gold's closed hours: the weekend and the daily pause. Read in the right zone they lie
where the market is closed; in a wrong one rows fall into closed hours and open hours are empty.

1. `parse_zone` reads a name: an IANA name, a fixed offset (`UTC+2`), New York's clock shifted (`NY+7`, the clock of most
   brokers' servers, which changes on US dates) or `EET/EEST` (the other brokers, which change on EU dates).
2. `judge_zones` lays the trading hours of every candidate over the slots of the file and counts the hours that do not
   match. Only bars on which two candidates differ can tell them apart, so ten months of agreement hide nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zoneinfo import available_timezones

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.timeframes import ROLL_HOUR_NEW_YORK
from goldsignal_pipeline.market.zones import NEW_YORK, Instants, from_wall, to_wall

Flags = npt.NDArray[np.bool_]

_PAUSE_IS_NEW_YORKS_FROM: Final = np.datetime64("2016-01-01", "us")
_MINIMUM_HOURS: Final = 2.0
_MINIMUM_SHARE: Final = 0.01
_SHIFTED_NEW_YORK: Final = re.compile(r"NY([+-]\d{1,2})", re.IGNORECASE)
_FIXED_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Zone:
    """A clock: that of an IANA zone, `shift_minutes` ahead."""

    name: str
    iana: str
    shift_minutes: int = 0

    def to_utc(self, wall: Instants) -> Instants:
        """The UTC instants at which this clock shows `wall`; a repeated time means its first occurrence.

        Every candidate's clocks change at the weekend, when no bar of gold can be.
        """
        return from_wall(wall - np.timedelta64(self.shift_minutes, "m"), zone=self.iana)


UTC_ZONE: Final = Zone("UTC", "UTC")
SERVER_ON_US_DATES: Final = Zone("NY+7", NEW_YORK, 7 * 60)
SERVER_ON_EU_DATES: Final = Zone("EET/EEST", "Europe/Athens")
EASTERN_WITHOUT_DST: Final = Zone("UTC-5", "UTC", -5 * 60)
_NAMED: Final = {
    "utc": UTC_ZONE,
    "gmt": UTC_ZONE,
    "z": UTC_ZONE,
    "eet": SERVER_ON_EU_DATES,
    "eest": SERVER_ON_EU_DATES,
    "eet/eest": SERVER_ON_EU_DATES,
    "europe/athens": SERVER_ON_EU_DATES,
    "est": EASTERN_WITHOUT_DST,
}


def _fixed(minutes: int) -> Zone:
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return Zone(f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else ""), "UTC", minutes) if minutes else UTC_ZONE


# Where several mean the same instants the first one gives the name.
CANDIDATES: Final = (
    UTC_ZONE,
    SERVER_ON_US_DATES,
    SERVER_ON_EU_DATES,
    EASTERN_WITHOUT_DST,
    *(Zone(name, name) for name in (NEW_YORK, "Australia/Sydney", "Europe/London", "Europe/Berlin", "America/Chicago")),
    *(_fixed(60 * hours) for hours in (*range(-12, -5), *range(-4, 0), *range(1, 15))),
    *(_fixed(minutes) for minutes in (210, 330)),
)


def parse_zone(text: str) -> Zone:
    """Read a zone's name; raises UsageError with the nearest valid name."""
    name = text.strip()
    if known := _NAMED.get(name.lower()):
        return known
    if match := _SHIFTED_NEW_YORK.fullmatch(name):
        hours = int(match[1])
        return Zone(f"NY{hours:+d}", NEW_YORK, hours * 60)
    if match := _FIXED_OFFSET.fullmatch(name):
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        if minutes <= 14 * 60:
            return _fixed(-minutes if match[1] == "-" else minutes)
    if name in available_timezones():
        return Zone(name, name)
    names = sorted(available_timezones() | {"NY+7", "EET/EEST", "UTC+2"})
    near = difflib.get_close_matches(name, names, n=1)
    raise UsageError(
        f"expected a time zone, was {text!r}",
        done="nothing was read",
        fix=(f"did you mean {near[0]}? " if near else "") + "Write an IANA name, UTC+2, NY+7 or EET/EEST.",
    )


@dataclass(frozen=True, slots=True)
class Slots:
    """The hours of a file: a complete grid of wall times, `active` where the market seems to trade.

    `starts`, `active`: one per slot of `minutes`. `stamps`: wall times whose instants must be known (all rows, or the active
    slots that stand for them), each standing for `stamp_minutes`. `grid_minutes`: opens lie on multiples of it in UTC.
    """

    starts: Instants
    active: Flags
    minutes: int
    stamps: Instants
    stamp_minutes: int
    grid_minutes: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a file's hours fit a zone. `fitting`: the best zone and those that the data cannot tell from it, best first.

    `closed_share`: share of the file's trading that falls into hours the best zone calls closed. `is_unique`: all fitting
    zones mean the same instants.
    """

    fitting: tuple[Zone, ...]
    closed_share: float
    is_unique: bool


def judge_zones(
    slots: Slots, *, calendar: TradingCalendar, claimed: Zone | None, to_opens: Callable[[Instants], Instants]
) -> Judgement:
    """Compare the file's hours with the trading hours of every candidate, `claimed` among them.

    `to_opens` completes the conversion of row stamps (daily bars are moved to the roll), so that zones count as equal
    when the bars are.
    """
    known = CANDIDATES if claimed is None or claimed in CANDIDATES else (*CANDIDATES, claimed)
    candidates = [zone for zone in known if zone == claimed or _on_grid(zone, slots)]
    middle = np.timedelta64(slots.minutes * 30, "s")
    counts = {}
    for zone in candidates:
        counts[zone] = _mismatches(zone.to_utc(slots.starts) + middle, slots.active, calendar=calendar)
    order = sorted(candidates, key=counts.__getitem__)
    opens = to_opens(order[0].to_utc(slots.stamps))
    fitting, unique = [order[0]], True
    for zone in order[1:]:
        differing = int(np.count_nonzero(to_opens(zone.to_utc(slots.stamps)) != opens)) * slots.stamp_minutes
        surplus = (counts[zone] - counts[order[0]]) * slots.minutes
        if surplus < _MINIMUM_HOURS * 60 or surplus < _MINIMUM_SHARE * differing:
            fitting.append(zone)
            unique &= differing == 0
    if unique:
        fitting.sort(key=candidates.index)
    closed = ~calendar.is_open(order[0].to_utc(slots.starts[slots.active]) + middle)
    return Judgement(tuple(fitting), float(np.mean(closed)), unique)


def _mismatches(instants: Instants, active: Flags, *, calendar: TradingCalendar) -> int:
    """Slots that are active while the market is closed, or idle while it is open.

    Up to 2015 some brokers on EU dates paused by their server's clock instead of New York's, so the hours around the pause
    tell nothing in the weeks between the clock changes of the US and the EU.
    """
    wrong = np.flatnonzero(calendar.is_open(instants) != active)
    doubtful = instants[wrong][instants[wrong] < _PAUSE_IS_NEW_YORKS_FROM]
    new_york = to_wall(doubtful, zone=NEW_YORK)
    between_changes = to_wall(doubtful, zone=SERVER_ON_EU_DATES.iana) - new_york != np.timedelta64(7, "h")
    hour = (new_york - new_york.astype("datetime64[D]")) // np.timedelta64(1, "h") - ROLL_HOUR_NEW_YORK
    monday_to_thursday = np.is_busday(new_york.astype("datetime64[D]"), weekmask="1111000")
    forgiven = between_changes & (np.abs(hour) <= 1) & monday_to_thursday
    return len(wrong) - int(np.count_nonzero(forgiven))


def _on_grid(zone: Zone, slots: Slots) -> bool:
    """Whether most rows lie on the timeframe's grid; a zone half an hour off would move hourly bars to the half hour."""
    minutes = zone.to_utc(slots.stamps).astype("datetime64[m]").astype(np.int64)
    return bool(np.mean(minutes % slots.grid_minutes == 0) > 0.5)
