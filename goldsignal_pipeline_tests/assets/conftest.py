"""A graph on a real database: the assets of the project with a provider, a clock and settings of the test's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from goldsignal_pipeline.assets.candles import candles
from goldsignal_pipeline.assets.partitions import range_tags
from goldsignal_pipeline.assets.raw_candles import raw_candles
from goldsignal_pipeline.checks.candles import candles_rules
from goldsignal_pipeline.checks.raw_candles import raw_candles_rules
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import Provider
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, FeedResource, SettingsResource
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database

Materialize = Callable[..., dg.ExecuteInProcessResult]


def simulated(now: datetime, *, timeframe: Timeframe = Timeframe.H1, seed: int = 7) -> SimulatedProvider:
    return SimulatedProvider(seed=seed, calendar=load_calendar(), base_timeframe=timeframe, clock=lambda: now)


@pytest.fixture
def materialize(database: Database) -> Materialize:
    """Run assets over months against the test's database, at the instant `now`, with `provider` as the feed."""

    def run(
        first: str,
        last: str,
        *,
        now: datetime,
        provider: Provider | None = None,
        selection: Sequence[Any] = (raw_candles, candles, raw_candles_rules, candles_rules),
        tags: dict[str, str] | None = None,
        instance: dg.DagsterInstance | None = None,
        other_database: Database | None = None,
        **settings: Any,
    ) -> dg.ExecuteInProcessResult:
        class Here(DatabaseResource):
            @contextmanager
            def open(self) -> Iterator[Database]:
                yield other_database or database

        class Frozen(ClockResource):
            def now(self) -> datetime:
                return now

        class Feed(FeedResource):
            def provider(self, database: Database, clock: ClockResource) -> Provider:
                return provider or simulated(now)

        class Chosen(SettingsResource):
            def read(self) -> Settings:
                return Settings(**settings)

        return dg.materialize(
            list(selection),
            resources={"database": Here(), "clock": Frozen(), "feed": Feed(), "settings": Chosen()},
            tags={**range_tags(first, last), **(tags or {})},
            instance=instance,
            raise_on_error=False,
        )

    return run
