"""`python -m dagster._daemon`, reading the virtual time; every other line that runs is Dagster's.

The scheduler looks at the clock several times a second instead of at the full minute, because this clock jumps.
"""

from __future__ import annotations

import dagster._time as dagster_time
from dagster._daemon.cli import main
from dagster._scheduler import scheduler

from goldsignal_pipeline_tests.automation.virtual_time import VirtualTime

if __name__ == "__main__":
    time = VirtualTime.of_environment()
    dagster_time._mockable_get_current_datetime = time.now
    dagster_time._mockable_get_current_timestamp = lambda: time.now().timestamp()
    scheduler._get_next_scheduler_iteration_time = lambda start: start + 0.25
    main()
