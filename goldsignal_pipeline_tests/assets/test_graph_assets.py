"""The graph as Dagster runs it, on a real PostgreSQL: a range in one run, told month by month, and twice the same."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.definitions import definitions
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.conftest import Materialize, materialize  # noqa: F401  (a fixture)
from goldsignal_pipeline_tests.assets.support import step_failures
from goldsignal_pipeline_tests.graph import MONTHS, NOW, hourly_market

ASSETS = ("setups", "backtest_trades", "backtest_results", "signals", "outcomes", "strategy_performance")
TABLES = (*ASSETS, "gate_decisions", "signal_events", "gate_states", "gate_events", "partition_digests", "strategies")

RULES = {f"{name}_rules" for name in (*ASSETS, "raw_candles", "candles", "alerts")}
MONTHLY = [one for one in definitions.assets or () if isinstance(one, dg.AssetsDefinition) and one.partitions_def is not None]
EVENTS_OF_A_STEP = 5
"""Planned, started, materialized or evaluated, put out, succeeded: rows that a live cycle writes every few minutes."""
EVENTS_OF_A_RUN = 10
EVENTS_OF_A_CYCLE = 110
"""102 of them were 239 kB; 110 are some 71 MB on a full trading day, within the budget of 75."""


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the graph, the run that wrote it included."""
    with database.transaction(read_only=True) as connection:
        return {name: sorted(map(str, connection.execute(text(f"SELECT * FROM {name}")))) for name in TABLES}


@pytest.fixture
def run(graph_database: Database, materialize: Materialize) -> dg.ExecuteInProcessResult:  # noqa: F811  (the fixture)
    selection = [*MONTHLY, *(one for one in definitions.asset_checks if "feed_is_fresh" not in str(one.check_keys))]
    before = contents(graph_database)
    result = materialize(
        MONTHS[-2],
        MONTHS[-1],
        now=NOW,
        provider=hourly_market(),
        selection=selection,
        other_database=graph_database,
        base_timeframe=Timeframe.H1,
    )
    assert result.success, step_failures(result)
    assert contents(graph_database) == before, "I19: a second run of the same range changes nothing"
    return result


def test_a_range_of_every_asset_is_one_run_and_tells_each_month_what_it_holds(run: dg.ExecuteInProcessResult) -> None:
    for asset in ASSETS:
        events = run.asset_materializations_for_node(asset)
        by_month = {event.partition: event.metadata for event in events}
        assert by_month.keys() == set(MONTHS[-2:]), asset
    signals = {event.partition: event.metadata for event in run.asset_materializations_for_node("signals")}
    told = signals[MONTHS[-2]]
    assert told["verdicts"].value >= told["accepted"].value
    verdicts = [record.data for record in told["reasons_for_silence"].records]
    assert sum(row["setups"] for row in verdicts) == told["verdicts"].value - told["accepted"].value
    outcomes = {event.partition: event.metadata for event in run.asset_materializations_for_node("outcomes")}
    assert "data:image/png" in str(outcomes[MONTHS[-2]]["chart"].value)


def test_pictures_stay_small_because_every_one_is_a_row_of_the_event_log(run: dg.ExecuteInProcessResult) -> None:
    charts = [
        event.metadata["chart"].value
        for asset in ("backtest_trades", "outcomes", "strategy_performance")
        for event in run.asset_materializations_for_node(asset)
    ]
    assert len(charts) == 6
    assert max(len(chart) for chart in charts) < 20_000


def test_live_runs_draw_nothing_and_leave_few_rows(graph_database: Database, materialize: Materialize) -> None:  # noqa: F811  (the fixture)
    selection = [*MONTHLY, *(one for one in definitions.asset_checks if one.op.name in RULES)]
    result = materialize(
        MONTHS[-1],
        MONTHS[-1],
        now=NOW,
        selection=selection,
        provider=hourly_market(),
        tags={"goldsignal/kind": "live"},
        other_database=graph_database,
        base_timeframe=Timeframe.H1,
    )
    assert result.success, step_failures(result)
    assert all("chart" not in event.metadata for event in result.asset_materializations_for_node("outcomes"))
    assert len(result.get_asset_check_evaluations()) == len(RULES), "one evaluation for all rules of an asset"
    steps = [event for event in result.all_events if event.is_step_success]
    assert len(result.all_events) <= EVENTS_OF_A_STEP * len(steps) + EVENTS_OF_A_RUN
    live = definitions.resolve_job_def("live_cycle").nodes
    assert EVENTS_OF_A_STEP * len(live) + EVENTS_OF_A_RUN <= EVENTS_OF_A_CYCLE
