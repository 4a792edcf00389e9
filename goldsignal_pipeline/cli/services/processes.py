"""One process of ours: started in its own session with a mark in its environment, found again by that mark.

The mark is a random value made for each `up`; every descendant inherits it, whatever its session. A leftover of a killed `up` is
therefore recognised beyond doubt, where a recorded pid could long belong to another program.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

MARK: Final = "_GOLDSIGNAL_UP"
_ERROR: Final = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception)\b.*$", re.MULTILINE)
_PLACE: Final = re.compile(r'^ +File "(.+", line \d+)', re.MULTILINE)
_LOG_BYTES: Final = 5_000_000
# Variables of the user's shell that would change what Dagster's programs do.
_UNWANTED: Final = ("PYTHONDONTWRITEBYTECODE", "DAGSTER_MODULE_NAME", "DAGSTER_WEBSERVER_PORT", "DAGSTER_WEBSERVER_HOST")


@dataclass
class Service:
    """A program that runs until it is stopped. `command` and `environment` as for a start; output is appended to `log`."""

    name: str
    command: list[str]
    log: Path
    environment: dict[str, str]
    folder: Path
    child: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    log_start: int = 0

    def start(self, *, output: int | None = None) -> None:
        """Start it in a session of its own, so that Ctrl-C in the terminal reaches only `up`.

        Its standard output goes to the log too, unless `output` names another place (such as `subprocess.PIPE`).
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.is_file() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=log,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )

    def exit_code(self) -> int | None:
        """How it ended; None while it runs or before it was started."""
        return None if self.child is None else self.child.poll()

    def interrupt(self) -> None:
        """Ask it to end, as Ctrl-C would."""
        if self.child is not None and self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.child.send_signal(signal.SIGINT)

    def kill_session(self) -> None:
        """Kill it and everything it started in its session."""
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()

    def last_words(self, lines: int = 15) -> str:
        """What it logged since its start that explains its end: the first error and its place, else the last lines."""
        try:
            with self.log.open("rb") as log:
                log.seek(self.log_start)
                text = log.read().decode("utf-8", errors="replace")
        except OSError:
            return "(no log)"
        # Dagster wraps the error of the code in errors of its own, which come after it.
        error = _ERROR.search(text)
        if error is None:
            return "\n".join(text.splitlines()[-lines:])
        place = _PLACE.findall(text[: error.start()])
        return error.group() + (f' (in "{place[-1]})' if place else "")


def wait_all(services: list[Service], seconds: float) -> bool:
    """Whether all of them end within the given time."""
    deadline = time.monotonic() + seconds
    while any(service.child is not None and service.child.poll() is None for service in services):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def service_environment(mark: str, extra: dict[str, str]) -> dict[str, str]:
    """The environment of every service: the user's, without what would disturb Dagster, with our addresses and the mark."""
    kept = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
    return kept | extra | {MARK: mark, "PYTHONUNBUFFERED": "1"}


def living_process(pid: int, *, created: float) -> psutil.Process | None:
    """The process that was given this pid at `created` (Unix seconds).

    None when it is gone, when another program has the pid now, or when it is dead and merely not collected by its parent yet
    (in a container whose first process collects nobody, that lasts for ever).
    """
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def marked_processes(mark: str) -> list[psutil.Process]:
    """Every live process that carries the mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill_marked(mark: str, *, seconds: float = 10.0) -> int:
    """Kill every process that carries the mark and wait until none is left; returns how many there were."""
    killed: set[int] = set()
    deadline = time.monotonic() + seconds
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        for process in left:
            killed.add(process.pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=0.5)
    return len(killed)
