"""A clock that the test sets and that every process of a daemon reads: Dagster's own processes, with time under control.

Time passes as it does, shifted; the test moves it from one chosen instant to the next. Libraries that replace the system's
clock below Python do not work with the absolute sleeps of Python 3.11 and later, so the two seams that exist are used:
Dagster's mockable clock in the daemon (`daemon`), and our clock resource in the runs and sensors (`location`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILE_VARIABLE = "VIRTUAL_TIME_FILE"


class VirtualTime:
    """The system's time plus the seconds that a file holds."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def of_environment(cls) -> VirtualTime:
        return cls(Path(os.environ[FILE_VARIABLE]))

    def now(self) -> datetime:
        """The shifted instant in UTC."""
        return datetime.now(UTC) + timedelta(seconds=float(self.file.read_text(encoding="ascii")))

    def set(self, instant: datetime) -> None:
        """Let it be `instant` now, in every process."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{(instant - datetime.now(UTC)).total_seconds():.6f}", encoding="ascii")
        new.replace(self.file)
