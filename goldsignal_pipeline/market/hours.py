"""Hours: when gold trades, why it does not, and how much trading time lies between two instants.

1. The base rule: Sunday 18:00 to Friday 17:00 New York, closed daily from 17:00 to 18:00.
2. `calendar.csv` beside this module names every exceptional trading day. It is frozen and versioned, because results
   depend on it and a library's answers about the past change between its releases.
3. `TradingCalendar` lays both out as sorted open intervals; every question is then a binary search.
4. `sessions` tells which financial centres are at work, by their own clocks.

A trading day runs from 17:00 to 17:00 New York and carries the date on which it ends, so a Monday begins on Sunday and the
reopening on the evening of a holiday belongs to the day after. Instants are UTC `datetime64[us]` arrays.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.reasons import ClosedReason
from goldsignal_pipeline.market.timeframes import ROLL_HOUR_NEW_YORK, Timeframe, bar_close, bar_open
from goldsignal_pipeline.market.zones import LONDON, NEW_YORK, TOKYO, Instants, from_wall, to_datetime, to_instant, to_wall

Days = npt.NDArray[np.datetime64]
Flags = npt.NDArray[np.bool_]

_SPAN: Final = (np.datetime64("2000-01-01", "D"), np.datetime64("2051-01-01", "D"))
_DAY: Final = np.timedelta64(1, "D")
_ROLL: Final = np.timedelta64(ROLL_HOUR_NEW_YORK, "h")
_BREAK: Final = np.timedelta64(1, "h")
_MICROS_PER_MINUTE: Final = 60_000_000


class Session(StrEnum):
    """A part of the day named after the financial centre at work."""

    ASIA = "asia"
    LONDON = "london"
    NEW_YORK = "new_york"
    OVERLAP = "overlap"


def sessions(instants: Instants) -> dict[Session, Flags]:
    """Which sessions each instant belongs to, by local clocks; a bar belongs to those of its open.

    Asia 09:00-18:00 Tokyo, London 08:00-17:00 London, New York 08:00-17:00 New York, overlap = London and New York.
    """
    asia = _within_local_hours(instants, zone=TOKYO, first_hour=9, end_hour=18)
    london = _within_local_hours(instants, zone=LONDON, first_hour=8, end_hour=17)
    new_york = _within_local_hours(instants, zone=NEW_YORK, first_hour=8, end_hour=17)
    return {Session.ASIA: asia, Session.LONDON: london, Session.NEW_YORK: new_york, Session.OVERLAP: london & new_york}


@dataclass(frozen=True, slots=True)
class ExceptionalDay:
    """A trading day that departs from the base rule.

    `opens` and `closes` are New York times, an opening at or after 17:00 being that of the evening before; both are None
    when the market stays closed all day.
    """

    day: date
    opens: time | None
    closes: time | None
    reason: ClosedReason


@dataclass(frozen=True, slots=True, eq=False)
class TradingCalendar:
    """The hours of spot gold from 2000 to 2050; an instant outside these years counts as a holiday.

    Exceptional days are known from `first_day` to `last_day`; beyond them only the base rule answers.
    """

    version: str
    exceptional_days: tuple[ExceptionalDay, ...]
    _opens: Instants = field(repr=False)
    _closes: Instants = field(repr=False)
    _open_micros_before: npt.NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(cls, *, version: str, exceptional_days: Iterable[ExceptionalDay]) -> Self:
        """Lay the base rule and the exceptional days out as sorted open intervals."""
        ordered = tuple(sorted(exceptional_days, key=lambda exceptional: exceptional.day))
        opens, closes = _open_intervals(ordered)
        before = np.concatenate([[0], np.cumsum((closes - opens).astype(np.int64))])
        return cls(version, ordered, opens, closes, before)

    @property
    def first_day(self) -> date:
        """The first trading day known to be exceptional."""
        return self.exceptional_days[0].day

    @property
    def last_day(self) -> date:
        """The last trading day known to be exceptional."""
        return self.exceptional_days[-1].day

    def is_open(self, instants: Instants) -> Flags:
        """Where the market trades; an opening belongs to the open interval, a close does not."""
        instants = np.asarray(instants).astype("datetime64[us]")
        interval = np.searchsorted(self._opens, instants, side="right") - 1
        return np.asarray((interval >= 0) & (instants < self._closes[np.maximum(interval, 0)]))

    def closed_reason(self, instants: Instants) -> npt.NDArray[np.object_]:
        """Why the market is closed at each instant: a `ClosedReason` value, or "" where it is open.

        A wholly closed day is a holiday from 17:00 to 17:00; the hour before a Monday's opening is weekend.
        """
        instants = np.asarray(instants).astype("datetime64[us]")
        days = self.trading_day(instants)
        into_day = instants - self.trading_day_bounds(days)[0]
        weekday = _weekday(days)
        reasons, rests_all_day = self._exceptions(days)
        in_break = (into_day < _BREAK) & ~rests_all_day
        reasons[in_break] = ClosedReason.DAILY_BREAK.value
        reasons[(weekday >= 5) | (in_break & (weekday == 0))] = ClosedReason.WEEKEND.value
        reasons[self.is_open(instants)] = ""
        return reasons

    def is_expected(self, opens: Instants, *, timeframe: Timeframe) -> Flags:
        """Where the bar that opens at `opens` (aligned) holds at least one open minute.

        This, not `is_open`, decides whether a bar may exist: a D1 bar opens while the market still rests.
        """
        opens = np.asarray(opens).astype("datetime64[us]")
        return np.asarray(self._elapsed(bar_close(opens, timeframe=timeframe)) > self._elapsed(opens))

    def expected_opens(self, *, timeframe: Timeframe, start: datetime, end: datetime) -> Instants:
        """The opens in [start, end) of all bars with at least one open minute, ascending.

        A partial hour counts as a bar, and the H4 bar of 17:00 New York, which trades three hours, as one.
        """
        candidates = _bar_opens(to_instant(start), to_instant(end), timeframe=timeframe)
        return candidates[self.is_expected(candidates, timeframe=timeframe)]

    def open_minutes_between(self, start: Instants, end: Instants) -> npt.NDArray[np.int64]:
        """Whole minutes of trading time in [start, end), for arrays that broadcast."""
        return np.asarray((self._elapsed(end) - self._elapsed(start)) // _MICROS_PER_MINUTE)

    def add_open_time(self, start: Instants, *, minutes: int) -> Instants:
        """The first instant, never before `start`, by which `minutes` of trading time have passed since `start`."""
        start = np.asarray(start).astype("datetime64[us]")
        target = self._elapsed(start) + minutes * _MICROS_PER_MINUTE
        interval = np.maximum(np.searchsorted(self._open_micros_before, target, side="left") - 1, 0)
        if np.any(interval >= len(self._opens)):
            raise DataError(
                f"the trading calendar ends in {_SPAN[1]}, {minutes} minutes of trading later lie beyond it",
                done="nothing was computed",
                fix="use an earlier instant or extend the calendar",
            )
        into_interval = (target - self._open_micros_before[interval]).astype("timedelta64[us]")
        return np.asarray(np.maximum(self._opens[interval] + into_interval, start))

    def next_open(self, instant: datetime) -> datetime:
        """The first opening at or after `instant`."""
        return to_datetime(self._opens[np.searchsorted(self._opens, to_instant(instant), side="left")])

    def last_close(self, instant: datetime) -> datetime:
        """The last close at or before `instant`."""
        return to_datetime(self._closes[np.searchsorted(self._closes, to_instant(instant), side="right") - 1])

    @staticmethod
    def trading_day(instants: Instants) -> Days:
        """The date (`datetime64[D]`) on which the 17:00-to-17:00 New York day of each instant ends."""
        return np.asarray((to_wall(instants, zone=NEW_YORK) - _ROLL).astype("datetime64[D]") + _DAY)

    @staticmethod
    def trading_day_bounds(days: Days) -> tuple[Instants, Instants]:
        """Begin and (exclusive) end of each trading day, as UTC instants: 17:00 to 17:00 New York."""
        ends: Instants = np.add(np.asarray(days).astype("datetime64[us]"), _ROLL)
        return from_wall(np.subtract(ends, _DAY), zone=NEW_YORK), from_wall(ends, zone=NEW_YORK)

    def _exceptions(self, days: Days) -> tuple[npt.NDArray[np.object_], Flags]:
        """Why a weekday's hours depart from the base rule, and whether it has none at all; unknown years have none."""
        known = {exceptional.day: exceptional for exceptional in self.exceptional_days}
        unique, inverse = np.unique(days, return_inverse=True)
        listed = [known.get(day) for day in unique.tolist()]
        reasons = [(exceptional.reason if exceptional else ClosedReason.HOLIDAY).value for exceptional in listed]
        rests = np.array([exceptional is not None and exceptional.opens is None for exceptional in listed], dtype=bool)
        rests |= (unique < _SPAN[0]) | (unique >= _SPAN[1])
        return np.array(reasons, dtype=object)[inverse], rests[inverse]

    def _elapsed(self, instants: Instants) -> npt.NDArray[np.int64]:
        """Microseconds of trading time from the beginning of the calendar to each instant."""
        instants = np.asarray(instants).astype("datetime64[us]")
        interval = np.searchsorted(self._opens, instants, side="right") - 1
        known = np.maximum(interval, 0)
        inside = np.minimum(instants, self._closes[known]) - self._opens[known]
        return np.asarray(np.where(interval < 0, 0, self._open_micros_before[known] + inside.astype(np.int64)))


