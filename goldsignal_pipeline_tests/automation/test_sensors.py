"""The repair sensor asks for what is stale or worth another call, once; the failure sensor tells the operator why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets.candles import candles
from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.automation.sensors import repair_sensor, run_failure_events
from goldsignal_pipeline.market.delivery import Delivery
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline_tests.automation.conftest import Deployment
from goldsignal_pipeline_tests.providers.support import desk
from goldsignal_pipeline_tests.vendor_faults import Fault
from goldsignal_pipeline_tests.vendor_server import KEY

GRACE = timedelta(seconds=120)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def asked(deployment: Deployment) -> list[tuple[str, str, str, str]]:
    """Job, first month, last month and key of what the sensor asks for now."""
    with dg.build_sensor_context(resources=deployment.resources()) as context:
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


def revise(deployment: Deployment, bar: str) -> None:
    """Observe other prices of a bar that is held."""
    start = deployment.at(bar).clock.now
    deployment.at("2024-03-20 12:30")
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
    from goldsignal_pipeline.assets.raw_candles import raw_candles

    assert deployment.materialize("2024-01", "2024-03", instance=instance, assets=[raw_candles]).success
    deployment.clock.sleep(100)
    assert asked(deployment) == [], "a live cycle derives what it has just stored"
    deployment.clock.sleep(100)
    first = asked(deployment)
    assert [request[:3] for request in first] == [("derive", "2024-01", "2024-03")]
    deployment.clock.sleep(60)
    assert asked(deployment) == first, "the same key, so that Dagster makes one run"
    assert deployment.materialize("2024-01", "2024-03", instance=instance, assets=[candles]).success
    assert asked(deployment) == []


def test_a_revision_makes_exactly_the_months_stale_that_rest_on_it(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    assert deployment.materialize("2023-12", "2024-03", instance=instance).success
    deployment.clock.sleep(200)
    assert asked(deployment) == []
    revise(deployment, "2024-02-14 10:00")
    deployment.clock.sleep(200)
    assert [request[:3] for request in asked(deployment)] == [("derive", "2024-02", "2024-03")]
    assert deployment.materialize("2024-02", "2024-03", instance=instance, assets=[candles]).success
    assert asked(deployment) == []


class Forgetful(SimulatedProvider):
    """A vendor without its bars of one Tuesday afternoon, until it finds them."""

    forgets = True

    def fetch(self, window: FetchWindow) -> Iterator[Delivery]:
        for page in super().fetch(window):
            lost = (page.rows["timestamp"] >= "2024-03-19 14:00+00:00") & (page.rows["timestamp"] < "2024-03-19 16:00+00:00")
            rows = page.rows[~(lost & self.forgets)]
            yield Delivery(source=page.source, timeframe=page.timeframe, rows=rows, rejected=page.rejected)


def test_a_hole_of_the_vendor_is_asked_for_again_on_the_next_day_once(
    deployment: Deployment, instance: dg.DagsterInstance
) -> None:
    feed = Forgetful(seed=7, calendar=load_calendar(), base_timeframe=deployment.feed.base_timeframe, clock=deployment.clock)
    deployment.feed = feed
    assert deployment.materialize("2024-03", "2024-03", instance=instance).success
    deployment.clock.sleep(200)
    assert asked(deployment) == [], "the vendor was asked a moment ago"
    first = asked(deployment.at("2024-03-21 12:20"))
    assert first == [("backfill", "2024-03", "2024-03", "hole:2024-03-19T14:00Z:2024-03-21")]
    assert asked(deployment.at("2024-03-21 15:20")) == first, "later bars do not make it another request"
    feed.forgets = False
    assert deployment.materialize("2024-03", "2024-03", instance=instance).success
    assert deployment.rows("SELECT count(*) FROM raw_candles WHERE timestamp IN ('2024-03-19 14:00Z', '2024-03-19 15:00Z')") == [
        (2,)
    ]
    assert asked(deployment.at("2024-03-22 16:20")) == []


def test_an_outage_is_no_hole(deployment: Deployment, instance: dg.DagsterInstance) -> None:
    assert deployment.materialize("2024-03", "2024-03", instance=instance).success
    assert asked(deployment.at("2024-03-20 20:20")) == [], "what was not asked for yet is fetched by the next live cycle"


def fail(deployment: Deployment, instance: dg.DagsterInstance, *, evaluations: int = 1) -> list[tuple[str, str, str]]:
    """Let a live run fail and the sensor see it; kind, severity and cause of what the operator reads."""
    result = deployment.materialize("2024-05", "2024-05", instance=instance)
    assert not result.success
    for _ in range(evaluations):
        context = dg.build_run_status_sensor_context(
            sensor_name="run_failure_events",
            dagster_event=result.filter_events(lambda event: event.is_run_failure)[0],
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={name: made for name, made in deployment.resources().items() if name in ("database", "clock")},
        ).for_run_failure()
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
