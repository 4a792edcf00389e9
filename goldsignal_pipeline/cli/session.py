"""What most commands need first: the settings with logs routed, the database, Dagster's instance, the symbol of the feed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goldsignal_pipeline.errors import StorageError

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from goldsignal_pipeline.cli.services import Addresses
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
def open_database(settings: Settings, *, migrate: bool = False) -> Iterator[Database]:
    """Our PostgreSQL for the time of a command; an embedded server that does not run is started for that time.

    `migrate` brings the schema up to date first (and makes the embedded database where there is none). Without it a database
    that was never made raises `StorageError`.
    """
    from goldsignal_pipeline.cli.services import database_in_use
    from goldsignal_pipeline.cli.services.addresses import own_database_url, prepare_own_database
    from goldsignal_pipeline.storage import migrations
    from goldsignal_pipeline.storage.database import Database

    if not migrate and not has_database(settings):
        raise StorageError(
            "There is no database yet.",
            done="Nothing was changed.",
            fix="Run `goldsignal up` or `goldsignal import FILE`, or set GOLDSIGNAL_DATABASE_URL.",
        )
    with database_in_use(settings) as addresses:
        adopt(addresses)
        if migrate:
            own = own_database_url(settings)
            if own is not None:
                prepare_own_database(own)
            migrations.upgrade(addresses.database_url)
        database = Database(addresses.database_url)
        try:
            yield database
        finally:
            database.dispose()


def has_database(settings: Settings) -> bool:
    """Whether the user names a database or the embedded one was made."""
    from goldsignal_pipeline.cli.services.addresses import own_database_url
    from goldsignal_pipeline.storage.embedded import EmbeddedServer

    return own_database_url(settings) is not None or EmbeddedServer(settings.home).initialised


def adopt(addresses: Addresses) -> None:
    """Let everything that this process runs, Dagster included, use these addresses."""
    from goldsignal_pipeline.settings import PROJECT_ROOT, cached_settings

    os.environ.update(addresses.environment())
    cached_settings.cache_clear()
    addresses.dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", addresses.dagster_home / "dagster.yaml")


@contextmanager
def dagster_instance() -> Iterator[DagsterInstance]:
    """Dagster's instance at the addresses that were adopted, its connections closed afterwards."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        yield instance


def default_symbol(settings: Settings) -> str:
    """The symbol of the feed in use: the real market, or the simulated one."""
    return settings.symbol
