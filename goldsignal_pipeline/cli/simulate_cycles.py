"""The live cycle on a virtual clock: every tick of the schedule over days or years, without a Dagster run for each.

1. `ticks` are the instants of the schedule, some of them missed, doubled or late where there are faults.
2. A tick does what the live cycle does: it asks the feed (`refresh`), computes the months of `cycle_for_tick`, and decides
   live. What cannot have changed is left out while nothing but new bars arrives: everything until a bar of a strategy closes,
   verdicts while there is no new setup, outcomes while no signal is open, tested results and performance until a day begins.
3. Once a day what is missing or outdated is computed, as the repair sensor does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import text

from goldsignal_pipeline.assets.partitions import month_of, month_start, months_between, next_month
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.automation.ticks import Cycle, Idle, LastCycle, cycle_for_tick
from goldsignal_pipeline.cli.prove.graph import Run, run_graph, run_in_chunks, run_missing, steps
from goldsignal_pipeline.errors import ProviderError
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime
from goldsignal_pipeline.storage import raw_candles
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.simulate_market import Faults
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

ASLEEP_DAYS: Final = 45
LONGEST_SLEEP: Final = timedelta(hours=40)
MOST_LATE_BARS: Final = 3
# Of a thousand ticks; the rest is punctual.
MISSED: Final = 8
DOUBLED: Final = 8
LATE: Final = 16
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_REACH: Final = timedelta(days=40)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tick:
    """The schedule fires at `now`, for the bar that closed at `bar_close`; `times` is 2 when it fires twice."""

    now: datetime
    bar_close: datetime
    times: int


@dataclass
class Clock:
    """The virtual clock; whoever asks sees the same instant until it is set on."""

    now: datetime

    def __call__(self) -> datetime:
        """The present."""
        return self.now


@dataclass
class Simulation:
    """A live system on a virtual clock. `counts` tells what happened, by name."""

    database: Database
    settings: Settings
    feed: Provider
    clock: Clock
    counts: Counter[str] = field(default_factory=Counter)
    last_good: datetime | None = None
    last: LastCycle | None = None
    computed_day: str = ""

    def fill(self, *, first: str) -> None:
        """The history before the simulated days, fetched and computed as of now."""
        now, months = self.clock.now, months_between(first, month_of(self.clock.now))
        self._refresh(months)
        run_in_chunks(Run(self.database, self.settings, now, "history"), months)
        self.last_good = now - self.settings.grace

    def tick(self, tick: Tick) -> None:
        """What happens at a tick."""
        self.clock.now = tick.now
        self.counts["ticks"] += 1
        cycle = cycle_for_tick(
            tick.now,
            calendar=load_calendar(),
            timeframe=self.settings.base_timeframe,
            grace=self.settings.grace,
            last_good_close=self.last_good,
            last=self.last,
        )
        if isinstance(cycle, Idle):
            self.counts["idle ticks"] += 1
            return
        for _ in range(tick.times):
            self._cycle(cycle)

    def finish(self, now: datetime) -> None:
        """A last cycle that computes everything, and a last repair."""
        self.clock.now = now
        months = months_between(month_of(now - 2 * _DAY), month_of(now))
        self._refresh(months)
        self._compute_all(months)

    def _cycle(self, cycle: Cycle) -> None:
        months = months_between(cycle.first_month, cycle.last_month)
        newest = self._newest_open()
        try:
            stored = self._refresh(months)
        except ProviderError:
            self.counts["failed cycles"] += 1
            self.last = LastCycle(cycle.bar_close, False)
            return
        self._compute(cycle, months, stored=stored, newest=newest)
        self.counts["cycles"] += 1
        self.last_good, self.last = cycle.bar_close, LastCycle(cycle.bar_close, True)

    def _compute(self, cycle: Cycle, months: Sequence[str], *, stored: int, newest: datetime | None) -> None:
        """Compute what may have changed."""
        day = f"{self.clock.now - self.settings.grace:%Y-%m-%d}"
        if day != self.computed_day or (stored and self._holds_revisions(newest)):
            self._compute_all(months, with_repair=day != self.computed_day)
            self.computed_day = day
        elif stored and _strategy_bar_closed(self.last_good, cycle.bar_close):
            run = self._run()
            computed, has_open = steps(), self._has_open_signals()
            computed["candles"](run, months)
            if is_changed := _changed(computed["setups"](run, months)):
                computed["signals"](run, months)
            if is_changed or has_open:
                computed["outcomes"](run, months)

    def _compute_all(self, months: Sequence[str], *, with_repair: bool = True) -> None:
        run_graph(self._run(), months)
        if with_repair:
            run = Run(self.database, self.settings, self.clock.now, "repair")
            self.counts["months repaired"] += run_missing(run, symbol=self.feed.symbol)

    def _run(self) -> Run:
        return Run(self.database, self.settings, self.clock.now, "live", self.feed.symbol)

    def _refresh(self, months: Sequence[str]) -> int:
        done = refresh(
            self.database,
            self.feed,
            start=month_start(months[0]),
            end=month_start(next_month(months[-1])),
            now=self.clock.now,
            grace=self.settings.grace,
            run_id="live",
        )
        self.counts["bars stored"] += done.report.stored
        return done.report.stored

    def _newest_open(self) -> datetime | None:
        with self.database.transaction(read_only=True) as connection:
            return raw_candles.newest_open(
                connection, symbol=self.feed.symbol, source=self.feed.source, timeframe=self.feed.base_timeframe
            )

    def _holds_revisions(self, newest: datetime | None) -> bool:
        """Whether this cycle stored a bar that is not newer than all before it: one that was revised, or came late."""
        query = text(
            "SELECT EXISTS (SELECT FROM raw_candles WHERE symbol = :symbol AND timestamp > CAST(:newest AS timestamptz) - :reach"
            " AND timestamp <= :newest AND observed_at >= :now)"
        )
        told = {"symbol": self.feed.symbol, "newest": newest, "reach": _REACH, "now": self.clock.now}
        with self.database.transaction(read_only=True) as connection:
            return bool(connection.execute(query, told).scalar_one())

    def _has_open_signals(self) -> bool:
        query = text("SELECT EXISTS (SELECT FROM signal_states WHERE symbol = :symbol AND status = 'active')")
        with self.database.transaction(read_only=True) as connection:
            return bool(connection.execute(query, {"symbol": self.feed.symbol}).scalar_one())


def _changed(kept: object) -> bool:
    """Whether computing an asset changed any row."""
    from goldsignal_pipeline.assets.keeping import Kept

    return isinstance(kept, Kept) and any(one.inserted or one.updated or one.deleted for one in kept.by_symbol.values())


def ticks(
    settings: Settings, *, start: datetime, end: datetime, faults: Faults | None, every: Timeframe | None = None
) -> Iterator[Tick]:
    """The ticks of [start, end) in order of time: one for every base bar that closes, at its close plus grace.

    With `every` there is one only for the last base bar of each bar of that timeframe.
    """
    bar = settings.base_timeframe.length
    opens = load_calendar().expected_opens(timeframe=settings.base_timeframe, start=start, end=end - bar)
    if every is not None:
        opens = opens[(opens.astype(np.int64) + bar // _MICROSECOND) % (every.length // _MICROSECOND) == 0]
    planned = [_tick(to_datetime(one) + bar, settings, faults) for one in opens]
    yield from sorted((tick for tick in planned if tick is not None), key=lambda tick: (tick.now, tick.bar_close))


def _tick(bar_close: datetime, settings: Settings, faults: Faults | None) -> Tick | None:
    now = bar_close + settings.grace
    if faults is None:
        return Tick(now, bar_close, 1)
    drawn = faults.drawn(f"tick {bar_close.isoformat()}")
    kind = drawn % 1000
    if kind < MISSED or _is_asleep(now, faults):
        return None
    if kind < MISSED + DOUBLED:
        return Tick(now, bar_close, 2)
    if kind < MISSED + DOUBLED + LATE:
        late = settings.base_timeframe.length * MOST_LATE_BARS * (drawn // 1000 % 1000 / 1000)
        return Tick((now + late).replace(microsecond=0), bar_close, 1)
    return Tick(now, bar_close, 1)


def _is_asleep(now: datetime, faults: Faults) -> bool:
    """Whether the machine is off: for up to two days in about forty-five."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for begun in (day - 2 * _DAY, day - _DAY, day):
        drawn = faults.drawn(f"sleep {begun.date()}")
        if not drawn % ASLEEP_DAYS:
            since = begun + _DAY * (drawn // 100 % 1000 / 1000)
            if since <= now < since + LONGEST_SLEEP * (drawn // 100_000 % 1000 / 1000):
                return True
    return False


def _strategy_bar_closed(since: datetime | None, until: datetime) -> bool:
    """Whether a bar of any strategy's timeframe may have closed in (since, until]."""
    shortest = min(timeframe.minutes for one in load_strategies().values() for timeframe in one.timeframes)
    # Longer bars close on whole hours by New York's clock.
    step = timedelta(minutes=min(shortest, 60))
    return since is None or (until - _EPOCH) // step > (since - _EPOCH) // step
