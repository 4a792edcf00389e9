"""What `up` leaves for other commands and for the next `up`: who runs, where, and under which mark.

Whether an `up` runs is told by a lock that the kernel frees with its holder, not by the record.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from goldsignal_pipeline.cli.services.processes import living_process
from goldsignal_pipeline.storage.private_files import write_private


@dataclass(frozen=True)
class UpRecord:
    """One `up`: its process (pid and start in Unix seconds), its mark, Dagster's page, the code server's port, and the API."""

    pid: int
    created: float
    mark: str
    web_address: str
    code_server_port: int
    api_address: str = ""

    def process(self) -> psutil.Process | None:
        """The running `up`; None when it is gone or the pid belongs to another program by now."""
        return living_process(self.pid, created=self.created)


def record_path(home: Path) -> Path:
    """Where the record is."""
    return home / "services.json"


def read_record(home: Path) -> UpRecord | None:
    """The record of the last `up` that did not end by itself; None without one or when it cannot be read."""
    try:
        return UpRecord(**json.loads(record_path(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_record(home: Path, *, mark: str, web_address: str, code_server_port: int, api_address: str) -> UpRecord:
    """Record this process as the running `up`."""
    created = psutil.Process().create_time()
    record = UpRecord(os.getpid(), created, mark, web_address, code_server_port, api_address)
    write_private(record_path(home), json.dumps(asdict(record)))
    return record


def forget_record(home: Path) -> None:
    """Everything was stopped: nothing is left to find."""
    with contextlib.suppress(OSError):
        record_path(home).unlink()


@contextmanager
def up_lock(home: Path) -> Iterator[bool]:
    """Hold the lock of the one `up` of this folder; yields False when another process holds it."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
