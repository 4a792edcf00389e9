"""Fixtures of a filled graph: ten months of the simulated market in hourly bars, every asset computed, on a real PostgreSQL.

`filled_graph` is filled once in a test process and must only be read; `graph_database` is a copy of it for one test to spoil.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from goldsignal_pipeline.assets.decide import decide
from goldsignal_pipeline.assets.derive import derive
from goldsignal_pipeline.assets.find_setups import find_setups
from goldsignal_pipeline.assets.keeping import Writing
from goldsignal_pipeline.assets.measure_performance import measure_performance
from goldsignal_pipeline.assets.partitions import month_start, months_between, next_month
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.assets.registering import register
from goldsignal_pipeline.assets.resolve_signals import resolve_signals
from goldsignal_pipeline.assets.score_trades import score_trades
from goldsignal_pipeline.assets.trade_setups import trade_setups
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import Provider
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.postgres import Server, migrated_database

SYMBOL = "XAUUSD-SIM"
NOW = datetime(2026, 3, 20, 12, 7, tzinfo=UTC)
MONTHS = tuple(months_between("2025-06", "2026-03"))
GRACE = timedelta(seconds=120)
SETTINGS = Settings(base_timeframe=Timeframe.H1)


def hourly_market(now: datetime = NOW) -> SimulatedProvider:
    """The simulated market in hourly bars."""
    return SimulatedProvider(seed=7, calendar=load_calendar(), base_timeframe=Timeframe.H1, clock=lambda: now)


def fill_candles(database: Database, months: Sequence[str], *, now: datetime = NOW, provider: Provider | None = None) -> None:
    """Fetch and derive the candles of consecutive months."""
    start, end = month_start(months[0]), month_start(next_month(months[-1]))
    refresh(database, provider or hourly_market(now), start=start, end=end, now=now, grace=GRACE, run_id=None)
    derive(database, months=months, now=now, grace=GRACE, source_order=(), run_id=None)


def compute_graph(
    database: Database,
    months: Sequence[str],
    *,
    now: datetime = NOW,
    settings: Settings = SETTINGS,
    live_symbol: str | None = None,
    run_id: str = "run",
) -> None:
    """Compute every asset above candles for consecutive months, as one run would."""
    writing = Writing(tuple(months), now, GRACE, run_id)
    register(database, now=now)
    find_setups(database, writing)
    trade_setups(database, writing)
    score_trades(database, writing)
    decide(database, settings, writing, live_symbol=live_symbol)
    resolve_signals(database, writing)
    measure_performance(database, settings, writing)


@pytest.fixture(scope="session")
def filled_graph(postgres_server: Server) -> Iterator[Database]:
    """A filled graph, to be read only."""
    with migrated_database(postgres_server) as database:
        fill_candles(database, MONTHS)
        compute_graph(database, MONTHS)
        yield database


@pytest.fixture
def graph_database(postgres_server: Server, filled_graph: Database) -> Iterator[Database]:
    """A copy of the filled graph."""
    filled_graph.dispose()
    with migrated_database(postgres_server, template=str(filled_graph.url.database)) as database:
        yield database


@contextmanager
def rolled_back(database: Database) -> Iterator[Connection]:
    """A connection whose changes are undone at the end."""
    with database.engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()
