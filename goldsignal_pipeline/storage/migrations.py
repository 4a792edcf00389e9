"""Bring a database to the schema of this release, and back.

All pending revisions run in one transaction under one advisory lock: two processes may migrate at once, and an
interrupted migration leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage.database import Database, driver_connection
from goldsignal_pipeline.storage.tables.base import SCHEMA

SCRIPTS: Final = Path(__file__).resolve().parents[2] / "sql"
VERSION_TABLE: Final = "alembic_version"
_LOCK: Final = 5_044_713_520_260_101  # any number, the same in every process


def upgrade(url: str, revision: str = "head") -> None:
    """Apply every revision up to `revision`."""
    with _migrating(url) as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Take back every revision after `revision` ("base" for all)."""
    with _migrating(url) as config:
        command.downgrade(config, revision)


def current(url: str) -> str | None:
    """The revision the database is at; None before the first migration."""
    database = Database(url, connections=1)
    try:
        with database.transaction() as connection:
            return _current(connection)
    finally:
        database.dispose()


def pending(url: str) -> tuple[str, ...]:
    """The revisions that `upgrade` would apply, in order."""
    scripts = ScriptDirectory.from_config(_config())
    at = current(url)
    return tuple(script.revision for script in reversed(list(scripts.iterate_revisions("head", at or "base"))))


def apply_script(connection: Connection, name: str) -> None:
    """Run a file of views, functions or grants below `sql/`, for the revision that owns it."""
    # Straight to the driver: SQLAlchemy would take % for a placeholder and pass one statement at a time.
    script = (SCRIPTS / name).read_text(encoding="utf-8")
    driver_connection(connection).execute(script.encode())


def _current(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "version_table_schema": SCHEMA})
    return context.get_current_revision()


@contextmanager
def _migrating(url: str) -> Iterator[Config]:
    config = _config()
    database = Database(url, application_name="goldsignal-migrate", connections=1)
    try:
        with database.transaction() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            config.attributes["connection"] = connection
            yield config
    except CommandError as error:
        raise StorageError(
            f"The database cannot be migrated: {error}.",
            done="It was left as it was.",
            fix="Was it made by a newer release? Then use that release.",
        ) from error
    finally:
        database.dispose()


def _config() -> Config:
    if not (SCRIPTS / "env.py").is_file():
        raise StorageError(
            "The folder sql/ with the revisions is missing.",
            done="Nothing was migrated.",
            fix="Run GoldSignal from a checkout of its repository.",
        )
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return config
