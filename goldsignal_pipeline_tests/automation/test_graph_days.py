"""Days of the whole graph, tick by tick: over a daily break, the end of a month, a weekend.

Missed, doubled and late ticks, a vendor that is away, bars that come late or change, runs that die between two assets, nights and
repairs in between: in the end the tables are those of one backfill, and what was published live stands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from goldsignal_pipeline.assets.partitions import month_of
from goldsignal_pipeline.assets.staleness import Basis, everything_behind
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.settings import Settings, cached_settings
from goldsignal_pipeline_tests.automation.graph_desk import STEPS, GraphDesk, MoodyProvider
from goldsignal_pipeline_tests.postgres import Server, migrated_database
from goldsignal_pipeline_tests.vendor_server import VirtualClock

BAR = timedelta(minutes=15)
SEED = 16
"""A market in which this evening has an accepted signal, one turned away as a duplicate, and one against an open one."""
ROW = "to_jsonb(held) - 'run_id'"
AS_TEXT = f"SELECT ({ROW})::text FROM {{}} AS held ORDER BY 1"
COMPUTED = {
    "setups": AS_TEXT,
    "backtest_trades": AS_TEXT,
    "backtest_results": AS_TEXT,
    "candles": "SELECT * FROM {} ORDER BY symbol, timeframe, timestamp",
    "trading_day_parts": "SELECT * FROM {} ORDER BY symbol, trading_day, month",
    "partition_digests": (
        "SELECT asset, month, rows, digest, inputs_digest, complete FROM {}"
        " WHERE asset NOT IN ('signals', 'outcomes', 'strategy_performance') ORDER BY asset, month"
    ),
}
FOLDED = ("gate_decisions", "signals", "signal_events", "outcomes", "strategy_performance", "gate_states", "gate_events")
DECIDED = dict.fromkeys(FOLDED, AS_TEXT)


def at(label: str) -> datetime:
    return datetime.fromisoformat(label).replace(tzinfo=UTC)


def content(desk: GraphDesk, queries: dict[str, str]) -> dict[str, list[Any]]:
    return {table: desk.rows(query.format(table)) for table, query in queries.items()}


@pytest.fixture
def open_desk(
    postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[VirtualClock], Any]]:
    monkeypatch.setenv("GOLDSIGNAL_BASE_TIMEFRAME", "M15")
    cached_settings.cache_clear()

    @contextmanager
    def opened(clock: VirtualClock) -> Iterator[GraphDesk]:
        with (
            migrated_database(postgres_server) as database,
            dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        ):
            market = MoodyProvider(seed=SEED, calendar=load_calendar(), base_timeframe=Timeframe.M15, clock=clock)
            yield GraphDesk(database, market, clock, instance, Settings(base_timeframe=Timeframe.M15))

    yield opened
    cached_settings.cache_clear()


@dataclass(frozen=True)
class Days:
    """Which days are lived through; the machine sleeps in between."""

    first_month: str
    begin: datetime
    end: datetime
    night: datetime
    asleep: tuple[tuple[datetime, datetime], ...]
    live_signals: int = 0

    def is_asleep(self, instant: datetime) -> bool:
        return any(start <= instant < end for start, end in self.asleep)


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(
            Days(
                first_month="2024-01",
                begin=at("2024-04-30 16:47"),
                end=at("2024-05-01 01:32"),
                night=at("2024-04-30 21:20"),
                asleep=((at("2024-04-30 18:10"), at("2024-04-30 19:40")), (at("2024-04-30 22:10"), at("2024-04-30 23:30"))),
                live_signals=1,
            ),
            id="an evening over the daily break and the end of a month",
        ),
        pytest.param(
            Days(
                first_month="2024-04",
                begin=at("2024-05-31 19:47"),
                end=at("2024-06-02 22:47"),
                night=at("2024-05-31 21:20"),
                asleep=((at("2024-06-01 02:00"), at("2024-06-02 21:30")),),
            ),
            id="a weekend on which a month ends",
        ),
    ],
)
@pytest.mark.fault("time")
def test_missed_doubled_late_and_failed_ticks_change_nothing_in_the_end(
    open_desk: Callable[[VirtualClock], Any], days: Days
) -> None:
    clock = VirtualClock(days.begin)
    with open_desk(clock) as desk:
        desk.run(days.first_month, month_of(days.begin), is_live=False)
        live_through(desk, days)
        assert desk.outcomes[-1] == "live_cycle SUCCESS"
        assert set(desk.outcomes) >= {"live_cycle FAILURE", "live_cycle skipped", "nightly_backtests SUCCESS"}
        clock.now = days.end + timedelta(minutes=5)
        assert everything_behind(desk.database, Basis.of(desk.settings, now=clock.now)) == []
        check_live_record(desk, since=days.begin)
        assert desk.rows("SELECT count(*) FROM signals WHERE origin = 'live'") == [(days.live_signals,)]

        lived, decided = content(desk, COMPUTED), content(desk, DECIDED)
        desk.run(days.first_month, month_of(days.end), is_live=False)
        assert content(desk, COMPUTED) == lived
        assert content(desk, DECIDED) == decided, "a backfill leaves what was published and follows it"
        market, known = desk.provider, desk.clock.now
    with open_desk(clock) as once:
        once.provider.withheld, once.provider.revised, clock.now = market.withheld, market.revised, known
        once.run(days.first_month, month_of(days.end), is_live=False)
        assert content(once, COMPUTED) == lived


def live_through(desk: GraphDesk, days: Days) -> None:
    """Every tick of the quarter hours, as a machine with troubles lives through them."""
    fate = random.Random(days.begin.isoformat())
    desk.provider.withheld = (days.begin - timedelta(minutes=32), days.begin + timedelta(minutes=50))
    desk.provider.revised = (days.begin - timedelta(minutes=17), days.begin + timedelta(minutes=65))
    deaths = list(STEPS[:-1])
    for index in range((days.end - days.begin) // BAR + 1):
        scheduled = days.begin + BAR * index
        if scheduled - BAR < days.night <= scheduled:
            desk.night(days.night)
            desk.night(days.night)
        if days.is_asleep(scheduled):
            continue
        desk.provider.is_away = index == 3
        is_quiet = index < 3 or scheduled >= days.end - 2 * BAR
        dies_after = None if is_quiet or not deaths or fate.random() < 0.4 else deaths.pop(fate.randrange(len(deaths)))
        late = timedelta(minutes=0 if is_quiet else fate.choice([0, 0, 2, 7]))
        for _ in range(2 if index == 2 or (fate.random() < 0.1 and not is_quiet) else 1):
            desk.tick(scheduled, late=late, dies_after=dies_after)
        if index == 2:
            desk.tick(scheduled - timedelta(minutes=3))  # the clock was set back


def check_live_record(desk: GraphDesk, *, since: datetime) -> None:
    """Each setup that confirmed since the first cycle was decided once, at a time at which its bar had closed."""
    live_since = desk.rows("SELECT at FROM gate_events WHERE kind = 'live_since'")
    assert len(live_since) == 1
    assert since <= live_since[0][0] < since + timedelta(hours=1)
    verdicts = desk.rows(
        "SELECT origin, count(*), count(known_at), bool_and(known_at >= decided_for + interval '2 minutes') FROM gate_decisions"
        " WHERE decided_for > (SELECT at FROM gate_events WHERE kind = 'live_since') GROUP BY origin"
    )
    events = desk.rows("SELECT count(*), count(DISTINCT detail::jsonb ->> 'key') FROM gate_events WHERE kind = 'decided'")
    if verdicts:
        ((origin, count, known, after_close),) = verdicts
        assert (origin, known, after_close) == ("live", count, True)
        assert events[0][0] == count
    assert desk.rows("SELECT count(*) FROM raw_candles WHERE observed_at < timestamp + interval '17 minutes'") == [(0,)]
