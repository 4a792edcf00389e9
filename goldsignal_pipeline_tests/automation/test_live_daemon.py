"""The automation end to end: real schedules and sensors in a real daemon, real runs, a vendor on a real socket.

Ten chosen ticks of the live cycle from Friday 2024-05-31, 20:22 UTC, over the close at 17:00 New York, the weekend and the end
of the month, to Sunday's open. After Friday's close the night; on Saturday at 21:40 in New York the pruning, and the repair of
what an import and the vendor left open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, timedelta
from pathlib import Path

import dagster as dg
import pytest

from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.assets.staleness import Basis, everything_behind
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files import read_file
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.automation.live_stack import LiveStack, wait_until
from goldsignal_pipeline_tests.automation.live_story import Story, at, label_of
from goldsignal_pipeline_tests.cli.market_files import write_csv
from goldsignal_pipeline_tests.folders import open_folder
from goldsignal_pipeline_tests.postgres import TEMPLATE, Server, _database
from goldsignal_pipeline_tests.providers.support import walk
from goldsignal_pipeline_tests.vendor_faults import Fault
from goldsignal_pipeline_tests.vendor_market import VendorMarket
from goldsignal_pipeline_tests.vendor_server import KEY, Call

pytestmark = pytest.mark.daemon

GRACE = timedelta(seconds=120)
REVISED = "2024-05-31 20:00"
LATE = ("2024-05-31 20:45", "2024-05-31 20:50")
"""Two bars that the vendor does not have before Sunday."""
HOLE = "hole:2024-05-31T20:45Z:2024-06-02"
NIGHT = "2024-05-31 21:20"
BY_TWO, BY_TWO_TICK = "2024-06-02 22:15", "2024-06-02 22:17"
"""The bar for which two daemons ask, and when."""
CARE = "2024-06-02 01:40"
"""Saturday, 21:40 in New York, the hour of the retention: Friday's runs are older than the one day that live ones are kept."""


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
            print(stack.logs(), *told.rows("SELECT message, cause FROM operator_events"), sep="\n")
            raise
        yield told


def _play(story: Story) -> None:
    _friday(story)
    _import(story)
    story.quiet()
    story.remember()
    story.skipped(CARE, at_tick="2024-06-02 01:37")
    for job in ("retention", "derive", "backfill"):
        story.run_of(job, since=at(CARE))
    _sunday(story)
    story.remember()


def _friday(story: Story) -> None:
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
    vendor.market.withhold(at(LATE[0]), at(LATE[1]) + timedelta(minutes=5), shown_from=at("2024-06-02"))
    story.cycle("2024-05-31 21:02", bar="2024-05-31 21:00")
    story.skipped("2024-05-31 21:07")
    story.tick(NIGHT)
    story.run_of("nightly_backtests", since=at(NIGHT))
    # A failed run is told of within half a minute.
    wait_until(lambda: story.rows("SELECT id FROM operator_events WHERE kind = 'run_failed'"), "the operator event")


def _import(story: Story) -> None:
    """An import that ends before it derives its month."""
    file = story.stack.folder / "gold.csv"
    write_csv(file, start=at("2024-04-22"), days=4)
    ingest(
        story.database,
        symbol=REAL_SYMBOL,
        deliveries=read_file(file, calendar=load_calendar()).deliveries,
        calendar=load_calendar(),
        now=story.stack.time.now(),
        grace=GRACE,
        run_id=None,
    )


def _sunday(story: Story) -> None:
    story.skipped("2024-06-02 22:02")
    story.cycle("2024-06-02 22:07", bar="2024-06-02 22:05")
    # The clock is set back, and the same minute comes again.
    story.tick("2024-06-02 22:07")
    time.sleep(2)
    story.stack.vendor.schedule(Fault.ERROR_503)
    story.cycle("2024-06-02 22:12", bar="2024-06-02 22:10")
    story.quiet()
    _two_daemons(story)


