"""A worker of proofs, a process of its own: computes chunks of months in a scratch database, and dies where it is told to.

It reads one job as JSON from its standard input (`workers.Job`), says `ready` once everything is loaded, and ends with a line of
JSON that counts how often each kill point was reached.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.cli.prove.kill_points import Killer, Point
from goldsignal_pipeline.cli.prove.workers import READY, Job

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.prove.graph import Run

_TRIES: Final = 6


def main() -> None:
    """Do one job."""
    from goldsignal_pipeline.cli.prove.graph import Run, steps
    from goldsignal_pipeline.settings import load_settings
    from goldsignal_pipeline.storage.database import Database

    job = Job.parse(sys.stdin.readline())
    settings = load_settings()
    database = Database(settings.required_database_url, application_name="goldsignal-proof")
    run = Run(database, settings, job.now, job.run_id)
    killer = Killer(job.kill_at, job.occurrence)
    killer.install()
    computed = steps()
    print(READY, flush=True)
    for months in job.chunks:
        for compute in computed.values():
            _persistently(compute, run, months)
            killer.reach(Point.BETWEEN_ASSETS)
    database.dispose()
    print(json.dumps({point.value: count for point, count in killer.reached.items()}), flush=True)


def _persistently(compute: Callable[[Run, tuple[str, ...]], object], run: Run, months: tuple[str, ...]) -> None:
    """Compute, and again after a fault that passes, as a run of Dagster does."""
    from goldsignal_pipeline.errors import GoldSignalError

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


if __name__ == "__main__":
    main()
