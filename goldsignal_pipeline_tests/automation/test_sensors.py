"""The sensors ask for what is behind, unregistered or worth another call, once; they tell the operator what failed and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.assets.partitions import months_between
from goldsignal_pipeline.assets.raw_candles import raw_candles
from goldsignal_pipeline.assets.registering import register
from goldsignal_pipeline.automation.jobs import BATCH_TAGS
from goldsignal_pipeline.automation.sensors import failed_check_events, repair_sensor, run_failure_events, strategies_sensor
from goldsignal_pipeline.checks.building import Rule, verdict
from goldsignal_pipeline.checks.findings import Finding
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.storage import strategies as registry
from goldsignal_pipeline_tests.automation.conftest import DERIVED, GRAPH, Deployment
from goldsignal_pipeline_tests.providers.support import desk
from goldsignal_pipeline_tests.vendor_faults import Fault
from goldsignal_pipeline_tests.vendor_server import KEY

GRACE = timedelta(seconds=120)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def asked(deployment: Deployment, *, beside: dg.DagsterInstance | None = None) -> list[tuple[str, str, str, str]]:
    """Job, first month, last month and key of what the sensor asks for now, beside the runs of an instance."""
    with (
        dg.DagsterInstance.ephemeral() as empty,
        dg.build_sensor_context(beside or empty, resources=deployment.resources()) as context,
    ):
        result = repair_sensor(context)
    requests = [] if isinstance(result, dg.SkipReason) else result.run_requests
    return [
        (
            request.job_name,
            request.tags["dagster/asset_partition_range_start"],
            request.tags["dagster/asset_partition_range_end"],
            request.run_key,
        )
        for request in requests
    ]


def revise(deployment: Deployment, bar: str, *, now: str = "2024-03-20 12:30") -> None:
    """Observe other prices of a bar that is held."""
    start = deployment.at(bar).clock.now
    deployment.at(now)
    window = FetchWindow(timeframe=deployment.feed.base_timeframe, start=start, end=start + timedelta(hours=1))
    (delivery,) = deployment.feed.fetch(window)
    rows = delivery.rows.assign(high=delivery.rows["high"] + 5)
    ingest(
        deployment.database,
        symbol=deployment.feed.symbol,
        deliveries=[Delivery(source=delivery.source, timeframe=delivery.timeframe, rows=rows, rejected=delivery.rejected)],
        calendar=load_calendar(),
        now=deployment.clock.now,
        grace=GRACE,
        run_id=None,
    )


def test_an_empty_record_has_nothing_to_repair(deployment: Deployment) -> None:
    assert asked(deployment) == [], "history that nobody asked for is the work of `up`, not of a sensor"


def test_after_an_import_the_stale_months_are_asked_for_once_and_then_no_more(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    assert deployment.materialize("2024-01", "2024-03", instance=instance, assets=[raw_candles]).success
    deployment.clock.sleep(100)
    assert asked(deployment) == [], "a live cycle derives what it has just stored"
    deployment.clock.sleep(100)
    first = asked(deployment)
    assert [request[:3] for request in first] == [("derive", "2024-01", "2024-03")]
    deployment.clock.sleep(60)
    assert asked(deployment) == first, "the same key, so that Dagster makes one run"
    assert deployment.materialize("2024-01", "2024-03", instance=instance, assets=DERIVED).success
    assert asked(deployment) == []


def test_a_repair_waits_for_a_backfill_that_is_under_way_but_not_for_one_whose_process_was_lost(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    assert deployment.materialize("2024-03", "2024-03", instance=instance, assets=[raw_candles]).success
    deployment.clock.sleep(200)
    assert asked(deployment, beside=instance)
    deployment.clock.now = datetime.now(UTC)  # Dagster dates its runs by the clock of the machine
    instance.add_run(dg.DagsterRun(job_name="backfill", status=dg.DagsterRunStatus.STARTED, tags=BATCH_TAGS))
    assert asked(deployment, beside=instance) == []
    deployment.clock.sleep(2 * 3600)
    assert asked(deployment, beside=instance)


def test_a_long_repair_goes_year_by_year_from_the_earliest_month(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    assert deployment.materialize("2023-01", "2024-03", instance=instance, assets=[raw_candles]).success
    deployment.clock.sleep(200)
    assert [request[:3] for request in asked(deployment)] == [("derive", "2023-01", "2023-12")]


def test_while_bars_go_on_coming_older_months_are_repaired_and_the_running_one_is_left_to_its_cycle(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    months = months_between("2024-01", "2024-03")
    assert deployment.materialize(months[0], months[-1], instance=instance, assets=[raw_candles]).success
    deployment.clock.sleep(3600)
    assert deployment.materialize("2024-03", "2024-03", instance=instance, assets=[raw_candles]).success
    assert [request[:3] for request in asked(deployment)] == [("derive", "2024-01", "2024-02")]
    revise(deployment, "2024-02-14 10:00", now="2024-03-20 13:08")
    assert asked(deployment) == [], "somebody imports"


def test_a_revision_makes_exactly_the_months_stale_that_rest_on_it(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    assert deployment.materialize("2023-12", "2024-03", instance=instance, assets=GRAPH).success
    deployment.clock.sleep(200)
    assert asked(deployment) == []
    revise(deployment, "2024-02-14 10:00")
    deployment.clock.sleep(200)
    assert [request[:3] for request in asked(deployment)] == [("derive", "2024-02", "2024-03")]
    assert deployment.materialize("2024-02", "2024-03", instance=instance, assets=DERIVED).success
    assert asked(deployment) == []


class Forgetful(SimulatedProvider):
    """A vendor without its bars of one Tuesday afternoon, until it finds them."""

    forgets = True

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        for page in super().fetch(window):
            lost = (page.rows["timestamp"] >= "2024-03-19 14:00+00:00") & (page.rows["timestamp"] < "2024-03-19 16:00+00:00")
            rows = page.rows[~(lost & self.forgets)]
            yield Delivery(source=page.source, timeframe=page.timeframe, rows=rows, rejected=page.rejected)


def holes(deployment: Deployment) -> list[tuple[str, str, str, str]]:
    """The requests for the vendor among them; without live cycles a new day is behind as well."""
    return [request for request in asked(deployment) if request[0] == "backfill"]


def test_a_hole_of_the_vendor_is_asked_for_again_on_the_next_day_once(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    feed = Forgetful(seed=7, calendar=load_calendar(), base_timeframe=deployment.feed.base_timeframe, clock=deployment.clock)
    deployment.feed = feed
    assert deployment.materialize("2024-03", "2024-03", instance=instance, assets=GRAPH).success
    deployment.clock.sleep(200)
    assert holes(deployment) == [], "the vendor was asked a moment ago"
    first = holes(deployment.at("2024-03-21 12:20"))
    assert first == [("backfill", "2024-03", "2024-03", "hole:2024-03-19T14:00Z:2024-03-21")]
    assert holes(deployment.at("2024-03-21 15:20")) == first, "later bars do not make it another request"
    feed.forgets = False
    assert deployment.materialize("2024-03", "2024-03", instance=instance, assets=GRAPH).success
    assert deployment.rows("SELECT count(*) FROM raw_candles WHERE timestamp IN ('2024-03-19 14:00Z', '2024-03-19 15:00Z')") == [
        (2,)
    ]
    assert holes(deployment.at("2024-03-22 16:20")) == []


def test_an_outage_is_no_hole(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    assert deployment.materialize("2024-03", "2024-03", instance=instance, assets=GRAPH).success
    assert asked(deployment.at("2024-03-20 20:20")) == [], "what was not asked for yet is fetched by the next live cycle"


def fail(deployment: Deployment, instance: dg.DagsterInstance, *, evaluations: int = 1) -> list[tuple[str, str, str]]:
    """Let a live run fail and the sensor see it; kind, severity and cause of what the operator reads."""
    result = deployment.materialize("2024-05", "2024-05", instance=instance)
    assert not result.success
    for _ in range(evaluations):
        told = dg.build_run_status_sensor_context(
            sensor_name="run_failure_events",
            dagster_event=result.filter_events(lambda event: event.is_run_failure)[0],
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={name: made for name, made in deployment.resources().items() if name in ("database", "clock")},
        ).for_run_failure()
        with told as context:
            run_failure_events(context)
    return deployment.rows("SELECT kind, severity, cause FROM operator_events")


@pytest.mark.fault("vendor")
def test_a_refused_key_is_told_once_with_its_cause_and_never_shown(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    with desk() as at:
        deployment.feed, deployment.clock = at.provider, at.clock
        at.server.schedule(Fault.KEY_REFUSED)
        events = fail(deployment, instance, evaluations=2)
    ((kind, severity, cause),) = events
    assert (kind, severity) == ("run_failed", "error")
    assert cause.startswith("raw_candles: Twelve Data says:")
    assert "GOLDSIGNAL_TWELVEDATA_API_KEY" in cause
    assert KEY not in cause


@pytest.mark.fault("database")
def test_a_fault_of_the_database_is_told_with_its_cause(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    deployment.at("2024-05-22 12:07")
    with deployment.database.transaction() as connection:
        connection.execute(text("DROP TABLE quarantined_candles CASCADE"))
    ((kind, _, cause),) = fail(deployment, instance)
    assert kind == "run_failed"
    assert "quarantined_candles" in cause


def test_a_failure_of_our_own_code_is_told_by_its_root_cause(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    class Broken(SimulatedProvider):
        def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
            raise ZeroDivisionError("the innermost reason")

    deployment.feed = Broken(
        seed=7, calendar=load_calendar(), base_timeframe=deployment.feed.base_timeframe, clock=deployment.clock
    )
    deployment.at("2024-05-22 12:07")
    ((_, _, cause),) = fail(deployment, instance)
    assert cause == "raw_candles: ZeroDivisionError: the innermost reason"


def test_strategies_are_registered_on_start_and_again_when_they_changed(deployment: Deployment) -> None:
    def wanted() -> str | None:
        with dg.build_sensor_context(resources=deployment.resources()) as context:
            request = strategies_sensor(context)
        return request.run_key if isinstance(request, dg.RunRequest) else None

    assert wanted() == "strategies:2024-03-20T12:07"
    register(deployment.database, now=deployment.clock.now)
    assert wanted() is None
    with deployment.database.transaction() as connection:
        connection.execute(text("UPDATE strategies SET version = 'older' WHERE strategy = 'ema_momentum'"))
    deployment.clock.sleep(600)
    assert wanted() == "strategies:2024-03-20T12:17", "a run that failed is asked for again"


def test_results_may_come_before_the_registration_and_do_not_undo_it(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    assert deployment.materialize("2024-03", "2024-03", instance=instance, assets=GRAPH).success
    with deployment.database.transaction() as connection:
        assert {row.strategy for row in registry.read(connection)} >= {"ema_momentum", "liquidity_sweep"}
        connection.execute(text("UPDATE strategies SET version = 'older', is_active = false"))
    assert deployment.materialize("2024-03", "2024-03", instance=instance, assets=GRAPH).success
    assert deployment.rows("SELECT DISTINCT version, is_active FROM strategies") == [("older", False)]


def test_a_check_that_fails_is_told_once_a_day(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    @dg.asset
    def prices() -> None: ...

    @dg.asset_check(asset=prices)
    def prices_are_fresh() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"age_minutes": 90})

    @dg.asset_check(asset=prices)
    def prices_are_there() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    @dg.asset_check(asset=prices, blocking=True)
    def rules() -> dg.AssetCheckResult:
        suspect = {name: Rule("Days are complete.", is_blocking=False) for name in broken}
        return verdict(suspect, {name: Finding(2, [{"day": "2024-03-19"}]) for name in suspect})

    broken = ["days_are_complete"]

    def told() -> list[tuple[str, ...]]:
        result = dg.materialize([prices, prices_are_fresh, prices_are_there, rules], instance=instance)
        (entry,) = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.RUN_SUCCESS)
        success = entry.dagster_event
        assert success is not None
        seen = dg.build_run_status_sensor_context(
            sensor_name="failed_check_events",
            dagster_event=success,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={name: made for name, made in deployment.resources().items() if name in ("database", "clock")},
        )
        with seen as context:
            failed_check_events(context)
        return deployment.rows("SELECT kind, severity, message, cause FROM operator_events ORDER BY at, message")

    def of_rule(name: str) -> tuple[str, ...]:
        sentence = f"Rule {name} of prices is broken; rows that break it: 2."
        return ("check_failed", "warning", sentence, "Days are complete. First: day 2024-03-19.")

    once = ("check_failed", "warning", "Check prices_are_fresh of prices failed.", "age_minutes 90")
    assert told() == [once, of_rule("days_are_complete")]
    assert told() == [once, of_rule("days_are_complete")], "the operator knows"
    broken.append("prices_agree")
    assert told() == [once, of_rule("days_are_complete"), of_rule("prices_agree")], "another rule of the same check is news"
    deployment.clock.sleep(24 * 3600)
    assert len(told()) == 6
