"""A desk that lives through ticks of the whole graph: the schedules and sensors decide, the functions of the assets work.

Only Dagster's own steps are left out, which would cost a second for each of hundreds of runs; its instance remembers the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
from sqlalchemy import text

from goldsignal_pipeline.assets.decide import decide
from goldsignal_pipeline.assets.derive import derive
from goldsignal_pipeline.assets.find_setups import find_setups
from goldsignal_pipeline.assets.keeping import Writing
from goldsignal_pipeline.assets.measure_performance import measure_performance
from goldsignal_pipeline.assets.partitions import month_start, months_between, next_month
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.assets.resolve_signals import resolve_signals
from goldsignal_pipeline.assets.score_trades import score_trades
from goldsignal_pipeline.assets.trade_setups import trade_setups
from goldsignal_pipeline.automation.repairs import stale_range
from goldsignal_pipeline.automation.schedules import BAR_CLOSE_TAG, live_cycle_schedule, nightly_backtests_schedule
from goldsignal_pipeline.automation.ticks import SETTLING_TIME
from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.providers.base import FetchWindow, VendorUnavailableError
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.vendor_server import VirtualClock

STEPS = ("raw_candles", "candles", "setups", "backtest_trades", "backtest_results", "signals", "outcomes", "strategy_performance")


class MoodyProvider(SimulatedProvider):
    """The simulated market of a vendor that is away at times, delivers one bar late and revises another."""

    is_away = False
    withheld: tuple[datetime, datetime] | None = None
    """The open of a bar, and from when on it is delivered."""
    revised: tuple[datetime, datetime] | None = None
    """The open of a bar, and from when on its high is another."""

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        if self.is_away:
            raise VendorUnavailableError("The vendor is away.")
        now = self._clock()
        for page in super().fetch(window):
            rows = page.rows
            if self.withheld is not None and now < self.withheld[1]:
                rows = rows[rows["timestamp"] != self.withheld[0]]
            if self.revised is not None and now >= self.revised[1]:
                hit = rows["timestamp"] == self.revised[0]
                rows = rows.assign(high=rows["high"].where(~hit, rows["high"] + 77))
            yield Delivery(source=page.source, timeframe=page.timeframe, rows=rows, rejected=page.rejected)


@dataclass
class GraphDesk:
    """One deployment: a database, a feed, a clock, Dagster's memory of runs."""

    database: Database
    provider: MoodyProvider
    clock: VirtualClock
    instance: dg.DagsterInstance
    settings: Settings
    outcomes: list[str] = field(default_factory=list)

    def tick(self, scheduled: datetime, *, late: timedelta = timedelta(0), dies_after: str | None = None) -> None:
        """What the daemon does at a tick of the live cycle; `dies_after` names the asset after which the run is lost."""
        self.clock.now = max(self.clock.now, scheduled + late + timedelta(seconds=4))
        self._evaluate("live_cycle", live_cycle_schedule, scheduled, is_live=True, dies_after=dies_after)

    def night(self, scheduled: datetime) -> None:
        """What the daemon does at a tick of the night."""
        self.clock.now = max(self.clock.now, scheduled + timedelta(seconds=4))
        self._evaluate("nightly_backtests", nightly_backtests_schedule, scheduled, is_live=False, dies_after=None)

    def _evaluate(
        self, job: str, schedule: Callable[[Any], Any], scheduled: datetime, *, is_live: bool, dies_after: str | None
    ) -> None:
        context = dg.build_schedule_context(instance=self.instance, scheduled_execution_time=scheduled)
        context._instance = self.instance  # otherwise every context opens the same instance again, for a fifth of a second
        asked = schedule(context)
        if isinstance(asked, dg.SkipReason):
            self.outcomes.append(f"{job} skipped")
            return
        assert isinstance(asked, dg.RunRequest)
        key = {"dagster/run_key": str(asked.run_key)}
        if self.instance.get_runs(dg.RunsFilter(tags=key)):
            self.outcomes.append(f"{job} known key")
            return
        first, last = (asked.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
        status = dg.DagsterRunStatus.SUCCESS
        try:
            self.run(first, last, is_live=is_live, dies_after=dies_after)
        except (VendorUnavailableError, StorageError):
            status = dg.DagsterRunStatus.FAILURE
        self.outcomes.append(f"{job} {status.value}")
        tags = key | ({BAR_CLOSE_TAG: asked.tags[BAR_CLOSE_TAG]} if BAR_CLOSE_TAG in asked.tags else {})
        self.instance.add_run(dg.DagsterRun(job_name=job, status=status, tags=tags))

    def run(
        self,
        first: str,
        last: str,
        *,
        is_live: bool,
        dies_after: str | None = None,
        asks_vendor: bool = True,
        run_id: str = "run",
    ) -> None:
        """What the assets do in a run of these months; a repair asks no vendor."""
        months = months_between(first, last)
        writing = Writing(tuple(months), self.clock.now, self.settings.grace, run_id)
        live_symbol = self.provider.symbol if is_live else None
        steps: dict[str, Callable[[], object]] = {
            "raw_candles": lambda: refresh(
                self.database,
                self.provider,
                start=month_start(first),
                end=month_start(next_month(last)),
                now=self.clock.now,
                grace=self.settings.grace,
                run_id=run_id,
            ),
            "candles": lambda: derive(
                self.database, months=months, now=self.clock.now, grace=self.settings.grace, source_order=(), run_id=run_id
            ),
            "setups": lambda: find_setups(self.database, writing),
            "backtest_trades": lambda: trade_setups(self.database, writing),
            "backtest_results": lambda: score_trades(self.database, writing),
            "signals": lambda: decide(self.database, self.settings, writing, live_symbol=live_symbol),
            "outcomes": lambda: resolve_signals(self.database, writing),
            "strategy_performance": lambda: measure_performance(self.database, self.settings, writing),
        }
        for name in STEPS if asks_vendor else STEPS[1:]:
            steps[name]()
            if name == dies_after:
                raise StorageError(f"The run was lost after {name}.")

    def rows(self, query: str) -> list[Any]:
        with self.database.transaction(read_only=True) as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def repair(self, now: datetime) -> tuple[str, str] | None:
        """What the repair sensor does at `now`: the months that it asks for, computed; None when it asks for nothing."""
        self.clock.now = max(self.clock.now, now)
        stale = stale_range(self.database, self.settings, now=self.clock.now, settled_before=self.clock.now - SETTLING_TIME)
        if stale is None:
            return None
        self.run(stale.first_month, stale.last_month, is_live=False, asks_vendor=False)
        return stale.first_month, stale.last_month
