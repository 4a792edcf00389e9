"""Workers: processes that compute months in a scratch database at the same time, started, awaited and never left behind.

They are forked from a process that has loaded everything, has no connections and runs no threads of ours: the fork server of the
standard library, which ends with this process.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Final

from goldsignal_pipeline.cli.prove.kill_points import Point
from goldsignal_pipeline.errors import ServiceError

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

_MODULE: Final = "goldsignal_pipeline.cli.prove.worker"


@dataclass(frozen=True, slots=True)
class Job:
    """Chunks of months to compute one after the other, as of `now`; killed when `kill_at` is reached for the nth time."""

    chunks: tuple[tuple[str, ...], ...]
    now: datetime
    run_id: str
    kill_at: Point | None = None
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """What a worker says once everything is loaded."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker says last: how often it reached each kill point."""

    reached: Mapping[Point, int]


@dataclass(frozen=True, slots=True)
class Failed:
    """What a worker says instead when it failed."""

    why: str


@dataclass(frozen=True, slots=True)
class Worker:
    """A running worker."""

    process: BaseProcess
    told: Connection

    def wait_until_ready(self) -> None:
        """Return once it has loaded everything; raises `ServiceError` when it ended instead."""
        message = self._message()
        if not isinstance(message, Ready):
            raise self._failure(message)

    def finish(self) -> Mapping[Point, int]:
        """How often it reached each kill point; raises `ServiceError` when it failed."""
        message = self._message()
        message = self._message() if isinstance(message, Ready) else message
        if self.wait() or not isinstance(message, Done):
            raise self._failure(message)
        return message.reached

    def wait(self) -> int:
        """Its exit code; negative for the signal that ended it."""
        self.process.join()
        assert self.process.exitcode is not None
        return self.process.exitcode

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()

    def _message(self) -> Any:
        try:
            return self.told.recv()
        except EOFError:
            return None

    def _failure(self, message: Any) -> ServiceError:
        why = message.why if isinstance(message, Failed) else "it said nothing"
        return ServiceError(
            f"A worker ended with code {self.wait()}: {why}",
            done="The scratch databases are dropped; nothing was proved.",
            fix="Mend the cause and run the proof again.",
        )


@contextmanager
def worker(database: Database, settings: Settings, job: Job) -> Iterator[Worker]:
    """A worker on `database` with these settings; killed at the end of the block if it still runs."""
    from goldsignal_pipeline.cli.prove.worker import work
    from goldsignal_pipeline.storage.scratch import address

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_MODULE])
    told, telling = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(address(database), settings, job, telling), daemon=True)
    with told:
        with telling:
            process.start()
        try:
            yield Worker(process, told)
        finally:
            process.kill()
            process.join()
            process.close()


def compute_all(database: Database, settings: Settings, jobs: Sequence[Job]) -> None:
    """Let a worker do each job, all at the same time; raises `ServiceError` when one fails."""
    if not jobs:
        return
    with worker(database, settings, jobs[0]) as first:
        compute_all(database, settings, jobs[1:])
        first.finish()
