"""`goldsignal psql`: PostgreSQL's own terminal on our database; the password travels in the environment, never in arguments."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import Annotated, Final

import typer

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output
from goldsignal_pipeline.errors import ServiceError, SettingsError

# libpq's names for what a connection address may hold; a keyword without a variable would be lost silently.
_VARIABLES: Final = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_SEARCH_PATH: Final = "-c search_path=goldsignal,public"


def commands(app: typer.Typer) -> None:
    """Register `psql`."""
    app.command(
        rich_help_panel="Care",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        epilog="Options of psql follow after `--`: goldsignal psql -- -c 'SELECT count(*) FROM candles'",
    )(psql)


def psql(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(metavar="PSQL-OPTIONS", help="Options handed to psql.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Open PostgreSQL's own terminal on our database."""
    settings = session.start()
    with session.open_database(settings) as database:
        variables = connection_variables(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
        program = _program()
        if as_json:
            shown = {name: value for name, value in variables.items() if name != "PGPASSWORD"}
            Output(as_json).emit({"program": program, "environment": shown}, render=lambda _: None)
            return
        code = _run([program, *(words or []), *context.args], os.environ | variables)
    raise typer.Exit(code)


def _run(arguments: list[str], environment: dict[str, str]) -> int:
    """Run psql to its end; Ctrl-C is psql's own affair, which cancels a query and stays."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # The child must not inherit the deafness to Ctrl-C.
        done = subprocess.run(
            arguments, env=environment, check=False, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        )
    finally:
        signal.signal(signal.SIGINT, before)
    return done.returncode


def connection_variables(address: str) -> dict[str, str]:
    """The variables that lead libpq to `address` (postgresql://...); raises `SettingsError` for a keyword that has none."""
    from psycopg.conninfo import conninfo_to_dict

    keywords = conninfo_to_dict(address)
    unknown = sorted(set(keywords) - set(_VARIABLES))
    if unknown:
        raise SettingsError(
            f"psql cannot be told {', '.join(unknown)} of GOLDSIGNAL_DATABASE_URL.",
            done="psql was not started.",
            fix="Start psql by hand with your address.",
        )
    variables = {_VARIABLES[name]: str(value) for name, value in keywords.items()}
    return variables | {"PGOPTIONS": f"{_SEARCH_PATH} {variables.get('PGOPTIONS', '')}".strip()}


def _program() -> str:
    from goldsignal_pipeline.storage.server_binaries import program

    try:
        return str(program("psql"))
    except ServiceError:
        found = shutil.which("psql")
        if found is None:
            raise ServiceError(
                "No psql is on this machine.", done="Nothing was started.", fix="Install PostgreSQL's client programs."
            ) from None
        return found
