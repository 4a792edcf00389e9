"""What most commands need first: the settings with logs routed, the database, the symbol of the feed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database


def start() -> Settings:
    """The settings of this process, with the log routed as they say; raises `SettingsError`."""
    from goldsignal_pipeline.cli import logs
    from goldsignal_pipeline.settings import load_settings

    settings = load_settings()
    logs.configure(settings)
    return settings


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Our PostgreSQL, its connections closed afterwards; raises `StorageError` when no address is known."""
    from goldsignal_pipeline.storage.database import Database

    database = Database(settings.required_database_url)
    try:
        yield database
    finally:
        database.dispose()


def default_symbol(settings: Settings) -> str:
    """The symbol of the feed in use: the real market, or the simulated one."""
    from goldsignal_pipeline.market.sources import REAL_SYMBOL, SIMULATED_SYMBOL

    return SIMULATED_SYMBOL if settings.feed == "simulated" else REAL_SYMBOL
