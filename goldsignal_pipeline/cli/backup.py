"""`goldsignal backup FILE` and `restore FILE`: candles, decisions and Dagster's memory of them in one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldsignal_pipeline.cli.output import JsonOption, Output, size_text

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.services import Addresses
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.backup import Manifest

ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there without asking.")]
FileArgument = Annotated[Path, typer.Argument(help="The backup.", dir_okay=False)]


def commands(app: typer.Typer) -> None:
    """Register `backup` and `restore`."""
    app.command(rich_help_panel="Care")(backup)
    app.command(rich_help_panel="Care")(restore)


def backup(file: FileArgument, force: ForceOption = False, as_json: JsonOption = False) -> None:
    """Write everything to one file; works while `up` runs."""
    from datetime import UTC, datetime

    from goldsignal_pipeline.cli import session
    from goldsignal_pipeline.cli.services import database_in_use
    from goldsignal_pipeline.storage.backup import back_up

    output = Output(as_json)
    with database_in_use(session.start()) as addresses:
        manifest = back_up(file, schemas=schemas_of(addresses), now=datetime.now(UTC), overwrite=force)
    _tell(output, file, manifest, verb="Wrote")


def restore(file: FileArgument, force: ForceOption = False, as_json: JsonOption = False) -> None:
    """Replace the data by those of a backup; `up` must not run."""
    from goldsignal_pipeline.cli import session
    from goldsignal_pipeline.storage import backup as backups

    output = Output(as_json)
    settings = session.start()
    manifest = backups.read_manifest(file)
    _require_known_revision(file, manifest)
    with _quiet_database(settings) as addresses:
        schemas = schemas_of(addresses)
        held = backups.rows_held(schemas)
        replace = force or (held > 0 and sys.stdin.isatty() and _confirmed(held, manifest))
        backups.restore(file, schemas=schemas, replace=replace)
        _bring_up_to_date(addresses)
    _tell(output, file, manifest, verb="Restored")


def schemas_of(addresses: Addresses) -> dict[str, str]:
    """What a backup holds: our schema and Dagster's, each with the address of its database."""
    from goldsignal_pipeline.cli.services.addresses import DAGSTER_SCHEMA, libpq_url

    return {"goldsignal": libpq_url(addresses.database_url), DAGSTER_SCHEMA: libpq_url(addresses.dagster_url)}


@contextmanager
def _quiet_database(settings: Settings) -> Iterator[Addresses]:
    """The running database, while no `up` works on it."""
    from goldsignal_pipeline.cli.services import database_in_use
    from goldsignal_pipeline.cli.services.record import up_lock
    from goldsignal_pipeline.errors import UsageError

    with up_lock(settings.home) as nobody_runs:
        if not nobody_runs:
            raise UsageError(
                "`goldsignal up` runs and works on the data.",
                done="The database was not touched.",
                fix="Run `goldsignal down` first.",
            )
        with database_in_use(settings) as addresses:
            yield addresses


def _confirmed(held: int, manifest: Manifest) -> bool:
    return typer.confirm(f"Replace {held:,} rows by the {manifest.rows:,} rows of {manifest.made_at}?", err=True)


def _require_known_revision(file: Path, manifest: Manifest) -> None:
    from alembic.script import ScriptDirectory

    from goldsignal_pipeline.errors import UsageError
    from goldsignal_pipeline.storage.migrations import SCRIPTS

    known = {script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()}
    if manifest.revision is not None and manifest.revision not in known:
        raise UsageError(
            f"{file} holds the schema revision {manifest.revision}, which this release does not know.",
            done="The database was not touched.",
            fix="Update this checkout, then restore.",
        )


def _bring_up_to_date(addresses: Addresses) -> None:
    """Migrate data of an older release; grant again what belongs to the server and is not in a backup."""
    from sqlalchemy import create_engine

    from goldsignal_pipeline.storage import migrations

    migrations.upgrade(addresses.database_url)
    engine = create_engine(addresses.database_url)
    with engine.begin() as connection:
        for script in ("roles/roles.sql", "roles/grants.sql"):
            migrations.apply_script(connection, script)
    engine.dispose()


def _tell(output: Output, file: Path, manifest: Manifest, *, verb: str) -> None:
    from dataclasses import asdict

    size = sum(part.size_bytes for part in manifest.parts.values())
    origin = f"PostgreSQL {manifest.server_version}, made {manifest.made_at}"
    text = f"{verb} {manifest.rows:,} rows ({size_text(size)}, {origin}): {file}"
    output.emit({"file": str(file), **asdict(manifest)}, render=lambda console: console.print(text, soft_wrap=True))
