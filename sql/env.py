"""Alembic's environment: runs the revisions on the connection `storage.migrations` hands over, in its transaction.

Called by `alembic -c sql/alembic.ini` (to write a new revision) it connects to GOLDSIGNAL_DATABASE_URL by itself.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.migrations import VERSION_TABLE
from goldsignal_pipeline.storage.tables import METADATA, SCHEMA


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    return name == SCHEMA if kind == "schema" else True


def run(connection: Connection) -> None:
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_schemas=True,
        include_name=include_name,
        version_table=VERSION_TABLE,
        version_table_schema=SCHEMA,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from goldsignal_pipeline.settings import load_settings

    url = load_settings().database_url
    if url is None:
        raise SystemExit("Set GOLDSIGNAL_DATABASE_URL to the database to compare with.")
    with Database(url.get_secret_value()).transaction() as own:
        run(own)
