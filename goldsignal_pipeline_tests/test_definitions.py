"""The definitions as a fresh interpreter finds them, and what every asset must tell about itself."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest

from goldsignal_pipeline.assets.schemas import table_metadata
from goldsignal_pipeline.automation.schedules import live_cycle_cron
from goldsignal_pipeline.definitions import definitions
from goldsignal_pipeline_tests.assets import generate_columns

PROJECT = Path(__file__).resolve().parents[1]
LONGEST_BODY_LINES = 25
MONTHLY = {
    "raw_candles",
    "candles",
    "setups",
    "backtest_trades",
    "backtest_results",
    "signals",
    "outcomes",
    "strategy_performance",
    "alerts",
}
WITHOUT_MONTHS = {"strategies", "news_events", "report"}
DOCUMENTS = {"report"}
"""They are files for people and have no columns."""

LOAD = """
import socket, sys
def refuse(*_): raise AssertionError("the definitions touched the network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from goldsignal_pipeline.definitions import definitions
definitions.get_repository_def().load_all_definitions()
heavy = {"pandas", "sqlalchemy", "psycopg", "psycopg2", "httpx", "pandera", "matplotlib", "numba"} & set(sys.modules)
print(",".join(sorted(heavy)))
"""


@pytest.fixture(scope="module")
def specs() -> list[dg.AssetSpec]:
    return list(definitions.resolve_all_asset_specs())


def test_definitions_load_without_environment_database_network_or_warning(tmp_path: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stderr == ""
    assert loaded.stdout.strip() == "", "every Dagster process would wait for these imports"
    assert list(tmp_path.iterdir()) == [], "loading wrote something"


def test_every_asset_tells_what_it_is(specs: list[dg.AssetSpec]) -> None:
    assert {spec.key.to_user_string() for spec in specs} == MONTHLY | WITHOUT_MONTHS
    for spec in specs:
        name = spec.key.to_user_string()
        assert spec.description, name
        assert list(spec.owners) == ["team:goldsignal"], name
        assert "postgres" in spec.kinds, name
        assert spec.group_name in {"market", "research", "signals", "news", "report"}, name
        assert spec.code_version, name
        if name in DOCUMENTS:
            assert "document" in spec.description, name
            continue
        assert spec.metadata["dagster/table_name"] == f"goldsignal.{name}"
        columns = spec.metadata["dagster/column_schema"]
        assert isinstance(columns, dg.TableSchema)
        assert all(column.description and column.type for column in columns.columns), name


def test_column_schemas_are_those_of_the_tables() -> None:
    assert generate_columns.TARGET.read_text(encoding="utf-8") == generate_columns.rendered(), "run `make reference`"
    schema = table_metadata("candles")["dagster/column_schema"]
    assert [column.name for column in schema.columns][:3] == ["symbol", "timeframe", "timestamp"]


def test_every_automation_runs_by_default() -> None:
    repository = definitions.get_repository_def()
    assert {schedule.name: schedule.default_status.value for schedule in repository.schedule_defs} == {
        "live_cycle_schedule": "RUNNING",
        "nightly_backtests_schedule": "RUNNING",
        "economic_calendar_schedule": "RUNNING",
        "feed_freshness_schedule": "RUNNING",
        "nightly_report_schedule": "RUNNING",
        "retention_schedule": "RUNNING",
    }
    assert {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs} == {
        "repair_sensor": "RUNNING",
        "strategies_sensor": "RUNNING",
        "failed_check_events": "RUNNING",
        "run_failure_events": "RUNNING",
    }


@pytest.mark.parametrize(
    ("name", "assets"),
    [
        ("live_cycle", MONTHLY),
        ("nightly_backtests", MONTHLY),
        ("derive", MONTHLY - {"raw_candles"}),
        ("backfill", MONTHLY | {"strategies"}),
        ("register_strategies", {"strategies"}),
        ("economic_calendar", {"news_events"}),
        ("nightly_report", {"report"}),
    ],
)
def test_every_job_runs_its_assets_in_one_process(name: str, assets: set[str]) -> None:
    """Only a backfill fetches and registers; a repair asks no vendor, and no cycle registers strategies again."""
    job = definitions.resolve_job_def(name)
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == assets
    assert job.executor_def.name == "in_process"


def test_the_live_cycle_verifies_every_asset() -> None:
    checked = definitions.resolve_job_def("live_cycle").asset_layer.asset_graph.asset_check_keys
    assert {key.to_user_string() for key in checked} == {*(f"{name}:rules" for name in MONTHLY), "candles:feed_is_fresh"}


def test_every_job_schedule_and_sensor_says_what_it_is_for() -> None:
    repository = definitions.get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    described = [*jobs, *repository.schedule_defs, *repository.sensor_defs]
    assert [one.name for one in described if not one.description] == []


@pytest.mark.parametrize("name", sorted(MONTHLY | WITHOUT_MONTHS))
def test_asset_bodies_are_short(name: str) -> None:
    for module in (import_module(f"goldsignal_pipeline.assets.{name}"),):
        tree = ast.parse(inspect.getsource(module))
        (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert function.end_lineno is not None
        body = [statement for statement in function.body if not isinstance(statement, ast.Expr) or not _is_text(statement)]
        assert function.end_lineno - body[0].lineno < LONGEST_BODY_LINES, module.__name__


@pytest.mark.parametrize(
    ("bar_minutes", "grace_seconds", "cron"),
    [
        (5, 120, "2-59/5 * * * *"),
        (5, 61, "2-59/5 * * * *"),
        (5, 0, "0-59/5 * * * *"),
        (5, 300, "0-59/5 * * * *"),
        (1, 120, "* * * * *"),
        (15, 120, "2-59/15 * * * *"),
        (60, 120, "2 * * * *"),
    ],
)
def test_the_schedule_follows_the_close_of_a_bar_and_its_grace(bar_minutes: int, grace_seconds: int, cron: str) -> None:
    assert live_cycle_cron(bar_minutes=bar_minutes, grace_seconds=grace_seconds) == cron


def _is_text(statement: ast.Expr) -> bool:
    return isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