@cache
def load_calendar() -> TradingCalendar:
    """The calendar of the frozen table `calendar.csv`; raises DataError when the table is damaged."""
    text = resources.files("goldsignal_pipeline.market").joinpath("calendar.csv").read_text(encoding="utf-8")
    return parse_calendar(text)


def parse_calendar(text: str) -> TradingCalendar:
    """A calendar from a line `# version N` and a table `date,open,close,reason,basis`; raises DataError otherwise."""
    head, _, table = text.partition("\n")
    try:
        version = _version(head)
        days = [_exceptional_day(row) for row in csv.DictReader(table.splitlines())]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the trading calendar cannot be read: {error}", done="no hours are known", fix="install the package again"
        ) from error
    return TradingCalendar.of(version=version, exceptional_days=days)


def _version(head: str) -> str:
    marker, _, version = head.rpartition(" ")
    if marker != "# version" or not version:
        raise ValueError(f"expected '# version N', was {head!r}")
    return version


def _exceptional_day(row: dict[str, str]) -> ExceptionalDay:
    opens, closes = (time.fromisoformat(row[name]) if row[name] else None for name in ("open", "close"))
    if (opens is None) != (closes is None):
        raise ValueError(f"expected both times or none, was {row}")
    return ExceptionalDay(date.fromisoformat(row["date"]), opens, closes, ClosedReason(row["reason"]))


