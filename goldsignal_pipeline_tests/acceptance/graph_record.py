"""Small records of the simulated market with the whole graph on top: what proofs are tried on.

Hourly bars, because all strategies run on them; four months, because the first two warm up and thirty trades make a strategy
eligible. Everything is as of `NOW`, in the running month.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from goldsignal_pipeline.assets.partitions import month_start, months_between
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.assets.registering import register
from goldsignal_pipeline.cli.prove.graph import Run, run_graph
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import SIMULATED_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.postgres import Server, migrated_database

SYMBOL = SIMULATED_SYMBOL
SEED = 7
FIRST, LAST = "2022-05", "2022-08"
NOW = datetime(2022, 8, 11, 12, 2, tzinfo=UTC)
MONTHS = tuple(months_between(FIRST, LAST))
GRACE = timedelta(seconds=120)
SETTINGS = Settings(base_timeframe=Timeframe.H1, grace_seconds=120, provider="simulated", simulation_seed=SEED)


def feed(*, now: datetime = NOW) -> SimulatedProvider:
    return SimulatedProvider(seed=SEED, calendar=load_calendar(), base_timeframe=Timeframe.H1, clock=lambda: now)


def observe(database: Database, *, first: str = FIRST, now: datetime = NOW) -> None:
    """Store the hourly bars of the simulated market from the first month to now."""
    refresh(database, feed(now=now), start=month_start(first), end=now + timedelta(days=1), now=now, grace=GRACE, run_id="feed")
    register(database, now=now)


def run(database: Database, *, now: datetime = NOW, live: bool = False, run_id: str = "first") -> Run:
    return Run(database, SETTINGS, now, run_id, SYMBOL if live else None)


@contextmanager
def observed_record(server: Server) -> Iterator[Database]:
    """A database with observations only."""
    with migrated_database(server) as database:
        observe(database)
        yield database


@contextmanager
def computed_record(server: Server) -> Iterator[Database]:
    """A database with the whole graph, computed in one pass."""
    with observed_record(server) as database:
        run_graph(run(database), MONTHS)
        yield database


def rows(database: Database, query: str, **parameters: object) -> list[tuple]:
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query), parameters)]


def change(database: Database, statement: str) -> int:
    """Tamper with rows as nobody may: without the guards of the tables. Returns how many were changed."""
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL session_replication_role TO replica"))
        return connection.execute(text(statement)).rowcount