def _two_daemons(story: Story) -> None:
    """Somebody starts a second daemon on the same database: both look at the clock when the next bar has closed."""
    second = story.stack.start_daemon("second-daemon")
    wait_until(lambda: "SchedulerDaemon" in second.log.read_text(), "the second scheduler")
    story.cycle(BY_TWO_TICK, bar=BY_TWO)
    story.quiet()


def test_one_run_for_every_closed_bar_and_none_for_a_minute_that_comes_twice(story: Story) -> None:
    runs = {bar: each for bar, each in story.cycles.items() if bar != BY_TWO}
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


def months_of(run: dg.DagsterRun) -> tuple[str, str]:
    """First and last month of a run."""
    return run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"]


def test_the_cycle_after_the_weekend_covers_both_months(story: Story) -> None:
    (run,) = story.cycles["2024-06-02 22:05"]
    assert months_of(run) == ("2024-05", "2024-06")


def test_ticks_of_a_closed_market_are_skipped_with_the_reason(story: Story) -> None:
    closed = "no new M5 bar since 2024-05-31 21:00 UTC; next open Sun 22:00 UTC"
    chosen = dict.fromkeys(("2024-05-31 21:07", "2024-06-02 01:37"), closed)
    chosen["2024-06-02 22:02"] = "no new M5 bar since 2024-05-31 21:00 UTC; the market is open"
    assert {label: story.skipped_ticks[label] for label in chosen} == chosen
    # The second daemon may look while the run that the first one began goes on.
    by_second = (BY_TWO_TICK, f"the cycle of {BY_TWO} UTC is still running")
    others = {told for told in story.skipped_ticks.items() if told[0] not in chosen and told != by_second}
    assert {reason for _, reason in others} <= {closed}


def test_every_closed_bar_is_held_once_and_no_forming_one_ever_was(story: Story) -> None:
    rows = story.rows(
        "SELECT timestamp, open, high, low, close, observed_at FROM raw_candles"
        " WHERE timestamp >= '2024-05-01Z' AND timestamp < '2024-06-02 22:10Z' ORDER BY timestamp, observed_at"
    )
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


@pytest.mark.fault("concurrency")
def test_two_daemons_leave_what_one_would(story: Story) -> None:
    """I2, I9, I19: however many runs they ask for, each bar and each derived row is held once."""
    runs = story.cycles[BY_TWO]
    assert {run.status.value for run in runs} == {"SUCCESS"}
    since = "timestamp >= '2024-06-02 22:10Z'"
    assert [row["timestamp"] for row in story.rows(f"SELECT timestamp FROM raw_candles WHERE {since}")] == [
        at("2024-06-02 22:10")
    ]
    assert len(story.rows(f"SELECT FROM candles WHERE timeframe = 'M5' AND {since}")) == 1
    basis = Basis.of(Settings(provider="simulated"), now=at(BY_TWO_TICK))
    assert everything_behind(story.database, basis) == [], "no run vouched for what another wrote after it"


def test_a_revision_is_a_second_version_and_the_candles_follow_it(story: Story) -> None:
    versions = story.rows(f"SELECT close, observed_at FROM raw_candles WHERE timestamp = '{REVISED}Z' ORDER BY observed_at")
    assert [float(row["close"]) for row in versions] == [
        pytest.approx(walk().set_index("timestamp").loc[at(REVISED), "close"], abs=0.005),
        2345.67,
    ]
    assert [story.tick_of(row["observed_at"]) for row in versions] == ["2024-05-31 20:22", "2024-05-31 20:27"]
    shown = story.rows(
        f"SELECT timeframe, high FROM candles WHERE timestamp <= '{REVISED}Z' AND high = 2999.99 ORDER BY timeframe"
    )
    assert [row["timeframe"] for row in shown] == ["D1", "H1", "H4", "M15", "M30", "M5"]
    assert story.rows("SELECT timestamp FROM raw_candles GROUP BY timestamp HAVING count(*) > 1") == [{"timestamp": at(REVISED)}]


