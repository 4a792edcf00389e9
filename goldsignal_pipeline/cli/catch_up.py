"""What the live cycle caught up after sleep or an outage: told from the closes of the bars that its runs were made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from goldsignal_pipeline.market.hours import TradingCalendar

SPAN: Final = timedelta(days=1)
MOST_RUNS: Final = 1500


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Bars that closed in (since, until] and came late, with the cycle of the bar that closed at `until`."""

    since: datetime
    until: datetime
    bars: int


def caught_up(closes: Sequence[datetime], *, calendar: TradingCalendar, bar_minutes: int) -> list[CatchUp]:
    """Every step between the bars of successive cycles that is longer than one bar of trading time, oldest first.

    `closes`: closes of the bars of successful cycles, in any order. Closed hours are no outage.
    """
    import numpy as np

    from goldsignal_pipeline.market.zones import to_instant

    ordered = sorted(set(closes))
    if len(ordered) < 2:
        return []
    instants = np.array([to_instant(close) for close in ordered])
    bars = calendar.open_minutes_between(instants[:-1], instants[1:]) // bar_minutes
    return [CatchUp(ordered[at], ordered[at + 1], int(bars[at])) for at in np.flatnonzero(bars > 1)]


def successful_cycles(instance: DagsterInstance, *, now: datetime) -> list[datetime]:
    """The bar closes of the live cycles that succeeded in the last day."""
    import dagster as dg

    from goldsignal_pipeline.automation.schedules import BAR_CLOSE_TAG

    wanted = dg.RunsFilter(job_name="live_cycle", statuses=[dg.DagsterRunStatus.SUCCESS], created_after=now - SPAN)
    runs = instance.get_runs(wanted, limit=MOST_RUNS)
    return [datetime.fromisoformat(run.tags[BAR_CLOSE_TAG]) for run in runs if BAR_CLOSE_TAG in run.tags]
