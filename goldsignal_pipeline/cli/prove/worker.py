"""A worker of proofs, a process of its own: computes chunks of months in a scratch database, and dies where it is told to.

This module loads all that a worker needs, so that those that are forked where it is loaded begin at once. It says `Ready` when
it begins, and ends with `Done`, which counts how often each kill point was reached, or `Failed`.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final

from goldsignal_pipeline.cli.prove.graph import Run, steps
from goldsignal_pipeline.cli.prove.kill_points import Killer, Point
from goldsignal_pipeline.cli.prove.workers import Done, Failed, Job, Ready
from goldsignal_pipeline.errors import GoldSignalError
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database

_TRIES: Final = 6
_STEPS: Final = steps()


def work(address: str, settings: Settings, job: Job, telling: Connection) -> None:
    """Do one job on the database at an address, and tell."""
    try:
        telling.send(Ready())
        telling.send(Done(_done(Database(address, application_name="goldsignal-proof"), settings, job).reached))
    except Exception as error:
        telling.send(Failed(traceback.format_exception_only(error)[-1].strip()))
        raise SystemExit(1) from None


def _done(database: Database, settings: Settings, job: Job) -> Killer:
    run = Run(database, settings, job.now, job.run_id)
    killer = Killer(job.kill_at, job.occurrence)
    killer.install()
    for months in job.chunks:
        for compute in _STEPS.values():
            _persistently(compute, run, months)
            killer.reach(Point.BETWEEN_ASSETS)
    database.dispose()
    return killer


def _persistently(compute: Callable[[Run, tuple[str, ...]], object], run: Run, months: tuple[str, ...]) -> None:
    """Compute, and again after a fault that passes, as a run of Dagster does."""
    for attempt in range(1, _TRIES + 1):
        try:
            compute(run, months)
        except GoldSignalError as error:
            if not error.retryable or attempt == _TRIES:
                raise
            # Two that waited for each other must not meet again.
            time.sleep(attempt * (0.1 + os.getpid() % 5 / 10))
        else:
            return
