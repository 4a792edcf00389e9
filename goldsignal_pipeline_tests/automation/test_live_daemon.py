"""Twelve Data end to end: a real schedule in a real daemon, real runs, a vendor on a real socket, ten chosen ticks.

From Friday 2024-05-31, 20:22 UTC, over the close at 17:00 New York, the weekend and the end of the month, to Sunday's open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from sqlalchemy import text

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.automation.live_stack import LiveStack, live_runs, wait_until
from goldsignal_pipeline_tests.folders import open_folder
from goldsignal_pipeline_tests.postgres import TEMPLATE, Server, _database
from goldsignal_pipeline_tests.providers.support import walk
from goldsignal_pipeline_tests.vendor_faults import Fault
from goldsignal_pipeline_tests.vendor_market import VendorMarket
from goldsignal_pipeline_tests.vendor_server import KEY

pytestmark = pytest.mark.daemon

GRACE = timedelta(seconds=120)
REVISED = "2024-05-31 20:00"
UNFINISHED = dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))


def at(label: str) -> datetime:
    return datetime.fromisoformat(label).replace(tzinfo=UTC)


@dataclass
class Story:
    """What the ten ticks left behind."""

    stack: LiveStack
    database: Database
    instance: dg.DagsterInstance
    seconds: dict[str, float] = field(default_factory=dict)
    """From the scheduled instant of a tick to the end of its run."""

    def rows(self, query: str) -> list[Any]:
        with self.database.transaction(read_only=True) as connection:
            return list(connection.execute(text(query)).mappings())

    def tick(self, label: str) -> None:
        """Let its time come, once nothing runs any more: to Dagster a leap looks like a run that does not get on."""
        wait_until(lambda: self.instance.get_runs_count(UNFINISHED) == 0, "the end of every run")
        self.stack.time.set(at(label))

    def cycle(self, label: str, *, bar: str) -> dg.DagsterRun:
        """The finished run of a tick for the bar that closed at `bar`."""
        self.tick(label)
        begin = time.monotonic()
        run = self.finished(bar)
        self.seconds[label] = round(time.monotonic() - begin, 1)
        return run

    def finished(self, bar: str) -> dg.DagsterRun:
        def found() -> dg.DagsterRun | None:
            runs = live_runs(self.instance).get(bar, [])
            return runs[-1] if runs and runs[-1].is_finished else None

        return wait_until(found, f"the cycle of {bar}")

    def skipped(self, label: str) -> str:
        """Why a tick asked for no run."""
        self.tick(label)
        return wait_until(lambda: self.skips().get(label), f"the tick of {label}")

    def skips(self) -> dict[str, str]:
        (schedule,) = [state for state in self.instance.all_instigator_state() if state.name == "live_cycle_schedule"]
        ticks = self.instance.get_ticks(schedule.instigator_origin_id, schedule.selector_id)
        return {f"{datetime.fromtimestamp(one.timestamp, tz=UTC):%Y-%m-%d %H:%M}": one.skip_reason or "" for one in ticks}


@pytest.fixture(scope="module")
def story(postgres_server: Server) -> Iterator[Story]:
    """Ten ticks, each brought about when the run before it has ended."""
    new = contextmanager(_database)
    with ExitStack() as exits:
        folder = exits.enter_context(open_folder("goldsignal-live-"))
        ours, theirs = (exits.enter_context(new(postgres_server, template=name)) for name in (TEMPLATE, "template1"))
        stack = LiveStack(folder, market=VendorMarket(walk()), database_url=ours, dagster_url=theirs)
        exits.enter_context(stack.vendor)
        exits.callback(stack.stop)
        stack.time.set(at("2024-05-31 20:20:30"))
        instance = exits.enter_context(stack.instance())
        database = Database(ours)
        exits.callback(database.dispose)
        told = Story(stack, database, instance)
        try:
            stack.start()
            _play(told)
        except AssertionError:
            print(stack.logs())
            raise
        yield told


def _play(story: Story) -> None:
    vendor = story.stack.vendor
    wait_until(lambda: any(one.name == "live_cycle_schedule" for one in story.instance.all_instigator_state()), "the scheduler")
    story.cycle("2024-05-31 20:22", bar="2024-05-31 20:20")
    vendor.market.revise(at(REVISED), shown_from=at("2024-05-31 20:26"), close=2345.67, high=2999.99)
    story.cycle("2024-05-31 20:27", bar="2024-05-31 20:25")
    vendor.schedule(Fault.KEY_REFUSED)
    story.cycle("2024-05-31 20:32", bar="2024-05-31 20:30")
    # The minute in which the vendor refuses is nearly over, so that the next one is not long to wait for.
    vendor.schedule(Fault.MINUTE_LIMIT)
    story.stack.call_moves_time_to = at("2024-05-31 20:37:57")
    story.cycle("2024-05-31 20:37", bar="2024-05-31 20:35")
    # The machine slept from here to the last bar of the week.
    story.cycle("2024-05-31 21:02", bar="2024-05-31 21:00")
    story.skipped("2024-05-31 21:07")
    story.skipped("2024-06-02 22:02")
    story.cycle("2024-06-02 22:07", bar="2024-06-02 22:05")
    # The clock is set back, and the same minute comes again.
    story.tick("2024-06-02 22:07")
    time.sleep(2)
    vendor.schedule(Fault.ERROR_503)
    story.cycle("2024-06-02 22:12", bar="2024-06-02 22:10")
    wait_until(lambda: story.instance.get_runs_count(UNFINISHED) == 0, "the end of every run")
    # A failed run is told of within half a minute.
    wait_until(lambda: story.rows("SELECT id FROM operator_events WHERE kind = 'run_failed'"), "the operator event")


def test_one_run_for_every_closed_bar_and_none_for_a_minute_that_comes_twice(story: Story) -> None:
    runs = live_runs(story.instance)
    assert {bar: [run.status.value for run in each] for bar, each in runs.items()} == {
        "2024-05-31 20:20": ["SUCCESS"],
        "2024-05-31 20:25": ["SUCCESS"],
        "2024-05-31 20:30": ["FAILURE"],
        "2024-05-31 20:35": ["SUCCESS"],
        "2024-05-31 21:00": ["SUCCESS"],
        "2024-06-02 22:05": ["SUCCESS"],
        "2024-06-02 22:10": ["SUCCESS"],
    }
    keys = [run.tags["dagster/run_key"] for each in runs.values() for run in each]
    assert keys == [f"live_cycle:{bar.replace(' ', 'T')}Z" for bar in runs]
    print(f"Seconds from tick to the end of its run: {story.seconds}")


def test_the_cycle_after_the_weekend_covers_both_months(story: Story) -> None:
    (run,) = live_runs(story.instance)["2024-06-02 22:05"]
    assert (run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"]) == (
        "2024-05",
        "2024-06",
    )


def test_ticks_of_a_closed_market_are_skipped_with_the_reason(story: Story) -> None:
    skipped = {label: reason for label, reason in story.skips().items() if reason}
    assert skipped == {
        "2024-05-31 21:07": "no new M5 bar since 2024-05-31 21:00 UTC; next open Sun 22:00 UTC",
        "2024-06-02 22:02": "no new M5 bar since 2024-05-31 21:00 UTC; the market is open",
    }


def test_every_closed_bar_is_held_once_and_no_forming_one_ever_was(story: Story) -> None:
    rows = story.rows("SELECT timestamp, open, high, low, close, observed_at FROM raw_candles ORDER BY timestamp, observed_at")
    assert all(row["observed_at"] >= row["timestamp"] + timedelta(minutes=5) + GRACE for row in rows)
    expected = load_calendar().expected_opens(timeframe=Timeframe.M5, start=at("2024-05-01"), end=at("2024-06-02 22:10"))
    assert [row["timestamp"] for row in rows if row["timestamp"] != at(REVISED)] == [
        opened.item().replace(tzinfo=UTC) for opened in expected if opened.item().replace(tzinfo=UTC) != at(REVISED)
    ]
    truth = walk().set_index("timestamp")
    for row in rows:
        if row["timestamp"] != at(REVISED):
            meant = truth.loc[row["timestamp"]]
            assert all(abs(float(row[name]) - meant[name]) < 0.00501 for name in ("open", "high", "low", "close"))


def test_a_revision_is_a_second_version_and_the_candles_follow_it(story: Story) -> None:
    versions = story.rows(f"SELECT close, observed_at FROM raw_candles WHERE timestamp = '{REVISED}Z' ORDER BY observed_at")
    assert [float(row["close"]) for row in versions] == [
        pytest.approx(walk().set_index("timestamp").loc[at(REVISED), "close"], abs=0.005),
        2345.67,
    ]
    assert [f"{row['observed_at']:%H:%M}" for row in versions] == ["20:22", "20:27"]
    shown = story.rows(
        f"SELECT timeframe, high FROM candles WHERE timestamp <= '{REVISED}Z' AND high = 2999.99 ORDER BY timeframe"
    )
    assert [row["timeframe"] for row in shown] == ["D1", "H1", "H4", "M15", "M30", "M5"]
    assert story.rows("SELECT timestamp FROM raw_candles GROUP BY timestamp HAVING count(*) > 1") == [{"timestamp": at(REVISED)}]


def test_a_cycle_that_failed_is_made_good_by_the_next(story: Story) -> None:
    rows = story.rows(
        "SELECT observed_at FROM raw_candles WHERE timestamp IN ('2024-05-31 20:25Z', '2024-05-31 20:30Z') ORDER BY timestamp"
    )
    assert [f"{row['observed_at']:%H:%M}" for row in rows] == ["20:37", "20:37"]
    assert not story.instance.get_runs(dg.RunsFilter(job_name="backfill")), "what the next cycle fetches is no hole"


def test_the_operator_reads_why_a_cycle_failed_and_nobody_reads_the_key(story: Story) -> None:
    events = story.rows("SELECT message, cause, run_id FROM operator_events WHERE kind = 'run_failed'")
    (failed,) = live_runs(story.instance)["2024-05-31 20:30"]
    assert [(event["message"], str(event["run_id"])) for event in events] == [
        (f"Run {failed.run_id[:8]} of live_cycle failed.", failed.run_id)
    ]
    assert events[0]["cause"].startswith('raw_candles: Twelve Data says: "**apikey** parameter is incorrect')
    logged = "".join(entry.to_json() for entry in story.instance.all_logs(failed.run_id))
    assert "(401)" in logged
    assert KEY not in logged + story.stack.logs(most=1 << 30) + str(events)


def test_a_used_up_minute_is_waited_for_and_an_outage_tried_again_within_the_budget(story: Story) -> None:
    vendor = story.stack.vendor
    assert not vendor.is_overdrawn
    calls = [(f"{call.at:%d %H:%M}", call.fault) for call in vendor.calls]
    assert calls == [
        ("31 20:22", None),  # the running month, in two pages
        ("31 20:22", None),
        ("31 20:27", None),
        ("31 20:32", Fault.KEY_REFUSED),
        ("31 20:37", Fault.MINUTE_LIMIT),
        ("31 20:38", None),
        ("31 21:02", None),
        ("02 22:07", None),
        ("02 22:12", Fault.ERROR_503),
        ("02 22:12", None),
    ]


def test_the_fillers_of_a_weekend_leave_no_candle(story: Story) -> None:
    filled = "timestamp >= '2024-05-31 21:00Z' AND timestamp < '2024-06-02 22:00Z'"
    assert any(call.rows > 500 for call in story.stack.vendor.calls[-3:]), "the vendor did send the weekend"
    assert story.rows(f"SELECT * FROM raw_candles WHERE {filled}") == []
    assert story.rows(f"SELECT * FROM candles WHERE {filled}") == []
    assert story.rows(f"SELECT DISTINCT reason FROM quarantined_candles WHERE {filled}") == [{"reason": "weekend"}]
