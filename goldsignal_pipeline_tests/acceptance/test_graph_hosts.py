"""A day of live cycles on hosts as they should not be: a clock that is an hour ahead and steps back, two daemons at once.

What they leave equals a backfill of the same day, and parity holds with what was published.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from goldsignal_pipeline.assets.registering import register
from goldsignal_pipeline.cli.simulate import Plan, proved, settings_of
from goldsignal_pipeline.cli.simulate_cycles import Clock, Simulation, Tick
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import SEED, SETTINGS, at_once, copied, rows
from goldsignal_pipeline_tests.postgres import Server, migrated_database

MORNING = datetime(2022, 8, 30, 8, tzinfo=UTC)
PLAN = Plan(MORNING - timedelta(hours=8), days=1, history_months=3, with_faults=False)
LIVED = settings_of(SETTINGS, bar="M15", seed=SEED)
BAR = timedelta(minutes=15)
LIVE_VERDICTS = "SELECT count(*) FROM gate_decisions WHERE origin = 'live'"


def live_system(database: Database, *, market: Clock, host: Clock) -> Simulation:
    """A live system whose clock need not be that of the market."""
    feed = SimulatedProvider(seed=SEED, calendar=load_calendar(), base_timeframe=Timeframe.M15, clock=market)
    return Simulation(database, LIVED, feed, host, last_good=MORNING - BAR)


def assert_equals_its_backfill(database: Database) -> None:
    report = proved(database, LIVED, PLAN, counts={}, begin=time.monotonic())
    assert report.changed == ()
    assert report.parity.passed, report.parity.differing


@pytest.fixture(scope="module")
def history(postgres_server: Server) -> Iterator[Database]:
    """Three months and the month so far, before anything is live."""
    with migrated_database(postgres_server) as database:
        register(database, now=MORNING)
        live_system(database, market=Clock(MORNING), host=Clock(MORNING)).fill(first="2022-05")
        yield database


@pytest.mark.fault("time")
def test_a_host_clock_an_hour_ahead_that_steps_back_leaves_what_a_backfill_gives(
    postgres_server: Server, history: Database
) -> None:
    """Bars that still formed were taken for closed, and verdicts were given on them: data follow, what was published stands."""
    market, host = Clock(MORNING), Clock(MORNING)
    with copied(postgres_server, history) as database:
        living = live_system(database, market=market, host=host)
        for hour in range(9):
            market.now = MORNING + timedelta(hours=hour, minutes=2)
            is_ahead = hour in (2, 3, 4)
            living.tick(Tick(market.now + timedelta(hours=is_ahead), market.now, 1))
        assert living.counts["cycles"] >= 7
        assert rows(database, LIVE_VERDICTS)[0][0] >= 1
        market.now = PLAN.finished
        living.finish(PLAN.finished)
        revised = "SELECT count(*) - count(DISTINCT (source, timeframe, timestamp)) FROM raw_candles WHERE timestamp >= :at"
        assert rows(database, revised, at=MORNING)[0][0] >= 1
        assert_equals_its_backfill(database)


@pytest.mark.fault("concurrency")
def test_i9_two_daemons_that_see_every_tick_publish_once(postgres_server: Server, history: Database) -> None:
    """Each fetches the same bars and gives the same verdicts over connections of its own, at the same time."""
    market = Clock(MORNING)
    with copied(postgres_server, history) as database, ExitStack() as exits:
        daemons = []
        for _ in range(2):
            own = Database(postgres_server.url(str(database.url.database)))
            exits.callback(own.dispose)
            daemons.append(live_system(own, market=market, host=Clock(MORNING)))
        for hour in range(0, 9, 2):
            market.now = MORNING + timedelta(hours=hour, minutes=2)
            tick = Tick(market.now, market.now, 1)
            assert at_once(*(lambda daemon=daemon, tick=tick: daemon.tick(tick) for daemon in daemons)) == []
        assert rows(database, LIVE_VERDICTS)[0][0] >= 1
        market.now = PLAN.finished
        daemons[0].finish(PLAN.finished)
        twice = "SELECT timestamp FROM raw_candles GROUP BY source, timeframe, timestamp HAVING count(*) > 1"
        assert rows(database, twice) == []
        assert_equals_its_backfill(database)