def _open_intervals(exceptional_days: tuple[ExceptionalDay, ...]) -> tuple[Instants, Instants]:
    days = np.arange(*_SPAN)
    days = days[_weekday(days) < 5]
    opens: Instants = np.add(days.astype("datetime64[us]"), _ROLL + _BREAK - _DAY)
    closes: Instants = np.add(days.astype("datetime64[us]"), _ROLL)
    traded = np.ones(len(days), dtype=bool)
    for exceptional in exceptional_days:
        position = int(np.searchsorted(days, np.datetime64(exceptional.day, "D")))
        if exceptional.opens is None or exceptional.closes is None:
            traded[position] = False
            continue
        opens[position] = _wall_within_day(exceptional.day, exceptional.opens)
        closes[position] = _wall_within_day(exceptional.day, exceptional.closes)
    return from_wall(opens[traded], zone=NEW_YORK), from_wall(closes[traded], zone=NEW_YORK)


def _wall_within_day(day: date, clock: time) -> np.datetime64:
    evening_before = clock.hour > ROLL_HOUR_NEW_YORK
    return np.datetime64(datetime.combine(day, clock), "us") - (_DAY if evening_before else np.timedelta64(0, "D"))


def _bar_opens(start: np.datetime64, end: np.datetime64, *, timeframe: Timeframe) -> Instants:
    """Every bar open in [start, end), traded or not."""
    if timeframe.is_utc_aligned:
        step = np.timedelta64(timeframe.minutes, "m")
        grid = np.arange(bar_open(np.array([start]), timeframe=timeframe)[0], end, step)
    else:
        hours = np.arange(start.astype("datetime64[h]"), end, np.timedelta64(1, "h")).astype("datetime64[us]")
        grid = np.unique(bar_open(hours, timeframe=timeframe))
    return np.asarray(grid[(grid >= start) & (grid < end)])


def _weekday(days: Days) -> npt.NDArray[np.int64]:
    """Monday 0 to Sunday 6; 1970-01-01 was a Thursday."""
    return np.asarray((days.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def _within_local_hours(instants: Instants, *, zone: str, first_hour: int, end_hour: int) -> Flags:
    wall = to_wall(instants, zone=zone)
    into_day = wall - wall.astype("datetime64[D]")
    return np.asarray((into_day >= np.timedelta64(first_hour, "h")) & (into_day < np.timedelta64(end_hour, "h")))
