"""`goldsignal status`: is everything alive, is the record fresh, what is left of the credits, what happened last.

Looks only: nothing is started, nothing is changed, no vendor is called. Exit code 7 when something is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import findings, session, status_services
from goldsignal_pipeline.cli.exits import HEALTHY
from goldsignal_pipeline.cli.findings import Finding, note, ok, problem
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, size_text, span_text, table
from goldsignal_pipeline.cli.status_services import START_ALL, RunLine
from goldsignal_pipeline.errors import GoldSignalError

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.catch_up import CatchUp
    from goldsignal_pipeline.cli.credits import CreditState
    from goldsignal_pipeline.cli.services import Addresses
    from goldsignal_pipeline.cli.status_record import BlockedDay, FeedState
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.storage.operator_events import Event

RUNS_SHOWN: Final = 5
EVENTS_SHOWN: Final = 5
EVENTS_SPAN: Final = timedelta(days=1)


@dataclass
class Status:
    """Everything that `status` tells, gathered step by step."""

    at: datetime
    symbol: str
    findings: list[Finding] = field(default_factory=list)
    feed: FeedState | None = None
    credits: CreditState | None = None
    blocked_days: list[BlockedDay] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    runs: list[RunLine] = field(default_factory=list)
    caught_up: list[CatchUp] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The status as plain values; times in UTC."""
        return {"healthy": findings.exit_code(self.findings) == HEALTHY, **asdict(self)}


def commands(app: typer.Typer) -> None:
    """Register `status`."""
    app.command(rich_help_panel="Run")(status)


def status(as_json: JsonOption = False) -> None:
    """Show what runs, how fresh the record is, and what happened last; exit code 7 when something is wrong."""
    output = Output(as_json)
    settings = session.start()
    with output.notes.status("Looking ..."):
        gathered = gather(settings, now=datetime.now(UTC))
    output.emit(gathered.as_dict(), render=lambda console: _render(console, gathered, zone=settings.display_zone))
    raise typer.Exit(findings.exit_code(gathered.findings))


def gather(settings: Settings, *, now: datetime) -> Status:
    """Look at everything; a part that fails to answer is a problem of its own and hides no other."""
    gathered = Status(at=now, symbol=session.default_symbol(settings))
    addresses = status_services.running_addresses(settings)
    if addresses is None:
        gathered.findings.append(problem("database", "the embedded PostgreSQL does not run", fix=START_ALL))
    else:
        _guarded(gathered, "database", lambda: _look_at_database(gathered, settings, addresses))
        _guarded(gathered, "daemon", lambda: _look_at_dagster(gathered, settings, addresses))
    web = status_services.web_state(settings)
    gathered.findings += [status_services.web_finding(web), status_services.api_finding(web)]
    return gathered


def _look_at_database(gathered: Status, settings: Settings, addresses: Addresses) -> None:
    from goldsignal_pipeline.storage.database import Database

    database = Database(addresses.database_url)
    try:
        gathered.findings.append(_database_finding(database, addresses, settings))
        _look_at_record(gathered, settings, database)
    finally:
        database.dispose()


def _database_finding(database: Database, addresses: Addresses, settings: Settings) -> Finding:
    from sqlalchemy import text

    from goldsignal_pipeline.cli.services.addresses import own_database_url

    version = database.check().version
    with database.transaction(read_only=True) as connection:
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    kind = "embedded" if own_database_url(settings) is None else "your own"
    return ok("database", f"PostgreSQL {version} ({kind}), {size_text(int(size))}")


def _look_at_record(gathered: Status, settings: Settings, database: Database) -> None:
    from goldsignal_pipeline.cli import credits, status_record
    from goldsignal_pipeline.cli.alerts import outbox_findings
    from goldsignal_pipeline.cli.months import behind
    from goldsignal_pipeline.storage import operator_events

    now, symbol = gathered.at, gathered.symbol
    with database.transaction(read_only=True) as connection:
        gathered.feed = status_record.feed_state(connection, settings, symbol=symbol, now=now)
        gathered.blocked_days = status_record.blocked_days(connection, symbol=symbol, now=now)
        gathered.events = operator_events.read(connection, since=now - EVENTS_SPAN, limit=EVENTS_SHOWN)
    gathered.findings += [
        status_record.feed_finding(gathered.feed, settings, zone=settings.display_zone),
        status_record.days_finding(gathered.blocked_days, now=now),
        status_record.months_finding(behind(database, settings), now=now),
    ]
    gathered.findings += outbox_findings(database, settings, now=now)
    if settings.feed == "twelvedata":
        gathered.credits = credits.credit_state(database, settings, now=now)
        gathered.findings.append(credits.finding(gathered.credits))


