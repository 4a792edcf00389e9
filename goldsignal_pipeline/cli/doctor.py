"""`goldsignal doctor`: looks at everything the pipeline stands on and says of each fault how to mend it.

Nothing is started and nothing is changed; only `--online` makes one call to the vendor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from goldsignal_pipeline.cli import findings, session
from goldsignal_pipeline.cli.findings import Finding, note, ok, problem
from goldsignal_pipeline.cli.output import JsonOption, Output
from goldsignal_pipeline.errors import GoldSignalError, SettingsError

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.services import Addresses
    from goldsignal_pipeline.settings import Settings


def commands(app: typer.Typer) -> None:
    """Register `doctor`."""
    app.command(rich_help_panel="Run")(doctor)


def doctor(
    online: Annotated[bool, typer.Option("--online", help="Also try the vendor's key; costs one credit.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for faults and say how to mend each; exit code 7 when there is one."""
    output = Output(as_json)
    with output.notes.status("Looking ..."):
        found = list(examine(online=online))
    output.emit(
        {"healthy": findings.exit_code(found) == 0, "findings": [finding.as_dict() for finding in found]},
        render=lambda console: console.print(findings.render(found, title="doctor")),
    )
    raise typer.Exit(findings.exit_code(found))


def examine(*, online: bool) -> Iterator[Finding]:
    """Every finding, in the order in which one fault explains the next."""
    from goldsignal_pipeline.cli import doctor_machine as machine
    from goldsignal_pipeline.settings import PROJECT_ROOT

    yield machine.python_version()
    yield machine.packages(PROJECT_ROOT / "requirements.lock")
    yield machine.time_zones()
    try:
        settings = session.start()
    except SettingsError as error:
        yield problem("settings", error.what, fix=error.fix)
        return
    yield ok("settings", f"valid; feed {settings.feed}")
    yield machine.disk_space(settings.home)
    yield from _services(settings)
    yield _guarded("code location", machine.code_location)
    yield from _database(settings)
    yield _vendor(settings, online=online)


def _services(settings: Settings) -> Iterator[Finding]:
    from goldsignal_pipeline.cli.doctor_machine import api_port, webserver_port
    from goldsignal_pipeline.cli.status_services import web_finding, web_state

    web = web_state(settings)
    yield webserver_port(settings, serving=web.answers)
    yield api_port(settings, serving=web.api_answers)
    yield web_finding(web)


def _database(settings: Settings) -> Iterator[Finding]:
    from goldsignal_pipeline.cli import doctor_database as looks
    from goldsignal_pipeline.cli.status_services import START_ALL, running_addresses
    from goldsignal_pipeline.storage.database import Database

    addresses = running_addresses(settings)
    if addresses is None:
        yield problem("database", "the embedded PostgreSQL does not run", fix=START_ALL)
        return
    database = Database(addresses.database_url)
    try:
        server = looks.server(database)
        yield server
        if server.level is findings.Level.PROBLEM:
            return
        migrations = looks.migrations(database)
        yield migrations
        yield _guarded("roles", lambda: looks.roles(database))
        yield _guarded("clock", lambda: looks.clock(database))
        if migrations.level is not findings.Level.PROBLEM:
            yield _guarded("months", lambda: looks.months(database, settings))
    finally:
        database.dispose()
    yield _guarded("daemon", lambda: _daemon(addresses))


def _daemon(addresses: Addresses) -> Finding:
    from goldsignal_pipeline.cli.status_services import START_ALL, daemon_finding, use_addresses

    if not use_addresses(addresses):
        return problem("daemon", "has never run", fix=START_ALL)
    with session.dagster_instance() as instance:
        return daemon_finding(instance, now=datetime.now(UTC))


def _vendor(settings: Settings, *, online: bool) -> Finding:
    if settings.twelvedata_api_key is None:
        return note("vendor key", "none: the simulated market is used", fix="Set GOLDSIGNAL_TWELVEDATA_API_KEY to go live.")
    if not online:
        return ok("vendor key", "set; not tried (use --online, which costs one credit)")
    return _guarded("vendor key", lambda: _ask_vendor(settings))


def _ask_vendor(settings: Settings) -> Finding:
    """One call, granted by the shared budget: the vendor's own count of our credits."""
    from goldsignal_pipeline.providers.twelvedata import TwelveDataProvider
    from goldsignal_pipeline.resources import make_provider

    with session.open_database(settings) as database:
        provider = make_provider(settings, database=database, clock=lambda: datetime.now(UTC))
        if not isinstance(provider, TwelveDataProvider):
            return note("vendor key", "set, but GOLDSIGNAL_PROVIDER chooses the simulated market")
        usage = provider.usage()
    detail = f"works; the vendor counts {usage.day_used} of {usage.day_limit} credits today"
    planned = (settings.twelvedata_credits_per_minute, settings.twelvedata_credits_per_day)
    if planned != (usage.minute_limit, usage.day_limit):
        return note(
            "vendor key",
            f"{detail}; its plan allows {usage.minute_limit} a minute and {usage.day_limit} a day, the settings say {planned}",
            fix="Set GOLDSIGNAL_TWELVEDATA_CREDITS_PER_MINUTE and _PER_DAY to what the plan allows.",
        )
    return ok("vendor key", detail)


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    """The finding of `look`; what it raises is a finding as well, so that one fault never hides the others."""
    from goldsignal_pipeline.cli.logs import mask

    try:
        return look()
    except GoldSignalError as error:
        return problem(name, error.what, fix=error.fix)
    except Exception as error:
        return problem(name, mask(f"{type(error).__name__}: {error}".splitlines()[0]), fix="Report it; this check itself failed.")
