"""What the tests of assets share: all business rows as values, causes of failed steps, a provider that fails on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import text

from goldsignal_pipeline.errors import ProviderError
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow, Provider
from goldsignal_pipeline.storage.database import Database

# Without the marks of the run that wrote a row: when it was computed and by which run.
_CONTENT = {
    "raw_candles": "symbol, source, timeframe, timestamp, open, high, low, close, volume, observed_at",
    "candles": "*",
    "quarantined_candles": "symbol, source, timeframe, timestamp, reason, payload, stage",
    "trading_day_parts": "*",
    "partition_digests": "asset, symbol, month, rows, digest, inputs_digest, complete",
}


def rows(database: Database, query: str) -> list[tuple]:
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def everything(database: Database) -> dict[str, list[str]]:
    """Every business row as text, by table, in an order of its own."""
    return {table: sorted(map(str, rows(database, f"SELECT {columns} FROM {table}"))) for table, columns in _CONTENT.items()}


def step_failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What each failed step said."""
    causes = []
    for event in result.filter_events(lambda event: event.is_step_failure):
        data = event.step_failure_data
        told = data.user_failure_data.description if data.user_failure_data else None
        causes.append(told or (data.error.to_string() if data.error else str(event.message)))
    return causes


@dataclass(frozen=True)
class FailingAfter:
    """A provider that answers some windows and then fails."""

    inner: Provider
    windows: int
    error: ProviderError

    @property
    def symbol(self) -> str:
        return self.inner.symbol

    @property
    def source(self) -> Source:
        return self.inner.source

    @property
    def base_timeframe(self) -> Timeframe:
        return self.inner.base_timeframe

    @property
    def page_bars(self) -> int:
        return 5000

    def calls_needed(self, window: FetchWindow) -> int:
        return self.inner.calls_needed(window)

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        answered = self.__dict__.setdefault("answered", [])
        if len(answered) >= self.windows:
            raise self.error
        answered.append(window)
        return self.inner.fetch(window)
