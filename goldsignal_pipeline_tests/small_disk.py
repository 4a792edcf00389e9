"""A disk that is soon full: a tablespace in memory of a few megabytes, skipped where the system lets us mount none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from goldsignal_pipeline_tests.postgres import UNPRIVILEGED_UID, Server


@dataclass(frozen=True)
class SmallDisk:
    """`tablespace` lies on it."""

    tablespace: str
    folder: Path

    def fill(self) -> None:
        """Leave no byte of it."""
        with (self.folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(1 << 16))
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.folder / "filler").unlink()


@contextmanager
def small_disk(server: Server, *, megabytes: int) -> Iterator[SmallDisk]:
    """The tablespace has to be empty again at the end."""
    folder, name = server.folder / f"small-{uuid4().hex[:6]}", f"small_{uuid4().hex[:6]}"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,uid={UNPRIVILEGED_UID},mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here")
    try:
        server.admin(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        yield SmallDisk(name, folder)
        server.admin(f"DROP TABLESPACE {name}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
