"""All our processes together: start in order, watch, stop.

1. What a killed `up` left behind is ended (`Stack._clear_leftovers`).
2. The database server starts, or the user's own is checked (`_open_database`).
3. The code server starts and loads the definitions while the schema is migrated (`_start_code_server`, `_migrate`).
4. API, web server and daemon start; the pages must be served and the definitions must have loaded (`_start_dagster`).
5. A watcher starts again what dies, later each time, and gives up loudly (`_watch`).
6. `fill` brings the first data in a process of its own.
7. `stop` cancels runs in flight, ends all processes politely, kills what stays, and stops the database last.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from goldsignal_pipeline.alerts.configured import configured_channels
from goldsignal_pipeline.cli.services import filling
from goldsignal_pipeline.cli.services.addresses import (
    Addresses,
    embedded_addresses,
    keep_running,
    own_addresses,
    own_database_url,
    prepare_own_database,
    use_lock,
)
from goldsignal_pipeline.cli.services.processes import Service, kill_marked, service_environment, wait_all
from goldsignal_pipeline.cli.services.record import forget_record, read_record, write_record
from goldsignal_pipeline.cli.services.runs import report_lost_runs, runs_in_flight, runs_without_process
from goldsignal_pipeline.cli.services.web import WebServer, answers
from goldsignal_pipeline.errors import GoldSignalError, ServiceError
from goldsignal_pipeline.storage import ports
from goldsignal_pipeline.storage.embedded import HOST, EmbeddedServer

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings

logger = logging.getLogger(__name__)

DEFINITIONS_MODULE: Final = "goldsignal_pipeline.definitions"
LOCATION: Final = "goldsignal"
SENDER: Final = "alert sender"
API: Final = "api"
_READY_SECONDS: Final = 120.0
_CANCEL_SECONDS: Final = 8.0
_END_SECONDS: Final = 15.0
_DEATHS: Final = 5
_DEATHS_WITHIN_SECONDS: Final = 300.0


@dataclass(frozen=True)
class StackOptions:
    """What differs between a real start and a test: definitions, the function that fills, the folder of `dagster.yaml`."""

    module: str = DEFINITIONS_MODULE
    fill: str = filling.FILL
    project: Path = Path(__file__).resolve().parents[3]


class Stack:
    """Our processes for one `up`. `say` is told each step that was finished, in words."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None], options: StackOptions | None = None) -> None:
        self.settings = settings
        self.home = settings.home.absolute()
        self.failure: GoldSignalError | None = None
        self.hurry = threading.Event()
        self._say = say
        self._options = options or StackOptions()
        self._mark = secrets.token_hex(16)
        self._exits = contextlib.ExitStack()
        self._services: dict[str, Service] = {}
        self._filler: Service | None = None
        self._environment: dict[str, str] = {}
        self._ending = threading.Event()
        self._watcher: threading.Thread | None = None
        self._server: EmbeddedServer | None = None
        self._addresses: Addresses | None = None
        self._web: WebServer | None = None
        self._code_port = 0
        self._api_address = ""

    @property
    def addresses(self) -> Addresses:
        """Where the databases are; known after the start."""
        if self._addresses is None:
            raise ServiceError("The database has not been started yet.")
        return self._addresses

    @property
    def web_address(self) -> str:
        """Address of the Dagster page; known after the start."""
        return "" if self._web is None else self._web.address

    @property
    def api_address(self) -> str:
        """Address of the API and the chart page; known after the start."""
        return self._api_address

    def start(self) -> None:
        """Start everything; returns when the page is served and the definitions have loaded. Raises what went wrong."""
        lost = self._clear_leftovers()
        self._open_database()
        self.addresses.write(self.home / "env")
        extra = self.addresses.environment() | {"GOLDSIGNAL_HOME": str(self.home)}
        self._environment = service_environment(self._mark, extra)
        self._prepare_dagster_home()
        web_port = self._choose_ports(lost)
        self._services = self._describe_services(web_port)
        write_record(
            self.home,
            mark=self._mark,
            web_address=_address(self.settings.webserver_host, web_port),
            api_address=self._api_address,
            code_server_port=self._code_port,
        )
        self._services["code server"].start()
        self._migrate()
        self._services[API].start()
        url = self.addresses.dagster_url
        lost_runs = runs_in_flight(url, code_server_port=self._code_port) + runs_without_process(url)
        report_lost_runs(lost_runs, self._environment)
        self._wait_for_code_server()
        self._start_dagster(web_port)
        self._watcher = threading.Thread(target=self._watch, name="goldsignal-watcher", daemon=True)
        self._watcher.start()

    def fill(self) -> dict[str, Any]:
        """Bring the first data in a process of its own; returns what it tells of itself, raises what went wrong."""
        self._filler = self._service("fill", filling.command(self._options.fill))
        return filling.follow(self._filler, self._say)

    def stop(self) -> None:
        """End everything of ours; safe after a start that failed half way, and when called again."""
        self._ending.set()
        if self._watcher is not None:
            self._watcher.join()
        self._end_dagster()
        kill_marked(self._mark)
        if self._server is not None:
            self._server.stop()
            keep_running(self.home, False)
        if self._web is not None:
            self._web.close()
        self._exits.close()
        forget_record(self.home)

    # -- start ----------------------------------------------------------------------------------------------------------------

    def _clear_leftovers(self) -> int | None:
        """End processes of an `up` that was killed; returns the port its code server had."""
        record = read_record(self.home)
        if record is None:
            return None
        ended = kill_marked(record.mark)
        if ended:
            self._say(f"Ended {ended} processes that an interrupted start had left")
        return record.code_server_port

    def _open_database(self) -> None:
        own = own_database_url(self.settings)
        if own is not None:
            prepare_own_database(own)
            self._addresses = own_addresses(own, self.home)
            self._say("Your own PostgreSQL answers (GOLDSIGNAL_DATABASE_URL)")
            return
        server = EmbeddedServer(self.home, self.settings.postgres_port)
        before = server.port if server.initialised and server.recorded else None
        self._exits.enter_context(use_lock(self.home))
        self._server = server
        state = "adopted, it was running" if server.start() == "adopted" else "started"
        moved = "" if before in (None, server.port) else f", port {before} was in use"
        self._say(f"PostgreSQL {server.major} {state} on {HOST}:{server.port}{moved}")
        self._addresses = embedded_addresses(server)

    def _prepare_dagster_home(self) -> None:
        folder = self.addresses.dagster_home
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._options.project / "dagster.yaml", folder / "dagster.yaml")

    def _choose_ports(self, earlier_code_port: int | None) -> int:
        """Choose the code server's port (the earlier one where free, so that lost runs are found by it) and the page's."""
        free = earlier_code_port is not None and ports.is_free(earlier_code_port)
        self._code_port = earlier_code_port if free and earlier_code_port else ports.free_for(self.home, "code server")
        port = self._free_port(self.settings.webserver_port, self.settings.webserver_host, taker="the page")
        workspace = (
            f"load_from:\n  - grpc_server:\n      host: {HOST}\n      port: {self._code_port}\n      location_name: {LOCATION}\n"
        )
        (self.addresses.dagster_home / "workspace.yaml").write_text(workspace, encoding="utf-8")
        return port

    def _free_port(self, wanted: int, host: str, *, taker: str) -> int:
        port = ports.first_free(wanted, host)
        if port != wanted:
            self._say(f"Port {wanted} is in use, {taker} takes {port}")
        return port

    def _describe_services(self, web_port: int) -> dict[str, Service]:
        from goldsignal_pipeline.cli.services import sending, serving  # a module that was imported cannot be run cleanly

        workspace = str(self.addresses.dagster_home / "workspace.yaml")
        quiet = ["--log-level", "warning"]
        code = ["api", "grpc", "-m", self._options.module, "-h", HOST, "-p", str(self._code_port), "--location-name", LOCATION]
        web = ["-w", workspace, "-h", self.settings.webserver_host, "-p", str(web_port), "--dagster-log-level", "warning"]
        api_port = self._free_port(self.settings.api_port, self.settings.api_host, taker="the API")
        self._api_address = _address(self.settings.api_host, api_port)
        services = {
            API: self._service(API, serving.command(host=self.settings.api_host, port=api_port)),
            "code server": self._service("code server", [sys.executable, "-m", "dagster", *code, *quiet]),
            "web server": self._service("web server", [sys.executable, "-m", "dagster_webserver", *web]),
            "daemon": self._service("daemon", [sys.executable, "-m", "dagster._daemon", "run", "-w", workspace]),
        }
        if self.settings.sends_alerts:
            configured_channels(self.settings)  # an address that no service has is told before anything runs
            services[SENDER] = self._service(SENDER, sending.command())
        return services

    def _service(self, name: str, command: list[str]) -> Service:
        log = self.home / "logs" / f"{name.replace(' ', '-')}.log"
        return Service(name=name, command=command, log=log, environment=self._environment, folder=self.addresses.dagster_home)

    def _migrate(self) -> None:
        from goldsignal_pipeline.storage import migrations

        migrations.upgrade(self.addresses.database_url)
        self._say("The schema of the database is up to date")

    def _wait_for_code_server(self) -> None:
        service = self._services["code server"]
        deadline = time.monotonic() + _READY_SECONDS
        while not _listens(self._code_port):
            self._require_running(service, deadline)
            time.sleep(0.05)
        self._say("The code server answers")

    def _start_dagster(self, web_port: int) -> None:
        self._web = WebServer(_address(self.settings.webserver_host, web_port))
        for name in ("web server", "daemon"):
            self._services[name].start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self._web.serves_page():
            self._require_running(self._services["web server"], deadline)
            time.sleep(0.1)
        self._web.check_code_loaded()
        self._require_running(self._services["daemon"], deadline)
        while not answers(self._api_address):
            self._require_running(self._services[API], deadline)
            time.sleep(0.1)
        self._say(f"The chart and the API are served at {self._api_address}")
        if SENDER in self._services:
            self._services[SENDER].start()
            self._say("Alerts are sent")
        self._say(f"Dagster's page is served at {self.web_address} and the definitions have loaded")

    def _require_running(self, service: Service, deadline: float) -> None:
        if service.exit_code() is not None:
            raise ServiceError(
                f"The {service.name} ended with code {service.exit_code()}: {service.last_words()}",
                done="Everything that was started is stopped again.",
                fix=f"See {service.log}.",
            )
        if time.monotonic() > deadline:
            raise ServiceError(
                f"The {service.name} did not answer within {_READY_SECONDS:.0f} s: {service.last_words()}",
                done="Everything that was started is stopped again.",
                fix=f"See {service.log}.",
            )

    # -- watch ----------------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Start again what dies; ends with `failure` set when something keeps dying."""
        deaths: list[float] = []
        while not self._ending.wait(0.25):
            try:
                self._revive(deaths)
            except GoldSignalError as error:
                self.failure = error
                return

    def _revive(self, deaths: list[float]) -> None:
        if self._server is not None and not self._server.alive():
            self._pause(deaths, "PostgreSQL", self._server.log_tail(3))
            self._server.start()
            self._say("PostgreSQL is back")
        for service in self._services.values():
            if service.exit_code() is None or self._ending.is_set():
                continue
            self._pause(service.deaths, f"The {service.name}", service.last_words(3))
            if self._ending.is_set():
                return
            service.kill_session()
            if service.name == "code server":
                lost = runs_in_flight(self.addresses.dagster_url, code_server_port=self._code_port)
                report_lost_runs(lost, service.environment)
            service.start()
            self._say(f"The {service.name} was started again")

    def _pause(self, deaths: list[float], name: str, tail: str) -> None:
        """Note a death and wait 1, 2, 4, ... seconds; raises `ServiceError` at the sixth within five minutes."""
        now = time.monotonic()
        deaths[:] = [moment for moment in deaths if now - moment < _DEATHS_WITHIN_SECONDS] + [now]
        if len(deaths) > _DEATHS:
            raise ServiceError(
                f"{name} ended {len(deaths)} times within five minutes: {tail}",
                done="Everything is being stopped.",
                fix=f"See the logs in {self.home / 'logs'}.",
            )
        delay = 2 ** (len(deaths) - 1)
        self._say(f"{name} ended unexpectedly; starting it again in {delay} s")
        self._ending.wait(delay)

    # -- stop -----------------------------------------------------------------------------------------------------------------

    def _end_dagster(self) -> None:
        if self._filler is not None:
            self._filler.kill_session()
        daemon = [self._services[name] for name in ("daemon",) if name in self._services]
        others = [service for service in self._services.values() if service not in daemon]
        for service in daemon:  # first, so that no new run begins
            service.interrupt()
        with contextlib.suppress(ServiceError):
            self._cancel_runs()
        for service in others:
            service.interrupt()
        deadline = time.monotonic() + _END_SECONDS
        while not wait_all([*daemon, *others], 0.2) and time.monotonic() < deadline and not self.hurry.is_set():
            pass
        for service in self._services.values():
            service.kill_session()

    def _cancel_runs(self) -> None:
        """Ask runs in flight to end, then mark as cancelled what did not; both so that Dagster shows the truth afterwards."""
        if self._web is None or self._addresses is None:
            return
        url = self.addresses.dagster_url
        killed = runs_without_process(url)  # that of the filling
        if killed:
            self._web.terminate(killed, force=True)
        running = runs_in_flight(url, code_server_port=self._code_port)
        if not running:
            return
        self._say(f"Cancelling {len(running)} {'run' if len(running) == 1 else 'runs'} in flight")
        self._web.terminate(running, force=False)
        deadline = time.monotonic() + _CANCEL_SECONDS
        while running and time.monotonic() < deadline and not self.hurry.is_set():
            time.sleep(0.2)
            running = runs_in_flight(url, code_server_port=self._code_port)
        if running:
            self._web.terminate(running, force=True)


def bring_down(home: Path, *, say: Callable[[str], None]) -> bool:
    """End what a killed `up` left below `home`: marked processes and the embedded server. Returns whether there was any."""
    record = read_record(home)
    ended = 0 if record is None else kill_marked(record.mark)
    if ended:
        say(f"Ended {ended} processes that an interrupted start had left")
    server = EmbeddedServer(home)
    found = server.initialised and server.alive()
    if found:
        server.stop()
        say("Stopped PostgreSQL")
    keep_running(home, False)
    forget_record(home)
    return bool(ended) or found


def _address(host: str, port: int) -> str:
    shown = HOST if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104  # compared, not listened on
    return f"http://{shown}:{port}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
