"""Dagster's daemon and code server as real processes on a real PostgreSQL, beside a local vendor, on one virtual clock."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import dagster as dg
from sqlalchemy.engine import make_url

from goldsignal_pipeline.automation.schedules import BAR_CLOSE_TAG
from goldsignal_pipeline.cli.services.processes import MARK, Service, kill_marked
from goldsignal_pipeline.storage import ports
from goldsignal_pipeline_tests.automation.virtual_time import FILE_VARIABLE, VirtualTime
from goldsignal_pipeline_tests.vendor_market import VendorMarket
from goldsignal_pipeline_tests.vendor_server import KEY, VendorServer

PROJECT = Path(__file__).resolve().parents[2]
HERE = "goldsignal_pipeline_tests.automation.virtual_time"
PATIENCE_SECONDS = 240.0

Found = TypeVar("Found")


class LiveStack:
    """What the test sees of it: the clock, the vendor, Dagster's instance."""

    def __init__(self, folder: Path, *, market: VendorMarket, database_url: str, dagster_url: str) -> None:
        self.time = VirtualTime(folder / "time")
        self.vendor = VendorServer(market, clock=self._vendor_clock)
        self.folder = folder
        self.call_moves_time_to: datetime | None = None
        """When the vendor is next asked, it is this instant."""
        self._mark = secrets.token_hex(8)
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("GOLDSIGNAL_", "DAGSTER_", "PYTEST_"))
        } | {
            MARK: self._mark,
            FILE_VARIABLE: str(self.time.file),
            "GOLDSIGNAL_HOME": str(folder),
            "GOLDSIGNAL_ENV_FILE": str(folder / "none.env"),
            "GOLDSIGNAL_DATABASE_URL": database_url,
            "GOLDSIGNAL_DAGSTER_PG_URL": make_url(dagster_url)
            .set(drivername="postgresql+psycopg2")
            .render_as_string(hide_password=False),
            "GOLDSIGNAL_TWELVEDATA_API_KEY": KEY,
            "GOLDSIGNAL_TWELVEDATA_BASE_URL": self.vendor.base_url,
            "GOLDSIGNAL_LIVE_RUN_DAYS": "1",
            "DAGSTER_HOME": str(folder),
            "DAGSTER_EVENT_BATCH_SIZE": "200",
        }
        self._services: list[Service] = []
        shutil.copyfile(PROJECT / "dagster.yaml", folder / "dagster.yaml")

    def _vendor_clock(self) -> datetime:
        if self.call_moves_time_to is not None:
            self.time.set(self.call_moves_time_to)
            self.call_moves_time_to = None
        return self.time.now()

    def start(self, *, location: str = f"{HERE}.location") -> None:
        """Start the code server of a location, then the daemon."""
        port = ports.free_for(self.folder, "code server")
        workspace = self.folder / "workspace.yaml"
        workspace.write_text(
            f"load_from:\n  - grpc_server:\n      host: 127.0.0.1\n      port: {port}\n      location_name: goldsignal\n"
        )
        served = ["-m", location, "-h", "127.0.0.1", "-p", str(port), "--location-name", "goldsignal"]
        self._start("code-server", ["dagster", "api", "grpc", *served])
        wait_until(lambda: self._answers(port), "the code server", seconds=60)
        self.start_daemon("daemon")

    def start_daemon(self, name: str) -> Service:
        """A daemon; Dagster means there to be one."""
        return self._start(name, [f"{HERE}.daemon", "run", "-w", str(self.folder / "workspace.yaml")])

    def _answers(self, port: int) -> bool:
        assert self._services[0].exit_code() is None, self.logs()
        return not ports.is_free(port)

    def _start(self, name: str, arguments: list[str]) -> Service:
        command = [sys.executable, "-m", *arguments]
        service = Service(name, command, self.folder / f"{name}.log", self._environment, PROJECT)
        service.start()
        self._services.append(service)
        return service

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's instance, as the processes use it."""
        before = os.environ.get("GOLDSIGNAL_DAGSTER_PG_URL")
        os.environ["GOLDSIGNAL_DAGSTER_PG_URL"] = self._environment["GOLDSIGNAL_DAGSTER_PG_URL"]
        try:
            with dg.DagsterInstance.from_config(str(self.folder)) as instance:
                yield instance
        finally:
            del os.environ["GOLDSIGNAL_DAGSTER_PG_URL"]
            if before is not None:
                os.environ["GOLDSIGNAL_DAGSTER_PG_URL"] = before

    def logs(self, *, most: int = 6000) -> str:
        """The end of what the processes said."""
        return "\n".join(f"--- {each.name}\n{each.log.read_text()[-most:]}" for each in self._services)

    def stop(self) -> None:
        """End every process."""
        for service in reversed(self._services):
            service.interrupt()
        for service in self._services:
            service.kill_session()
        kill_marked(self._mark)


def live_runs(instance: dg.DagsterInstance) -> dict[str, list[dg.DagsterRun]]:
    """The live cycles by the close of their bar, each oldest first."""
    found: dict[str, list[dg.DagsterRun]] = {}
    for run in reversed(instance.get_runs(dg.RunsFilter(job_name="live_cycle"))):
        found.setdefault(f"{datetime.fromisoformat(run.tags[BAR_CLOSE_TAG]):%Y-%m-%d %H:%M}", []).append(run)
    return found


def wait_until(probe: Callable[[], Found], what: str, *, seconds: float = PATIENCE_SECONDS) -> Found:
    """What `probe` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := probe():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")