def test_a_cycle_that_failed_is_made_good_by_the_next(story: Story) -> None:
    rows = story.rows(
        "SELECT observed_at FROM raw_candles WHERE timestamp IN ('2024-05-31 20:25Z', '2024-05-31 20:30Z') ORDER BY timestamp"
    )
    assert [story.tick_of(row["observed_at"]) for row in rows] == ["2024-05-31 20:37"] * 2
    holes = [run.tags["dagster/run_key"] for run in story.instance.get_runs(dg.RunsFilter(job_name="backfill"))]
    assert holes == [HOLE], "what the next cycle fetches is no hole"


def test_the_operator_reads_why_a_cycle_failed_and_nobody_reads_the_key(story: Story) -> None:
    events = story.rows("SELECT message, cause, run_id FROM operator_events WHERE kind = 'run_failed'")
    (failed,) = story.cycles["2024-05-31 20:30"]
    assert [(event["message"], str(event["run_id"])) for event in events] == [
        (f"Run {failed.run_id[:8]} of live_cycle failed.", failed.run_id)
    ]
    assert events[0]["cause"].startswith('raw_candles: Twelve Data says: "**apikey** parameter is incorrect')
    assert "(401)" in story.failure_log
    assert KEY not in story.failure_log + story.stack.logs(most=1 << 30) + str(events)
    # On a busy machine the operator may also be told of what is late.
    owed = story.rows("SELECT message ->> 'headline' AS headline FROM alerts WHERE kind = 'operator'")
    told = [row["headline"] for row in owed if "failed" in row["headline"]]
    assert told == [f"ERROR: Run {failed.run_id[:8]} of live_cycle failed."]


def test_a_used_up_minute_is_waited_for_and_an_outage_tried_again_within_the_budget(story: Story) -> None:
    vendor = story.stack.vendor
    assert not vendor.is_overdrawn
    told = [(story.tick_of(call.at)[8:], call.fault) for call in vendor.calls if not is_repair(call)]
    assert [one for one in told if one[0] != BY_TWO_TICK[8:]] == [
        ("31 20:22", None),  # the running month, in two pages
        ("31 20:22", None),
        ("31 20:27", None),
        ("31 20:32", Fault.KEY_REFUSED),
        ("31 20:37", Fault.MINUTE_LIMIT),
        ("31 20:37", None),
        ("31 21:02", None),
        ("02 22:07", None),
        ("02 22:12", Fault.ERROR_503),
        ("02 22:12", None),
    ]


def test_the_fillers_of_a_weekend_leave_no_candle(story: Story) -> None:
    filled = "timestamp >= '2024-05-31 21:00Z' AND timestamp < '2024-06-02 22:00Z'"
    calls = [call for call in story.stack.vendor.calls if story.tick_of(call.at) != BY_TWO_TICK]
    assert any(call.rows > 500 for call in calls[-3:]), "the vendor did send the weekend"
    assert story.rows(f"SELECT * FROM raw_candles WHERE {filled}") == []
    # Monday's H4 and D1 bars open at 21:00, an hour before there is a market.
    assert story.rows(f"SELECT * FROM candles WHERE {filled} AND timestamp < '2024-06-02 21:00Z'") == []
    assert story.rows(f"SELECT DISTINCT reason FROM quarantined_candles WHERE {filled}") == [{"reason": "weekend"}]


def is_repair(call: Call) -> bool:
    """Was it asked on Sunday for Friday alone?"""
    return call.at > at("2024-06-01") and call.query["end_date"] < "2024-06-01"


