"""Dagster resources: the database, the feed and the clock, made from the settings when a run asks for them.

Nothing is read or opened at import, so definitions load without a database, a network or an environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from goldsignal_pipeline.providers.base import Provider
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database


class SettingsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The settings of this process."""

    def read(self) -> Settings:
        """Every setting, validated; raises `SettingsError`."""
        from goldsignal_pipeline.settings import cached_settings

        return cached_settings()


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Our PostgreSQL, as the settings name it; the steps of a run share its connections."""

    _is_in_run: bool = PrivateAttr(default=False)
    _of_run: Any = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """A run begins; it connects when a step asks."""
        self._is_in_run = True

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """A run ends, and its connections with it."""
        self._is_in_run = False
        if self._of_run is not None:
            self._of_run.dispose()
            self._of_run = None

    @contextmanager
    def open(self) -> Iterator[Database]:
        """The run's database, or outside of runs one that is closed afterwards; `StorageError` when no address is known."""
        if self._is_in_run:
            if self._of_run is None:
                self._of_run = self._made()
            yield self._of_run
            return
        database = self._made()
        try:
            yield database
        finally:
            database.dispose()

    def _made(self) -> Database:
        from goldsignal_pipeline.settings import cached_settings
        from goldsignal_pipeline.storage.database import Database

        mask_secrets()
        return Database(cached_settings().required_database_url)


class ClockResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The only clock of the assets."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)


class FeedResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The source of candles that the settings name."""

    def provider(self, database: Database, clock: ClockResource) -> Provider:
        """The simulated market, or the vendor with the credit budget of `database`."""
        from goldsignal_pipeline.settings import cached_settings

        return make_provider(cached_settings(), database=database, clock=clock.now)


@cache
def mask_secrets() -> None:
    """Mask the secrets of the settings in every log record of this process, Dagster's own included."""
    from goldsignal_pipeline.providers.redaction import redact_every_record
    from goldsignal_pipeline.settings import cached_settings

    redact_every_record(cached_settings().secrets())


def make_provider(settings: Settings, *, database: Database, clock: Callable[[], datetime]) -> Provider:
    """The feed that `settings` name: the simulated market, or Twelve Data within the shared budget of `database`."""
    import time

    from goldsignal_pipeline.market.hours import load_calendar

    if settings.feed == "simulated" or settings.twelvedata_api_key is None:
        from goldsignal_pipeline.providers.simulated import SimulatedProvider

        return SimulatedProvider(
            seed=settings.simulation_seed, calendar=load_calendar(), base_timeframe=settings.base_timeframe, clock=clock
        )
    from goldsignal_pipeline.providers.twelvedata import TwelveDataProvider
    from goldsignal_pipeline.storage.credits import PostgresCreditBudget

    return TwelveDataProvider(
        api_key=settings.twelvedata_api_key,
        base_url=settings.twelvedata_base_url,
        budget=PostgresCreditBudget(
            database, per_minute=settings.twelvedata_credits_per_minute, per_day=settings.twelvedata_credits_per_day
        ),
        clock=clock,
        sleep=time.sleep,
        base_timeframe=settings.base_timeframe,
    )