def _look_at_dagster(gathered: Status, settings: Settings, addresses: Addresses) -> None:
    from goldsignal_pipeline.cli.catch_up import caught_up, successful_cycles
    from goldsignal_pipeline.market.hours import load_calendar

    if not status_services.use_addresses(addresses):
        gathered.findings.append(problem("daemon", "has never run", fix=START_ALL))
        return
    with session.dagster_instance() as instance:
        gathered.findings.append(status_services.daemon_finding(instance, now=gathered.at))
        gathered.runs = status_services.last_runs(instance, limit=RUNS_SHOWN)
        cycles = successful_cycles(instance, now=gathered.at)
    gathered.caught_up = caught_up(cycles, calendar=load_calendar(), bar_minutes=settings.base_timeframe.minutes)
    gathered.findings.append(runs_finding(gathered.runs))


def runs_finding(runs: Sequence[RunLine]) -> Finding:
    """Did the newest finished run of each job succeed?"""
    newest: dict[str, RunLine] = {}
    for run in runs:
        if run.status in ("success", "failure", "canceled"):
            newest.setdefault(run.job, run)
    failed = [run for run in newest.values() if run.status == "failure"]
    if failed:
        names = ", ".join(f"{run.job} ({run.run_id[:8]})" for run in failed)
        return problem("runs", f"the newest run failed: {names}", fix="Its log is in the web page; events below name the cause.")
    return ok("runs", "the newest of each job succeeded") if newest else note("runs", "none has finished yet")


def _guarded(gathered: Status, name: str, look: Any) -> None:
    from goldsignal_pipeline.cli.logs import mask

    try:
        look()
    except GoldSignalError as error:
        gathered.findings.append(problem(name, error.what, fix=error.fix or "Run `goldsignal doctor`."))
    except Exception as error:
        text = mask(f"{type(error).__name__}: {error}".splitlines()[0])
        gathered.findings.append(problem(name, text, fix="Run `goldsignal doctor`."))


def _render(console: Console, gathered: Status, *, zone: ZoneInfo) -> None:
    console.print(findings.render(gathered.findings, title=f"status at {local_text(gathered.at, zone=zone)}"))
    if gathered.runs:
        rows = [_run_cells(run, zone=zone) for run in gathered.runs]
        console.print()
        console.print(table("run of", "", "months", f"began ({zone.key})", ("took", "right"), rows=rows, title="last runs"))
    for step in gathered.caught_up:
        since, until = (local_text(instant, zone=zone) for instant in (step.since, step.until))
        console.print(f"Caught up {step.bars} bars that closed after {since} with the cycle of {until}.")
    if gathered.events:
        console.print()
        lines = [_event_cells(event, zone=zone) for event in gathered.events]
        console.print(table("at", "", "", rows=lines, title=f"events of the last day, times in {zone.key}", header=False))


def _run_cells(run: RunLine, *, zone: ZoneInfo) -> tuple[str | Text, ...]:
    style = {"success": "green", "failure": "bold red"}.get(run.status, "yellow")
    began = local_text(run.started_at, zone=zone, with_zone=False) if run.started_at else "waits"
    took = span_text(run.seconds) if run.seconds is not None else ""
    return run.job, Text(run.status, style=style), run.months, began, took


def _event_cells(event: Event, *, zone: ZoneInfo) -> tuple[str | Text, ...]:
    style = {"error": "bold red", "warning": "yellow"}.get(event.severity, "")
    return local_text(event.at, zone=zone, with_zone=False), Text(event.severity, style=style), event.message