def test_the_repair_sensor_asks_for_the_months_that_are_behind_and_for_the_hole(story: Story) -> None:
    """In one look, or in two where one falls between the import and Saturday's hour."""
    asked = {run_id for tick in story.ticks("repair_sensor") if tick.timestamp > at(NIGHT).timestamp() for run_id in tick.run_ids}
    runs = {record.dagster_run.job_name: record.dagster_run for key, record in story.runs.items() if key in asked}
    assert {job: (run.status.value, *months_of(run)) for job, run in runs.items()} == {
        "derive": ("SUCCESS", "2024-04", "2024-06"),
        "backfill": ("SUCCESS", "2024-05", "2024-06"),
    }
    assert runs["derive"].tags["dagster/run_key"].endswith(":2024-06-02T01")
    assert runs["backfill"].tags["dagster/run_key"] == HOLE
    assert [record for record in story.runs.values() if record.dagster_run.job_name == "backfill"] == [
        story.runs[runs["backfill"].run_id]
    ], "what was repaired is not asked for again"


def test_the_repaired_months_hold_the_imported_candles_and_the_bars_that_came_late(story: Story) -> None:
    imported = story.rows("SELECT timeframe, count(*) FROM candles WHERE timestamp < '2024-04-29Z' GROUP BY timeframe")
    # Monday to Thursday in UTC, each with its hour of daily break.
    assert {row["timeframe"]: row["count"] for row in imported}["H1"] == 4 * 23
    assert len([call for call in story.stack.vendor.calls if is_repair(call)]) == 1
    late = story.rows(f"SELECT observed_at FROM raw_candles WHERE timestamp IN ('{LATE[0]}Z', '{LATE[1]}Z')")
    assert [story.tick_of(row["observed_at"]) for row in late] == [CARE] * 2
    quarter = story.rows(f"SELECT base_bars FROM candles WHERE timeframe = 'M15' AND timestamp = '{LATE[0]}Z'")
    assert quarter == [{"base_bars": 3}]


def test_the_retention_prunes_live_runs_past_their_days_but_the_last_good_cycle_and_nothing_else(story: Story) -> None:
    instance = story.instance
    (tick,) = [tick for tick in story.ticks("retention_schedule") if label_of(tick) == CARE]
    assert [story.runs[run_id].dagster_run.status.value for run_id in tick.run_ids] == ["SUCCESS"]
    (last_good,) = story.cycles["2024-05-31 21:00"]
    old = {
        run_id
        for run_id, record in story.runs.items()
        if record.create_timestamp < at("2024-06-01 01:40") and record.dagster_run.tags["goldsignal/kind"] == "live"
    }
    assert {run.run_id for bar, runs in story.cycles.items() if bar < "2024-06-01" for run in runs} <= old
    kept = {*story.runs} - (old - {last_good.run_id})
    assert {run.run_id for run in instance.get_runs()} & {*story.runs} == kept
    folders = {folder.name for folder in Path(instance.storage_directory()).iterdir()}
    assert folders & {*story.runs} == kept, "their output went with them"
    assert not any(instance.all_logs(run_id) for run_id in {*story.runs} - kept)
    assert instance.get_materialized_partitions(dg.AssetKey("candles")) >= {"2024-04", "2024-05", "2024-06"}


def test_the_night_runs_after_new_yorks_close_and_the_strategies_are_registered_on_start(story: Story) -> None:
    (tick,) = [tick for tick in story.ticks("nightly_backtests_schedule") if tick.run_ids]
    assert label_of(tick) == NIGHT
    (night,) = [record.dagster_run for record in story.runs.values() if record.dagster_run.run_id in tick.run_ids]
    assert (night.status.value, *months_of(night)) == ("SUCCESS", "2024-05", "2024-05")
    (registered,) = [record for record in story.runs.values() if record.dagster_run.job_name == "register_strategies"]
    assert registered.dagster_run.is_success
    assert registered.create_timestamp < at("2024-05-31 20:27")
    assert len(story.rows("SELECT DISTINCT strategy FROM strategies WHERE is_active")) == 4
