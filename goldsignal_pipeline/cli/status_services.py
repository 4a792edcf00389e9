"""What runs of ours: the database server, the web page, Dagster's daemon and its last runs. Looks only, starts nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.cli.findings import Finding, note, ok, problem
from goldsignal_pipeline.cli.output import span_text

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from goldsignal_pipeline.cli.services import Addresses
    from goldsignal_pipeline.settings import Settings

START_ALL: Final = "Run `goldsignal up`."


@dataclass(frozen=True, slots=True)
class WebState:
    """Where Dagster's page and the API should be ("" when no `up` runs) and whether they are served."""

    address: str
    answers: bool
    api_address: str = ""
    api_answers: bool = False


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run of Dagster: its job, how it ended, its months, when it began (UTC) and how long it took."""

    run_id: str
    job: str
    status: str
    months: str
    started_at: datetime | None
    seconds: float | None


def web_state(settings: Settings) -> WebState:
    """The pages of the running `up`."""
    from goldsignal_pipeline.cli.services.record import read_record
    from goldsignal_pipeline.cli.services.web import answers

    record = read_record(settings.home)
    if record is None or record.process() is None:
        return WebState("", answers=False)
    return WebState(
        record.web_address,
        answers=answers(record.web_address),
        api_address=record.api_address,
        api_answers=answers(record.api_address),
    )


def running_addresses(settings: Settings) -> Addresses | None:
    """The addresses in use; None when they are those of an embedded server that does not run."""
    from goldsignal_pipeline.cli.services.addresses import embedded_addresses, own_addresses, own_database_url
    from goldsignal_pipeline.storage.embedded import EmbeddedServer

    own = own_database_url(settings)
    if own is not None:
        return own_addresses(own, settings.home)
    server = EmbeddedServer(settings.home)
    return embedded_addresses(server) if server.initialised and server.running() else None


def web_finding(web: WebState) -> Finding:
    """Is the page served?"""
    if not web.address:
        return problem("web page", "no `goldsignal up` runs", fix=START_ALL)
    if not web.answers:
        return problem("web page", f"{web.address} does not answer", fix="See logs/web-server.log; `goldsignal up` again.")
    return ok("web page", web.address)


def api_finding(web: WebState) -> Finding:
    """Are the API and the chart served?"""
    if not web.api_address:
        return problem("api", "no `goldsignal up` runs", fix=START_ALL)
    if not web.api_answers:
        return problem("api", f"{web.api_address} does not answer", fix="See logs/api.log; `goldsignal up` again.")
    return ok("api", f"{web.api_address}, the chart is its page")


def daemon_finding(instance: DagsterInstance, *, now: datetime) -> Finding:
    """Does Dagster's daemon live? It starts schedules and queued runs."""
    from goldsignal_pipeline.automation.heartbeat import SILENT_DAEMON, newest_heartbeat

    newest = newest_heartbeat(instance)
    if newest is None:
        return problem("daemon", "has never run", fix=START_ALL)
    age = now - newest
    if age > SILENT_DAEMON:
        return problem("daemon", f"last heartbeat {span_text(age.total_seconds())} ago", fix=START_ALL)
    failing = sorted(name for name, beat in instance.get_daemon_heartbeats().items() if beat.errors)
    if failing:
        return note("daemon", f"alive, but reports errors: {', '.join(failing).lower()}", fix="See logs/daemon.log.")
    return ok("daemon", f"last heartbeat {span_text(max(age.total_seconds(), 0.0))} ago")


def last_runs(instance: DagsterInstance, *, limit: int) -> list[RunLine]:
    """The newest runs, newest first."""
    lines = []
    for record in instance.get_run_records(limit=limit):
        tags = record.dagster_run.tags
        first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition", ""))
        last = tags.get("dagster/asset_partition_range_end", first)
        began, ended = record.start_time, record.end_time
        lines.append(
            RunLine(
                run_id=record.dagster_run.run_id,
                job=_job_name(record.dagster_run.job_name),
                status=record.dagster_run.status.value.lower(),
                months=first if first == last else f"{first} to {last}",
                started_at=datetime.fromtimestamp(began, UTC) if began else None,
                seconds=ended - began if began and ended else None,
            )
        )
    return lines


def use_addresses(addresses: Addresses) -> bool:
    """Point Dagster at the running deployment; False when `up` never made its folder."""
    os.environ.update(addresses.environment())
    return (addresses.dagster_home / "dagster.yaml").is_file()


def _job_name(name: str) -> str:
    return "assets" if name.startswith("__ASSET_JOB") else name
