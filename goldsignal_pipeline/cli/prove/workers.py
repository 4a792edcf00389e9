"""Workers: processes that compute months in a scratch database at the same time, started, awaited and never left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Final

from goldsignal_pipeline.cli.prove.kill_points import Point
from goldsignal_pipeline.errors import ServiceError

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

READY: Final = "ready"
_MODULE: Final = "goldsignal_pipeline.cli.prove.worker"


@dataclass(frozen=True, slots=True)
class Job:
    """Chunks of months to compute one after the other, as of `now`; killed when `kill_at` is reached for the nth time."""

    chunks: tuple[tuple[str, ...], ...]
    now: datetime
    run_id: str
    kill_at: Point | None = None
    occurrence: int = 0

    def text(self) -> str:
        """One line that `parse` reads."""
        return json.dumps(
            {
                "chunks": self.chunks,
                "now": self.now.isoformat(),
                "run_id": self.run_id,
                "kill_at": self.kill_at,
                "occurrence": self.occurrence,
            }
        )

    @classmethod
    def parse(cls, line: str) -> Job:
        """The job of a line."""
        content = json.loads(line)
        return cls(
            chunks=tuple(tuple(chunk) for chunk in content["chunks"]),
            now=datetime.fromisoformat(content["now"]),
            run_id=content["run_id"],
            kill_at=Point(content["kill_at"]) if content["kill_at"] else None,
            occurrence=content["occurrence"],
        )


@dataclass
class Worker:
    """A running worker."""

    process: subprocess.Popen[str]
    errors: IO[str]

    def wait_until_ready(self) -> None:
        """Return once it has loaded everything; raises `ServiceError` when it ended instead."""
        if self._line() != READY:
            raise self._failure()

    def finish(self) -> dict[Point, int]:
        """How often it reached each kill point; raises `ServiceError` when it failed."""
        line = self._line()
        line = self._line() if line == READY else line
        if self.process.wait() or not line:
            raise self._failure()
        return {Point(point): count for point, count in json.loads(line).items()}

    def wait(self) -> int:
        """Its exit code; negative for the signal that ended it."""
        return self.process.wait()

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _failure(self) -> ServiceError:
        code = self.process.wait()
        self.errors.seek(0)
        lines = [line for line in self.errors.read().splitlines() if line.strip()]
        return ServiceError(
            f"A worker ended with code {code}: {lines[-1] if lines else 'it said nothing'}",
            done="The scratch databases are dropped; nothing was proved.",
            fix="Mend the cause and run the proof again.",
        )


@contextmanager
def worker(database: Database, settings: Settings, job: Job) -> Iterator[Worker]:
    """A worker on `database` with the settings of this process; killed at the end of the block if it still runs."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=_environment(database, settings),
        )
        try:
            assert process.stdin is not None
            process.stdin.write(job.text() + "\n")
            process.stdin.close()
            yield Worker(process, errors)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def compute_all(database: Database, settings: Settings, jobs: Sequence[Job]) -> None:
    """Let a worker do each job, all at the same time; raises `ServiceError` when one fails."""
    if not jobs:
        return
    with worker(database, settings, jobs[0]) as first:
        compute_all(database, settings, jobs[1:])
        first.finish()


def _environment(database: Database, settings: Settings) -> dict[str, str]:
    """The environment of this process with the scratch database and what decides about rows."""
    from goldsignal_pipeline.storage.scratch import address

    told = {
        "DATABASE_URL": address(database),
        "BASE_TIMEFRAME": settings.base_timeframe.value,
        "GRACE_SECONDS": str(settings.grace_seconds),
        "SOURCE_ORDER": json.dumps(settings.source_order),
        "ACCOUNT_USD": str(settings.account_usd),
        "MIN_EVIDENCE": settings.min_evidence,
        "AVOID_ASIA": str(settings.avoid_asia),
    }
    return {**os.environ, **{f"GOLDSIGNAL_{name}": value for name, value in told.items()}}
