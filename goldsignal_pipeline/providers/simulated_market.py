"""The simulated gold market: one endless path of minute bars, a pure function of seed, calendar and minute.

Random access without a stored path. Weekly closes are a short chain of integers from 2003 on; inside a week the minute
increments are hashed from the minute's own number and bridged between the two closes, so a week can be made alone and is
the same whatever else is asked for. Every step is integer arithmetic, or one of the float operations that IEEE 754 rounds
alike everywhere (+ - * / sqrt rint ldexp), never a function of the platform's mathematics library or a random generator
of a library: the same seed gives the same ticks on every machine and numpy version.

The figures are shaped after recorded gold (ranges by session, clusters of volatility, gaps, weekly movement); there is
neither a trend nor an edge in them on purpose, and regimes of direction are symmetric.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.zones import LONDON, NEW_YORK, TOKYO, Instants, to_instant, to_wall

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

ORIGIN: Final = datetime(2003, 4, 26, tzinfo=UTC)  # a Saturday, 00:00 UTC: no bar ever spans a week's edge
WEEK_MINUTES: Final = 7 * 1440
_LAST_WEEK: Final = 52 * 50

# Log prices are int64 multiples of 1e-8, so one basis point is 10,000 units.
_UNIT: Final = 1e-8
_BASIS_POINT: Final = 10_000
_START_LEVEL: Final = 800_636_757  # ln 3000
_LOWEST_LEVEL: Final = 599_146_455  # ln 400
_HIGHEST_LEVEL: Final = 869_951_475  # ln 6000
_PULL_WEEKS: Final = 120  # the weekly close returns to the start level by 1/120 of its distance

_WEEK_MOVE: Final = 260 * _BASIS_POINT  # standard deviation of a week's movement at normal volatility
_TREND_DRIFT: Final = 90 * _BASIS_POINT
_REGIME_NOISE: Final = (0.75, 1.0, 1.0)  # range, rising, falling: share of the usual weekly movement
_REGIME_DRIFT: Final = (0, 1, -1)
_REGIME_CHANGES: Final = 65536 // 8  # of 65,536: a regime lasts eight weeks on average

# Standard deviation of a minute in 0.01 bp by local hour, largest of the three clocks; the gaps by kind of closure.
_QUIET: Final = 145
_HOURLY: Final = (
    (TOKYO, 9, (220, 220, 205, 195, 185, 180, 178, 176, 174)),
    (LONDON, 8, (215, 205, 186, 180, 178, 186, 195, 195, 185)),
    (NEW_YORK, 8, (290, 390, 345, 250, 195, 175, 155, 145, 112)),
)
_NEWS: Final = (900, 420, 300, 250, 220, 200, 190, 180, 170, 160, *(140,) * 10, *(120,) * 10)  # percent, by minute
_NEWS_MINUTE_NEW_YORK: Final = 8 * 60 + 30
_NEWS_CHANCE: Final = 65536 // 6
_BREAK_GAP: Final = 8.0 * _BASIS_POINT
_LONG_GAP: Final = 22.0 * _BASIS_POINT
_TICKS_PER_MINUTE: Final = 150

_SLOW_VOLATILITY: Final = 0.30
_DAY_VOLATILITY: Final = 0.26
_QUARTER_VOLATILITY: Final = 0.32
_FAST_VOLATILITY: Final = 0.20

_MASK: Final = (1 << 64) - 1
_GAMMA: Final = 0x9E3779B97F4A7C15


class _Stream(IntEnum):
    WEEK = 1
    REGIME = 2
    SLOW = 3
    DAY = 4
    QUARTER = 5
    FAST = 6
    NEWS = 7
    STEP = 8
    GAP = 9
    SHAPE = 10


class MinuteBars(NamedTuple):
    """Minute bars in time order: `opens` datetime64[us] UTC, prices int64 ticks of 0.01 USD/oz, `volume` int64 ticks counted."""

    opens: Instants
    open: Int64s
    high: Int64s
    low: Int64s
    close: Int64s
    volume: Int64s

    def part(self, first: int, last: int) -> MinuteBars:
        """The bars at positions [first, last)."""
        cut = slice(first, last)
        prices = (self.open[cut], self.high[cut], self.low[cut], self.close[cut])
        return MinuteBars(self.opens[cut], *prices, self.volume[cut])


class _Weeks(NamedTuple):
    closes: Int64s  # log level at the end of week w - 1, so closes[w] opens and closes[w + 1] ends week w
    volatility: Floats


@dataclass(frozen=True)
class SimulatedMarket:
    """The market of one seed during the open minutes of one calendar."""

    seed: int
    calendar: TradingCalendar

    def minutes(self, *, first_week: int, last_week: int) -> MinuteBars:
        """All bars of the weeks [first_week, last_week), numbered from `ORIGIN`."""
        grid = np.arange(first_week * WEEK_MINUTES, last_week * WEEK_MINUTES, dtype=np.int64)
        opens = to_instant(ORIGIN) + grid * np.timedelta64(1, "m")
        index = np.flatnonzero(self.calendar.is_open(opens))
        if index.size == 0:
            return MinuteBars(opens[:0], *(np.zeros(0, dtype=np.int64) for _ in range(5)))
        minute = grid[index]
        scale = self._deviations(minute, first_week=first_week, last_week=last_week)
        gap_scale = _gap_scale(minute) * self._weeks.volatility[minute // WEEK_MINUTES]
        starts, ends = self._path(minute, scale=scale, gap_scale=gap_scale)
        return self._bars(opens[index], minute, starts=starts, ends=ends, scale=scale)

    @cached_property
    def _weeks(self) -> _Weeks:
        number = np.arange(_LAST_WEEK, dtype=np.int64)
        slow = _normal(self._hash(_Stream.SLOW, number)).tolist()
        shock = _normal(self._hash(_Stream.WEEK, number)).tolist()
        regimes = _regimes(self._hash(_Stream.REGIME, number))
        persistence, innovation = 0.9, math.sqrt(1 - 0.9 * 0.9)
        state, states = 0.0, []
        for value in slow:
            state = persistence * state + innovation * value
            states.append(state * _SLOW_VOLATILITY)
        volatility = exponential(np.array(states))
        level, closes = _START_LEVEL, [_START_LEVEL]
        for week, factor in enumerate(volatility.tolist()):
            noise = round(_WEEK_MOVE * _REGIME_NOISE[regimes[week]] * factor * shock[week])
            level += (_START_LEVEL - level) // _PULL_WEEKS + _TREND_DRIFT * _REGIME_DRIFT[regimes[week]] + noise
            level = min(max(level, _LOWEST_LEVEL), _HIGHEST_LEVEL)
            closes.append(level)
        return _Weeks(np.array(closes, dtype=np.int64), volatility)

    def _deviations(self, minute: Int64s, *, first_week: int, last_week: int) -> Floats:
        """Standard deviation of each minute's movement in log units."""
        first, last = first_week * WEEK_MINUTES, last_week * WEEK_MINUTES
        slot = np.arange(first // 30, last // 30, dtype=np.int64)
        hourly, is_news_time = _session_profile(slot)
        news = is_news_time & (_lane(self._hash(_Stream.NEWS, slot), 0) < _NEWS_CHANCE)
        slot_of = minute // 30 - first // 30
        percent = np.array(_NEWS, dtype=np.float64)[minute % 30] * 0.01
        scale = hourly[slot_of] * np.where(news[slot_of], percent, 1.0)
        log_factor = self._clusters(_Stream.DAY, minute, length=1440, decay=228, deviation=_DAY_VOLATILITY)
        log_factor = log_factor + self._clusters(_Stream.QUARTER, minute, length=15, decay=244, deviation=_QUARTER_VOLATILITY)
        log_factor = log_factor + self._clusters(_Stream.FAST, minute, length=5, decay=128, deviation=_FAST_VOLATILITY)
        return np.asarray(scale * exponential(log_factor) * self._weeks.volatility[minute // WEEK_MINUTES])

    def _clusters(self, stream: _Stream, minute: Int64s, *, length: int, decay: int, deviation: float) -> Floats:
        """A fading moving average of hashed noise over slots of `length` minutes; `decay` is the weight kept, of 256."""
        weights = [1024]
        while weights[-1] * decay // 256 > 64:
            weights.append(weights[-1] * decay // 256)
        slot = minute // length
        first, last = int(slot[0]), int(slot[-1])
        number = np.arange(first - len(weights) + 1, last + 1, dtype=np.int64)
        noise = _lane_sum(self._hash(stream, number))
        average = np.convolve(noise, np.array(weights, dtype=np.int64), mode="valid")
        unit = deviation / (_LANE_SUM_DEVIATION * math.sqrt(sum(weight * weight for weight in weights)))
        return np.asarray((average * unit)[slot - first])

    def _path(self, minute: Int64s, *, scale: Floats, gap_scale: Floats) -> tuple[Int64s, Int64s]:
        """Log levels at which each minute starts and ends: free steps, bridged to the weekly closes."""
        step = np.rint(scale * _normal(self._hash(_Stream.STEP, minute))).astype(np.int64)
        gap = np.zeros_like(step)
        resumed = np.flatnonzero(gap_scale)
        after = minute[resumed]
        # The product of two normals has the heavy tail that recorded gaps show.
        shape = _normal(self._hash(_Stream.GAP, 2 * after)) * _normal(self._hash(_Stream.GAP, 2 * after + 1))
        gap[resumed] = np.rint(gap_scale[resumed] * shape).astype(np.int64)
        moves = np.column_stack([gap, step]).ravel()
        variances = np.rint(np.column_stack([gap_scale * gap_scale, scale * scale]).ravel() / 65536.0).astype(np.int64)
        path, clock = np.cumsum(moves), np.cumsum(variances)
        week = minute // WEEK_MINUTES
        first = np.flatnonzero(np.diff(week, prepend=week[0] - 1))
        counts = 2 * np.diff(first, append=week.size)
        last = 2 * first + counts - 1
        # Per week: movement and variance before it, target and total of it.
        path_before, clock_before = path[2 * first] - moves[2 * first], clock[2 * first] - variances[2 * first]
        opening = self._weeks.closes[week[first]]
        missing = self._weeks.closes[week[first] + 1] - opening - (path[last] - path_before)
        total = clock[last] - clock_before
        elapsed = clock - np.repeat(clock_before, counts)
        bridge = np.repeat(missing, counts) * elapsed // np.repeat(total, counts)
        level = path + bridge + np.repeat(opening - path_before, counts)
        return level[0::2], level[1::2]

    def _bars(self, opens: Instants, minute: Int64s, *, starts: Int64s, ends: Int64s, scale: Floats) -> MinuteBars:
        """Ticks of each minute: its extremes follow the law of a Brownian bridge between open and close."""
        shape = self._hash(_Stream.SHAPE, minute)
        close_price = _price(ends)
        close = np.rint(close_price).astype(np.int64)
        jitter = np.array([-2, -1, -1, 0, 0, 1, 1, 2], dtype=np.int64)[_lane(shape, 0) & 7]
        open_ = np.rint(_price(starts)).astype(np.int64) + jitter
        spread = scale * _UNIT * close_price
        distance = np.abs(close - open_).astype(np.float64)
        waits = _exponential_quantiles()

        def excess(lane: int) -> Int64s:
            wait = waits[_lane(shape, lane) >> 6]
            beyond = (np.sqrt(distance * distance + 2.0 * spread * spread * wait) - distance) * 0.5
            return np.asarray(np.floor(beyond).astype(np.int64))

        high = np.maximum(open_, close) + excess(1)
        low = np.minimum(open_, close) - excess(2)
        activity = scale / (2.0 * _BASIS_POINT) * (0.5 + _lane(shape, 3) / 65536.0)
        volume = np.rint(_TICKS_PER_MINUTE * activity).astype(np.int64) + 1
        return MinuteBars(opens, open_, high, low, close, volume)

    def _hash(self, stream: _Stream, number: Int64s) -> UInt64s:
        """SplitMix64 at position `number` of the generator that seed and stream choose (Steele, Lea, Flood 2014)."""
        key = _mix_scalar(_mix_scalar(self.seed & _MASK) + int(stream) * _GAMMA)
        z = number.astype(np.uint64) * np.uint64(_GAMMA) + np.uint64(key)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def week_of(instant: datetime) -> int:
    """The number of the week (from `ORIGIN`) that contains an aware instant."""
    return (instant - ORIGIN).days // 7


def exponential(values: Floats) -> Floats:
    """The exponential of each value by Taylor's series after halving, in operations that round alike on every machine."""
    halvings = np.rint(values * 1.4426950408889634)
    rest = values - halvings * 0.6931471805599453
    result = np.full_like(rest, 1.0)
    for degree in range(13, 0, -1):
        result = result * rest / float(degree) + 1.0
    return np.asarray(np.ldexp(result, halvings.astype(np.int32)))


_LANE_SUM_DEVIATION: Final = math.sqrt((65536 * 65536 - 1) / 3)


def _price(levels: Int64s) -> Floats:
    """Prices in ticks, not yet rounded, of log levels."""
    return 100.0 * exponential(np.multiply(levels, _UNIT, dtype=np.float64))


def _lane(hashes: UInt64s, lane: int) -> Int64s:
    """One of the four 16-bit numbers of each hash."""
    return ((hashes >> np.uint64(16 * lane)) & np.uint64(0xFFFF)).astype(np.int64)


def _lane_sum(hashes: UInt64s) -> Int64s:
    """Sum of the four 16-bit numbers around zero: nearly normal, exactly reproducible."""
    return np.asarray(_lane(hashes, 0) + _lane(hashes, 1) + _lane(hashes, 2) + _lane(hashes, 3) - 131_070)


def _normal(hashes: UInt64s) -> Floats:
    return np.asarray(_lane_sum(hashes) / _LANE_SUM_DEVIATION)


def _mix_scalar(value: int) -> int:
    z = (value + _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _regimes(hashes: UInt64s) -> list[int]:
    """0 range, 1 rising, 2 falling for each week: a chain that mostly stays and otherwise draws range in three of five."""
    current, regimes = 0, []
    for changes, draw in zip(_lane(hashes, 0).tolist(), _lane(hashes, 1).tolist(), strict=True):
        if changes < _REGIME_CHANGES:
            current = (0, 0, 0, 1, 2)[draw % 5]
        regimes.append(current)
    return regimes


def _session_profile(slot: Int64s) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Minute deviation in log units of each half hour, and whether it begins at 08:30 New York."""
    utc = to_instant(ORIGIN) + slot * np.timedelta64(30, "m")
    level = np.full(slot.size, _QUIET, dtype=np.int64)
    for zone, first_hour, hourly in _HOURLY:
        table = np.zeros(24, dtype=np.int64)
        table[first_hour : first_hour + len(hourly)] = hourly
        level = np.maximum(level, table[_minute_of_day(utc, zone=zone) // 60])
    scale = level.astype(np.float64) * (_BASIS_POINT / 100)
    return scale, np.asarray(_minute_of_day(utc, zone=NEW_YORK) == _NEWS_MINUTE_NEW_YORK)


def _minute_of_day(utc: Instants, *, zone: str) -> Int64s:
    return np.asarray(to_wall(utc, zone=zone).astype("datetime64[m]").astype(np.int64) % 1440)


def _gap_scale(minute: Int64s) -> Floats:
    """Scale of the jump before each minute: none within trading, small after the daily break, large after a long closure."""
    closed = np.diff(minute, prepend=minute[0] - 1) - 1
    week = minute // WEEK_MINUTES
    closed[np.flatnonzero(np.diff(week, prepend=week[0] - 1))] = WEEK_MINUTES
    return np.where(closed == 0, 0.0, np.where(closed <= 180, _BREAK_GAP, _LONG_GAP))


@lru_cache(maxsize=1)
def _exponential_quantiles() -> Floats:
    """1,024 equally likely draws of a unit exponential; decimal logarithms are rounded alike on every machine."""
    with localcontext() as context:
        context.prec = 28
        return np.array([float(-(Decimal(2 * i + 1) / 2048).ln()) for i in range(1024)])
