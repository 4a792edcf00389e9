"""Which processes belong to the embedded server of a data folder.

A pid proves nothing: it may have been given to another program since. A process is ours when its command line (or, for the
processes that a server forks, its title) carries the cluster name, which is derived from the data folder. Command lines can be
read by any user and in containers, working directories and environments cannot.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path
from typing import Final

import psutil

_ORPHAN_SECONDS: Final = 10.0


def cluster_name(data: Path) -> str:
    """Name that the server of this data folder shows in the titles of its processes."""
    return f"goldsignal-{hashlib.sha256(str(data).encode()).hexdigest()[:16]}"


def postmaster(data: Path) -> psutil.Process | None:
    """The live server of this data folder, by pid file and command line together."""
    try:
        process = psutil.Process(int(pid_file_lines(data)[0]))
        command = process.cmdline()
        alive = process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if alive and _option(data) in command else None


def pid_file_lines(data: Path) -> list[str]:
    """Lines of `postmaster.pid`: pid, data folder, start, port, ...; raises `OSError` without one."""
    return (data / "postmaster.pid").read_text(encoding="utf-8").split("\n")


def server_processes(data: Path) -> list[psutil.Process]:
    """Every live process of the server, orphans of a killed one included."""
    title = f"postgres: {cluster_name(data)}: "
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        ours = _option(data) in command or (bool(command) and command[0].startswith(title))
        if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def clear_leftovers(data: Path) -> None:
    """Let orphans leave (at most 10 s, then kill them), then remove a pid file that belongs to no live server.

    PostgreSQL itself would refuse to start while the recorded pid belongs to another program of the same user.
    """
    begin = time.monotonic()
    while orphans := server_processes(data):
        if time.monotonic() - begin > _ORPHAN_SECONDS:
            for orphan in orphans:
                with contextlib.suppress(psutil.NoSuchProcess):
                    orphan.kill()
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def gone_within(process: psutil.Process, seconds: float) -> bool:
    """Whether a process ends within the given time; one that ended but was not yet collected counts as ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _option(data: Path) -> str:
    return f"cluster_name={cluster_name(data)}"
