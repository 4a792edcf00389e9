"""Runs in flight when our processes end: cancelled when we stop, reported as failed when something was killed.

A run whose process is gone would otherwise stay "started" for ever and hold its place in the queue, because Dagster's default
launcher cannot tell that a process died with its code server. Runs that a command executes in its own process carry that process
in a tag (`process_tags`), so that they can be told from runs of a living command.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from typing import Final

import psutil
import psycopg

from goldsignal_pipeline.cli.services.addresses import libpq_url
from goldsignal_pipeline.cli.services.processes import living_process

_REPORT: Final = """
import sys
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    for run_id in sys.argv[1:]:
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, "The process of this run was gone when GoldSignal looked after its processes.")
"""
_IN_FLIGHT: Final = """
    SELECT runs.run_id, run_tags.value FROM runs JOIN run_tags USING (run_id)
    WHERE runs.status IN ('STARTING', 'STARTED', 'CANCELING') AND run_tags.key = %s
"""
_CODE_SERVER_TAG: Final = ".dagster/grpc_info"
_PROCESS_TAG: Final = "goldsignal/process"


def process_tags() -> dict[str, str]:
    """Tags for a run that is executed in this process."""
    process = psutil.Process()
    return {_PROCESS_TAG: f"{process.pid}:{process.create_time():.2f}"}


def runs_in_flight(dagster_url: str, *, code_server_port: int) -> list[str]:
    """Ids of runs that the code server at this port launched and that have not ended; empty before Dagster's first start."""
    return [run_id for run_id, info in _unfinished(dagster_url, _CODE_SERVER_TAG) if _port(info) == code_server_port]


def runs_without_process(dagster_url: str) -> list[str]:
    """Ids of unfinished runs of commands whose process is gone."""
    return [run_id for run_id, owner in _unfinished(dagster_url, _PROCESS_TAG) if not _lives(owner)]


def report_lost_runs(run_ids: list[str], environment: dict[str, str]) -> None:
    """Tell Dagster that these runs failed, so that it retries them; in a process of its own, which spares `up` the import."""
    if run_ids:
        subprocess.run([sys.executable, "-c", _REPORT, *run_ids], check=False, env=environment, capture_output=True)


def _port(info: str) -> int | None:
    with suppress(ValueError, AttributeError):
        port: int | None = json.loads(info).get("port")
        return port
    return None


def _unfinished(dagster_url: str, tag: str) -> list[tuple[str, str]]:
    try:
        with psycopg.connect(libpq_url(dagster_url), autocommit=True, connect_timeout=5) as connection:
            return [(str(run_id), str(value)) for run_id, value in connection.execute(_IN_FLIGHT, [tag])]
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
        return []


def _lives(owner: str) -> bool:
    try:
        pid, created = owner.split(":")
        return living_process(int(pid), created=float(created)) is not None
    except ValueError:
        return False
