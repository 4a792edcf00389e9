"""The project's definitions with the one clock of its assets replaced."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from goldsignal_pipeline import definitions as project
from goldsignal_pipeline.resources import ClockResource
from goldsignal_pipeline_tests.automation.virtual_time import VirtualTime


class VirtualClock(ClockResource):
    def now(self) -> datetime:
        return VirtualTime.of_environment().now()


def _shifted(ours: dg.Definitions) -> dg.Definitions:
    return dg.Definitions(
        assets=ours.assets,
        asset_checks=ours.asset_checks,
        jobs=ours.jobs,
        schedules=ours.schedules,
        sensors=ours.sensors,
        resources={**(ours.resources or {}), "clock": VirtualClock()},
    )


definitions = _shifted(project.definitions)
