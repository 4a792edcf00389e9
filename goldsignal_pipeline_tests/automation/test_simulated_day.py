"""A simulated day of live cycles, every five minutes, through the functions that the schedule and the assets call.

Missed, doubled and late ticks, failed cycles and revisions change nothing in the end: the tables are those of one backfill.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from goldsignal_pipeline.assets.derive import derive
from goldsignal_pipeline.assets.partitions import month_of, month_start, months_between, next_month
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.automation.schedules import BAR_CLOSE_TAG, live_cycle_schedule
from goldsignal_pipeline.errors import ProviderError
from goldsignal_pipeline.providers.twelvedata import TwelveDataProvider
from goldsignal_pipeline.storage.credits import PostgresCreditBudget
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.postgres import TEMPLATE, Server, _database
from goldsignal_pipeline_tests.providers.support import walk
from goldsignal_pipeline_tests.vendor_faults import Fault
from goldsignal_pipeline_tests.vendor_market import VendorMarket
from goldsignal_pipeline_tests.vendor_server import KEY, VendorServer, VirtualClock

GRACE = timedelta(seconds=120)
BAR = timedelta(minutes=5)
SATURDAY = 5
RESULT = {
    "candles": "SELECT * FROM candles ORDER BY symbol, timeframe, timestamp",
    "trading_day_parts": "SELECT * FROM trading_day_parts ORDER BY symbol, trading_day, month",
    "partition_digests": (
        "SELECT asset, symbol, month, rows, digest, inputs_digest, complete FROM partition_digests ORDER BY asset, symbol, month"
    ),
}


@dataclass
class Desk:
    """One deployment: a database, the vendor, and the virtual time."""

    database: Database
    vendor: VendorServer
    clock: VirtualClock
    provider: TwelveDataProvider
    instance: dg.DagsterInstance
    outcomes: list[str] = field(default_factory=list)

    def tick(self, scheduled: datetime, *, late: timedelta = timedelta(0)) -> None:
        """What the daemon does at a tick: ask the schedule, and run what it asks for once per key."""
        self.clock.now = max(self.clock.now, scheduled + late + timedelta(seconds=4))
        context = dg.build_schedule_context(instance=self.instance, scheduled_execution_time=scheduled)
        context._instance = self.instance  # otherwise every context opens the same instance again, for a fifth of a second
        asked = live_cycle_schedule(context)
        if isinstance(asked, dg.SkipReason):
            self.outcomes.append("skipped")
            return
        assert isinstance(asked, dg.RunRequest)
        if self.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": str(asked.run_key)})):
            self.outcomes.append("known key")
            return
        first, last = (asked.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
        status = self._run(first, last)
        self.outcomes.append(status.value)
        tags = {"dagster/run_key": str(asked.run_key), BAR_CLOSE_TAG: asked.tags[BAR_CLOSE_TAG]}
        self.instance.add_run(dg.DagsterRun(job_name="live_cycle", status=status, tags=tags))

    def _run(self, first: str, last: str) -> dg.DagsterRunStatus:
        try:
            self.fill(first, last)
        except ProviderError:
            return dg.DagsterRunStatus.FAILURE
        return dg.DagsterRunStatus.SUCCESS

    def fill(self, first: str, last: str) -> None:
        """What the two assets do in a run of these months."""
        refresh(
            self.database,
            self.provider,
            start=month_start(first),
            end=month_start(next_month(last)),
            now=self.clock.now,
            grace=GRACE,
            run_id=None,
        )
        derive(self.database, months=months_between(first, last), now=self.clock.now, grace=GRACE, source_order=(), run_id=None)

    def rows(self, query: str) -> list[Any]:
        with self.database.transaction(read_only=True) as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def result(self) -> dict[str, list[Any]]:
        return {name: self.rows(query) for name, query in RESULT.items()}


@pytest.fixture
def open_desk(postgres_server: Server, tmp_path: Path) -> Callable[[VendorServer, VirtualClock], Any]:
    @contextmanager
    def opened(vendor: VendorServer, clock: VirtualClock) -> Iterator[Desk]:
        with (
            contextmanager(_database)(postgres_server, template=TEMPLATE) as url,
            dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        ):
            database = Database(url)
            provider = TwelveDataProvider(
                api_key=SecretStr(KEY),
                base_url=vendor.base_url,
                budget=PostgresCreditBudget(database, per_minute=8, per_day=800),
                clock=clock,
                sleep=clock.sleep,
            )
            yield Desk(database, vendor, clock, provider, instance)
            database.dispose()

    return opened


def at(label: str) -> datetime:
    return datetime.fromisoformat(label).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "end", "market_from"),
    [
        pytest.param("2024-04-30 12:02", "2024-05-01 12:02", "2024-04-29", id="a day over its break and the end of a month"),
        pytest.param("2024-05-17 19:02", "2024-05-19 23:02", "2024-05-16", id="a weekend"),
    ],
)
@pytest.mark.fault("time")
def test_i18_missed_doubled_late_and_failed_ticks_change_nothing_in_the_end(
    open_desk: Callable[[VendorServer, VirtualClock], Any], begin: str, end: str, market_from: str
) -> None:
    clock = VirtualClock(at(begin))
    market = VendorMarket(walk(start=at(market_from), days=6))
    market.revise(at(begin) + timedelta(minutes=58), shown_from=at(begin) + timedelta(minutes=88), close=2345.67, high=2999.99)
    ticks = [at(begin) + BAR * index for index in range((at(end) - at(begin)) // BAR + 1)]
    fate = random.Random(begin)
    with VendorServer(market, clock=clock) as vendor, open_desk(vendor, clock) as live, open_desk(vendor, clock) as once:
        for index, fault in enumerate([Fault.KEY_REFUSED, Fault.ERROR_503, Fault.MINUTE_LIMIT, Fault.RESET]):
            vendor.schedule(fault, since=at(begin) + timedelta(minutes=43 * (index + 1)))
        for index, scheduled in enumerate(ticks):
            asleep = timedelta(hours=3) <= scheduled - at(begin) < timedelta(hours=5)
            missed = 0.9 if scheduled.weekday() == SATURDAY else 0.1
            # At midnight no late tick may bring by luck what the next one owes.
            punctual = index >= len(ticks) - 3 or scheduled.time() < time(0, 30) or scheduled.time() > time(23, 30)
            if index not in (0, len(ticks) - 1) and not punctual and (asleep or fate.random() < missed):
                continue
            late = timedelta(minutes=0 if punctual else fate.choice([0, 0, 0, 3, 11]))
            doubled = fate.random() < 0.1 and index < len(ticks) - 1
            for _ in range(1 + doubled):
                live.tick(scheduled, late=late)
        assert not vendor.is_overdrawn
        cycles = live.outcomes.count("SUCCESS") + live.outcomes.count("FAILURE")
        assert len(vendor.candle_calls) <= cycles + 8, "at most one call a cycle, but for the history and what failed"
        assert {"SUCCESS", "FAILURE", "skipped"} <= set(live.outcomes)
        assert live.rows(
            "SELECT count(*) FROM raw_candles WHERE observed_at < timestamp + interval '5 minutes' + interval '120 seconds'"
        ) == [(0,)]
        assert live.rows("SELECT count(*) - count(DISTINCT timestamp) FROM raw_candles") == [(1,)], "the revision, and no more"

        once.fill(month_of(at(begin)), month_of(at(end)))
        assert live.outcomes[-1] == "SUCCESS"
        assert live.result() == once.result()
        assert len(live.result()["candles"]) > 300
