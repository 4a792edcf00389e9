"""The live cycle alone, on the virtual time: what the daemon of the delivery benchmark loads.

The other schedules and the sensors are left out: instants are chosen days apart, and each leap would bring a night with it.
"""

from __future__ import annotations

import dagster as dg

from goldsignal_pipeline.automation.schedules import live_cycle_schedule
from goldsignal_pipeline_tests.automation.virtual_time import location

definitions = dg.Definitions(
    assets=location.definitions.assets,
    asset_checks=location.definitions.asset_checks,
    jobs=location.definitions.jobs,
    schedules=[live_cycle_schedule],
    resources=location.definitions.resources,
)
