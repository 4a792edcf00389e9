"""`up` with real processes: PostgreSQL, Dagster's code server, web server and daemon, on stand-in definitions."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from goldsignal_pipeline.cli.services.addresses import libpq_url
from goldsignal_pipeline.cli.services.processes import kill_marked, marked_processes
from goldsignal_pipeline.cli.services.record import read_record
from goldsignal_pipeline.cli.services.web import answers
from goldsignal_pipeline.storage import ports
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline.storage.server_processes import server_processes
from goldsignal_pipeline_tests.folders import open_folder

STANDIN = Path(__file__).parent / "standin"
TELEGRAM = {
    "GOLDSIGNAL_TELEGRAM_BOT_TOKEN": "1:made-up",
    "GOLDSIGNAL_TELEGRAM_CHAT_ID": "1",
    "GOLDSIGNAL_TELEGRAM_BASE_URL": "http://127.0.0.1:9",
}
LAUNCH = """
mutation ($job: String!) { launchRun(executionParams: {
  selector: {repositoryLocationName: "goldsignal", repositoryName: "__repository__", jobName: $job}, mode: "default"}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""


started: list[Up] = []


class Up:
    """A running `up` below `home`, with its output."""

    def __init__(self, home: Path, *arguments: str, port: int, module: str = "standin_definitions", **settings: str) -> None:
        self.home = home
        self.output = home.parent / f"output-{time.monotonic_ns()}.txt"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("GOLDSIGNAL_", "DAGSTER_"))}
        self.environment |= {
            "GOLDSIGNAL_HOME": str(home),
            "GOLDSIGNAL_ENV_FILE": str(home.parent / "none.env"),
            "GOLDSIGNAL_WEBSERVER_PORT": str(port),
            "PYTHONPATH": str(STANDIN),
            **settings,
        }
        with self.output.open("w") as output:
            command = [sys.executable, str(STANDIN / "run_up.py"), module, *arguments]
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=self.environment, start_new_session=True)
        started.append(self)

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_ready(self) -> Up:
        wait_until(lambda: "Ready after" in self.text or self.process.poll() is not None, "ready")
        assert self.process.poll() is None, self.text
        return self

    def end(self, number: int = signal.SIGINT, seconds: float = 60) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)

    @property
    def mark(self) -> str:
        record = read_record(self.home)
        assert record is not None
        return record.mark

    @property
    def page(self) -> str:
        record = read_record(self.home)
        assert record is not None
        return record.web_address

    @property
    def chart(self) -> str:
        record = read_record(self.home)
        assert record is not None
        return record.api_address

    def service(self, part: str) -> psutil.Process:
        found = []
        for process in marked_processes(self.mark):
            with suppress(psutil.NoSuchProcess):  # helpers of a run come and go
                if any(part in word for word in process.cmdline()):
                    found.append(process)
        assert found, f"no {part} among our processes\n{self.text}"
        return min(found, key=lambda process: process.create_time())

    def answers(self) -> bool:
        query = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
        try:
            text = httpx.post(f"{self.page}/graphql", json={"query": query}, timeout=10).text
        except httpx.HTTPError:
            return False
        return '"RepositoryLocation"' in text

    def launch(self, job: str) -> str:
        answer = httpx.post(f"{self.page}/graphql", json={"query": LAUNCH, "variables": {"job": job}}, timeout=30).json()
        assert "run" in (answer.get("data") or {}).get("launchRun", {}), f"{answer}\n{self.text}"
        return str(answer["data"]["launchRun"]["run"]["runId"])


