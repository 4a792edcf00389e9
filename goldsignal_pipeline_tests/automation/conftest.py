"""A deployment without processes: the project's resources on a test's database, feed and clock, and Dagster on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from goldsignal_pipeline.assets.backtest_results import backtest_results
from goldsignal_pipeline.assets.backtest_trades import backtest_trades
from goldsignal_pipeline.assets.candles import candles
from goldsignal_pipeline.assets.outcomes import outcomes
from goldsignal_pipeline.assets.partitions import range_tags
from goldsignal_pipeline.assets.raw_candles import raw_candles
from goldsignal_pipeline.assets.setups import setups
from goldsignal_pipeline.assets.signals import signals
from goldsignal_pipeline.assets.strategy_performance import strategy_performance
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import Provider
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.vendor_server import VirtualClock

PROJECT = Path(__file__).resolve().parents[2]
DERIVED = (candles, setups, backtest_trades, backtest_results, signals, outcomes, strategy_performance)
GRAPH = (raw_candles, *DERIVED)


@dataclass
class Deployment:
    """Our database, a feed and a clock, as the resources of assets, schedules, sensors and checks."""

    database: Database
    clock: VirtualClock
    feed: Provider

    def at(self, label: str) -> Deployment:
        """Let it be this instant."""
        self.clock.now = datetime.fromisoformat(label).replace(tzinfo=UTC)
        return self

    def rows(self, query: str) -> list[Any]:
        with self.database.transaction(read_only=True) as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def resources(self) -> dict[str, Any]:
        deployment = self

        class Here(DatabaseResource):
            @contextmanager
            def open(self) -> Iterator[Database]:
                yield deployment.database

        class Clock(ClockResource):
            def now(self) -> datetime:
                return deployment.clock.now

        class Feed(FeedResource):
            def provider(self, database: Database, clock: ClockResource) -> Provider:
                return deployment.feed

        class Defaults(SettingsResource):
            def read(self) -> Settings:
                return Settings(base_timeframe=deployment.feed.base_timeframe)

        return {"database": Here(), "clock": Clock(), "feed": Feed(), "settings": Defaults()}

    def materialize(
        self, first: str, last: str, *, instance: dg.DagsterInstance, assets: Any = (raw_candles, candles), kind: str = "live"
    ) -> dg.ExecuteInProcessResult:
        """One run of the months, as the job of that kind would make it."""
        return dg.materialize(
            list(assets),
            resources=self.resources(),
            tags={**range_tags(first, last), "goldsignal/kind": kind},
            instance=instance,
            raise_on_error=False,
        )


@pytest.fixture
def deployment(database: Database) -> Deployment:
    """The simulated market in hours, at noon of a Wednesday."""
    clock = VirtualClock(datetime(2024, 3, 20, 12, 7, tzinfo=UTC))
    feed = SimulatedProvider(seed=7, calendar=load_calendar(), base_timeframe=Timeframe.H1, clock=clock)
    return Deployment(database, clock, feed)


@pytest.fixture
def postgres_instance(empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance as a deployment has it: `dagster.yaml` of the project, its tables in PostgreSQL."""
    url = make_url(empty_url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    monkeypatch.setenv("GOLDSIGNAL_DAGSTER_PG_URL", url)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copyfile(PROJECT / "dagster.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.get() as instance:
        yield instance
