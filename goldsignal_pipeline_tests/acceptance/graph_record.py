"""Small records of the simulated market with the whole graph on top: what proofs are tried on.

Hourly bars, because all strategies run on them; three months and a third of one, because the first two warm up and thirty trades
make a strategy eligible. The observations are those of `OBSERVED`; the graph is computed as of now, when all months are over.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.assets.partitions import month_start
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.assets.registering import register
from goldsignal_pipeline.cli.prove.graph import Run, run_graph
from goldsignal_pipeline.market.candles import PRICE_COLUMNS
from goldsignal_pipeline.market.delivery import Delivery, empty_rejected
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import SIMULATED_SYMBOL, Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.simulated import SIMULATED_SOURCE, SimulatedProvider
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage import gate_events, raw_candles
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.postgres import Server, migrated_database

SYMBOL = SIMULATED_SYMBOL
SEED = 7
FIRST = "2022-05"
MONTHS = ("2022-05", "2022-06", "2022-07", "2022-08", "2022-09")
"""The month after the last bar belongs to the record: trades may still end in it."""
OBSERVED = datetime(2022, 8, 11, 12, 2, tzinfo=UTC)
NOW = datetime.now(UTC)
OTHER_SPREAD_FROM = datetime(2022, 7, 5, tzinfo=UTC)
OTHER_SPREAD = {"asia_ticks": 55, "london_ticks": 50, "new_york_ticks": 45, "overlap_ticks": 60, "otherwise_ticks": 120}
OTHER_SOURCE_FROM = datetime(2022, 7, 20, 21, tzinfo=UTC)
"""The roll: a trading day is of one source."""
OTHER_SOURCE = Source("vendor", Side.BID)
BARS = ("timestamp", *PRICE_COLUMNS)
GRACE = timedelta(seconds=120)
SETTINGS = Settings(base_timeframe=Timeframe.H1, grace_seconds=120, provider="simulated", simulation_seed=SEED)
ENVIRONMENT = {"GOLDSIGNAL_BASE_TIMEFRAME": "H1", "GOLDSIGNAL_PROVIDER": "simulated"}


def observe(database: Database) -> None:
    """Store the hourly bars of the simulated market from the first month to `OBSERVED`."""
    feed = SimulatedProvider(seed=SEED, calendar=load_calendar(), base_timeframe=Timeframe.H1, clock=lambda: OBSERVED)
    end = OBSERVED + timedelta(days=1)
    refresh(database, feed, start=month_start(FIRST), end=end, now=OBSERVED, grace=GRACE, run_id="feed")
    register(database, now=OBSERVED)


def run(database: Database, *, now: datetime = NOW, run_id: str = "first") -> Run:
    return Run(database, SETTINGS, now, run_id)


def tell_other_settings(database: Database) -> None:
    """Another spread from one instant on, and from a later one on another source, two dollars above the first."""
    changes = {
        OTHER_SPREAD_FROM: {"account_usd": "10000", "min_evidence": "unproven", "avoid_asia": False, "spread": OTHER_SPREAD},
        OTHER_SOURCE_FROM: {"source_order": [str(OTHER_SOURCE), str(SIMULATED_SOURCE)]},
    }
    with database.transaction() as connection:
        bars = raw_candles.newest(connection, symbol=SYMBOL, start=month_start(FIRST), end=OBSERVED)
        for at, content in changes.items():
            told = {"natural_key": f"settings:{at}", "at": at, "recorded_at": at, "detail": json.dumps(content)}
            gate_events.append(connection, kind="settings", symbol=None, strategy=None, **told)
    above = bars[[*BARS, "volume"]].assign(**{name: bars[name] + 200 for name in PRICE_COLUMNS})
    delivery = Delivery(OTHER_SOURCE, Timeframe.H1, above, empty_rejected())
    told = {"calendar": load_calendar(), "now": OBSERVED, "grace": GRACE, "run_id": "other"}
    ingest(database, symbol=SYMBOL, deliveries=[delivery], **told)


@contextmanager
def observed_record(server: Server) -> Iterator[Database]:
    """A database with observations only."""
    with migrated_database(server) as database:
        observe(database)
        yield database


@contextmanager
def changing_record(server: Server) -> Iterator[Database]:
    """A database with the observations of two sources, and settings that change in their midst."""
    with observed_record(server) as database:
        tell_other_settings(database)
        yield database


@contextmanager
def computed_record(server: Server) -> Iterator[Database]:
    """The same with the whole graph, computed in one pass."""
    with changing_record(server) as database:
        run_graph(run(database), MONTHS)
        yield database


@contextmanager
def copied(server: Server, database: Database) -> Iterator[Database]:
    """A copy of a database that may be spoilt."""
    name = f"{database.url.database}_copy"
    database.dispose()
    server.admin(f"CREATE DATABASE {name} TEMPLATE {database.url.database}")
    copy = Database(server.url(name))
    try:
        yield copy
    finally:
        copy.dispose()
        server.admin(f"DROP DATABASE {name} WITH (FORCE)")


def rows(database: Database, query: str, **parameters: object) -> list[tuple]:
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query), parameters)]


def tamper(database: Database, statement: str) -> int:
    """Change rows as nobody may, past the guards of the tables; returns how many."""
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL session_replication_role TO replica"))
        return connection.exec_driver_sql(statement).rowcount


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Do several things at the same time; returns what they raised."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    return raised