def wait_until(condition: Callable[[], Any], what: str, *, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        told = "\n".join(up.text for up in started)
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{told}"
        time.sleep(0.1)


def run_status(home: Path, run_id: str) -> str:
    url = libpq_url(EmbeddedServer(home).url("dagster"))
    with psycopg.connect(url, options="-csearch_path=dagster") as connection:
        row = connection.execute("SELECT status FROM runs WHERE run_id = %s", [run_id]).fetchone()
    return "" if row is None else str(row[0])


def statuses(home: Path, job: str) -> list[str]:
    try:
        with psycopg.connect(libpq_url(EmbeddedServer(home).url("dagster")), options="-csearch_path=dagster") as connection:
            return [str(status) for (status,) in connection.execute("SELECT status FROM runs WHERE pipeline_name = %s", [job])]
    except psycopg.Error:
        return []


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with open_folder("a home with spaces ") as folder:
        yield folder / ".goldsignal"
        EmbeddedServer(folder / ".goldsignal").stop()


@pytest.fixture(autouse=True)
def _nothing_survives_a_failed_test(home: Path) -> Iterator[None]:
    yield
    for up in started:
        up.process.kill()
        up.process.wait()
    started.clear()
    record = read_record(home)
    if record is not None:
        kill_marked(record.mark)


@pytest.fixture
def port(tmp_path: Path) -> int:
    return ports.free_for(tmp_path, "page")


def nothing_left(home: Path, mark: str) -> bool:
    return not marked_processes(mark) and not server_processes(EmbeddedServer(home).data)


@pytest.mark.fault("crash")
def test_killed_services_come_back_and_ctrl_c_leaves_nothing_not_even_a_running_run(home: Path, port: int) -> None:
    up = Up(home, port=port, **TELEGRAM).wait_ready()
    lost = up.launch("slow")
    wait_until(lambda: run_status(home, lost) == "STARTED", "run started")
    for part in ("grpc", "dagster_webserver", "dagster._daemon", "services.sending", "services.serving"):
        up.service(part).kill()
    os.kill(int((EmbeddedServer(home).data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    for name in (
        "PostgreSQL is back",
        "code server was started again",
        "web server was started again",
        "daemon was started again",
        "alert sender was started again",
        "api was started again",
    ):
        wait_until(lambda name=name: name in up.text, name)
    wait_until(lambda: run_status(home, lost) == "FAILURE", "the lost run is reported")

    second = Up(home, port=port)
    assert second.process.wait(30) == 5
    assert "runs already" in second.text

    wait_until(up.answers, "the code server behind the page")
    wait_until(lambda: answers(up.chart), "the chart")
    health = httpx.get(f"{up.chart}/health", timeout=30).json()
    assert (health["database"], health["daemon"]["age_seconds"] < 120) == ("connected", True), health
    mark, run_id = up.mark, up.launch("slow")
    wait_until(lambda: run_status(home, run_id) == "STARTED", "run started")
    assert up.end() == 0, up.text
    assert nothing_left(home, mark)
    with EmbeddedServer(home):
        assert "STARTED" not in statuses(home, "slow")
        assert run_status(home, run_id) == "CANCELED"


@pytest.mark.fault("crash")
def test_the_next_up_cleans_after_a_killed_one_and_reports_its_run(home: Path, port: int) -> None:
    up = Up(home, "--slow-fill", port=port)
    wait_until(lambda: "STARTED" in statuses(home, "slow"), "the run of the filling")
    mark, failed = up.mark, statuses(home, "slow").count("FAILURE")
    assert up.end(signal.SIGKILL) == -signal.SIGKILL
    assert marked_processes(mark)
    again = Up(home, "--once", port=port)
    assert again.process.wait(90) == 0, again.text
    assert "an interrupted start had left" in again.text
    assert "adopted, it was running" in again.text
    assert f"http://127.0.0.1:{port}" in again.text
    assert nothing_left(home, mark)
    with EmbeddedServer(home):
        assert "STARTED" not in statuses(home, "slow")
        assert statuses(home, "slow").count("FAILURE") == failed + 1


def test_ctrl_c_while_the_first_data_are_filled_ends_that_run_too(home: Path, port: int) -> None:
    up = Up(home, "--slow-fill", port=port)
    wait_until(lambda: "STARTED" in statuses(home, "slow"), "the run of the filling")
    mark = up.mark
    assert up.end() == 130, up.text
    assert nothing_left(home, mark)
    with EmbeddedServer(home):
        assert "STARTED" not in statuses(home, "slow")


def test_down_ends_what_a_killed_up_left(home: Path, port: int) -> None:
    up = Up(home, port=port).wait_ready()
    mark = up.mark
    command = [sys.executable, "-m", "goldsignal_pipeline.cli", "down"]
    up.end(signal.SIGKILL)
    down = subprocess.run(command, env=up.environment, capture_output=True, text=True, timeout=60, check=True)
    assert "Everything is stopped" in down.stdout
    assert nothing_left(home, mark)
    again = subprocess.run(command, env=up.environment, capture_output=True, text=True, timeout=60, check=True)
    assert "Nothing was running" in again.stdout


def test_broken_definitions_end_up_loudly_and_leave_nothing(home: Path, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        up = Up(home, port=port, module="standin_broken")
        assert up.process.wait(90) == 5, up.text
    assert "the stand-in is broken" in up.text
    assert f"Port {port} is in use, the page takes " in up.text
    assert not server_processes(EmbeddedServer(home).data)
