"""`goldsignal backfill`: the plan before, one run per twelve months, the cause when one fails."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.assets.keeping import ASSETS
from goldsignal_pipeline.assets.lineage import TOLD
from goldsignal_pipeline.assets.staleness import Basis, Behind, Cause, everything_behind
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.backfill import chosen_assets, months_asked, raise_failure
from goldsignal_pipeline.cli.launch import RunReport, with_registry
from goldsignal_pipeline.cli.months import months_to_compute, ranges, ranges_text
from goldsignal_pipeline.errors import ServiceError, UsageError
from goldsignal_pipeline.market.sources import SIMULATED_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage import pruned_candles
from goldsignal_pipeline.storage.database import Database

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
_TABLES = ("candles", "setups", "backtest_trades", "backtest_results", "signals", "outcomes", "strategy_performance")
_STATE = """
    SELECT count(*), md5(string_agg(row, '' ORDER BY row))
    FROM (SELECT (to_jsonb(held) - 'run_id')::text AS row FROM {} AS held) AS rows
"""


def test_months_are_those_of_the_record_up_to_the_running_one() -> None:
    assert months_asked("2026-09", None, now=NOW) == ("2026-09", "2026-10", "2026-11")
    assert months_asked("2003-05", "2003-06", now=NOW) == ("2003-05", "2003-06")


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [("2003-04", None, "2003-05 to 2026-11"), ("2026-11", "2026-12", "2003-05 to 2026-11"), ("2026-03", "2026-02", "empty")],
)
def test_months_outside_the_record_are_refused(start: str, end: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        months_asked(start, end, now=NOW)


def test_assets_come_in_the_order_of_the_graph_and_a_misspelt_one_is_refused_with_the_nearest() -> None:
    assert chosen_assets("candles, raw_candles") == ["raw_candles", "candles"]
    assert chosen_assets(None) == [*ASSETS, *TOLD], "in the order in which one is made of the other"
    with pytest.raises(UsageError, match="Did you mean raw_candles"):
        chosen_assets("raw_candle")


def test_strategies_are_registered_by_the_runs_that_read_them() -> None:
    assert with_registry(["raw_candles", "candles"]) == ["raw_candles", "candles"]
    assert with_registry(["candles", "setups"]) == ["candles", "setups", "strategies"]


def test_only_what_asks_no_vendor_may_go_without_a_first_month() -> None:
    with pytest.raises(UsageError, match="--from is needed"):
        months_asked(None, "2026-02", now=NOW)
    assert months_asked(None, "2003-06", now=NOW, missing=True) == ("2003-05", "2003-06")


def test_computing_begins_where_a_month_has_a_cause_of_its_own() -> None:
    causes = {
        "setups": {"2026-02": Cause.FOLLOWS, "2026-03": Cause.OUTDATED, "2026-04": Cause.FOLLOWS},
        "signals": {"2026-05": Cause.FOLLOWS},
        "outcomes": {"2026-01": Cause.MISSING},
    }
    found = [Behind("XAUUSD", causes, "", {})]
    assert months_to_compute(found, assets=["setups", "signals"]) == ("2026-03", "2026-04", "2026-05")
    assert months_to_compute(found, assets=["setups", "signals"], last_month="2026-04") == ("2026-03", "2026-04")
    assert months_to_compute(found, assets=["setups", "signals"], first_month="2026-04") == ()
    assert months_to_compute(found, assets=["signals"]) == ()


def test_many_ranges_are_told_by_the_first_of_them() -> None:
    assert ranges_text(["2025-11", "2025-12", "2026-02"]) == "2025-11 to 2025-12, 2026-02"
    assert ranges_text(["2025-01", "2025-03", "2025-05", "2025-07", "2025-09"]) == "2025-01, 2025-03, 2025-05 and 2 more"


def test_neighbouring_months_form_one_range() -> None:
    assert ranges(["2025-11", "2025-12", "2026-01", "2026-03"]) == [("2025-11", "2026-01"), ("2026-03", "2026-03")]
    assert ranges([]) == []


def test_a_failed_run_is_an_error_with_its_cause() -> None:
    good = RunReport("a" * 36, "2025-01", "2025-12", succeeded=True, seconds=1.0)
    raise_failure([good])
    with pytest.raises(ServiceError, match=r"2026-01 to 2026-03 failed: the vendor was away"):
        raise_failure(
            [good, RunReport("b" * 36, "2026-01", "2026-03", succeeded=False, seconds=1.0, causes=("the vendor was away",))]
        )


@pytest.mark.usefixtures("own_database")
def test_a_dry_run_of_the_free_source_needs_no_credits_and_changes_nothing(database: Database) -> None:
    result = CliRunner().invoke(create_app(), ["backfill", "--from", "2025-01", "--to", "2026-06", "--dry-run", "--json"])
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)["plan"]
    assert (plan["months"], plan["chunks"], plan["credits"], plan["minutes"]) == (18, 2, 0, 0)


@pytest.mark.usefixtures("own_database")
def test_the_plan_says_that_deleted_candles_are_derived_again(database: Database) -> None:
    with database.transaction() as connection:
        for month in ("2025-03", "2025-04", "2026-01"):
            pruned_candles.mark(
                connection, symbol=SIMULATED_SYMBOL, timeframe=Timeframe.M5, month=month, rows=1, now=datetime.now(UTC)
            )
    asked = ["backfill", "--from", "2025-01", "--to", "2025-06", "--dry-run"]
    told, shown, other = (
        CliRunner().invoke(create_app(), [*asked, *more]).stdout for more in (["--json"], [], ["--assets", "setups", "--json"])
    )
    assert json.loads(told)["pruned_months"] == ["2025-03", "2025-04"]
    assert "of 2 months are derived again" in shown
    assert json.loads(other)["pruned_months"] == []


@pytest.mark.usefixtures("own_database")
def test_a_dry_run_with_a_key_counts_the_pages_it_would_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_TWELVEDATA_API_KEY", "a-key-that-is-never-sent")
    result = CliRunner().invoke(create_app(), ["backfill", "--from", "2026-01", "--to", "2026-03", "--dry-run", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    # 90 days of 288 five-minute slots are 25,920; a page of at most 5,000 slots makes six calls, windows skip closed time.
    assert report["source"] == "twelvedata:mid"
    assert 5 <= report["plan"]["credits"] <= 12
    assert report["plan"]["minutes"] == -(-report["plan"]["credits"] // 8)
    assert "a-key-that" not in result.output


@pytest.mark.daemon
def test_a_backfill_fills_the_graph_and_what_follows_and_missing_finds_what_was_lost(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I19, the first time with the real command in a process of its own."""
    monkeypatch.setenv("GOLDSIGNAL_BASE_TIMEFRAME", "H1")
    command = [sys.executable, "-m", "goldsignal_pipeline.cli", "backfill", "--from", "2026-01", "--to", "2026-02", "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "DEBUG" not in finished.stderr
    assert "plan" in finished.stderr, "told before anything is run"
    first = json.loads(finished.stdout)
    # The month after the newest candle is part of the record: trades of February may end in it.
    assert runs_of(first) == [("2026-01", "2026-02"), ("2026-03", "2026-03")]
    assert {held["asset"] for held in first["held"]} == {*ASSETS}
    assert behind_of(own_database) == []
    held = state(own_database)
    assert held["candles"][0] > 1_000
    assert held["setups"][0] > 10
    assert runs_of(backfill("--from", "2026-01", "--to", "2026-02")) == [("2026-01", "2026-02")]
    assert state(own_database) == held
    assert backfill("--missing")["months"] == []

    # January's first candles close over December's last bars, and what reads January follows.
    assert runs_of(backfill("--from", "2025-12", "--to", "2025-12")) == [("2025-12", "2025-12"), ("2026-01", "2026-03")]
    assert behind_of(own_database) == []
    forget(own_database, asset="backtest_trades", month="2026-01")
    planned = backfill("--missing", "--dry-run")
    assert planned["months"] == ["2026-01", "2026-02", "2026-03"]
    assert {"symbol": "XAUUSD-SIM", "asset": "backtest_trades", "months": {"2026-01": "missing"}} in planned["behind"]
    assert backfill("--missing", "--to", "2025-12")["months"] == []
    assert runs_of(backfill("--missing", "--assets", "backtest_trades")) == [("2026-01", "2026-01")]
    assert backfill("--missing")["months"] == [], "the trades are the same, so nothing follows"


def backfill(*arguments: str) -> dict[str, Any]:
    """What the command says."""
    result = CliRunner().invoke(create_app(), ["backfill", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def runs_of(told: dict[str, Any]) -> list[tuple[str, str]]:
    assert all(run["succeeded"] for run in told["runs"])
    return [(run["first_month"], run["last_month"]) for run in told["runs"]]


def behind_of(url: str) -> list[Behind]:
    database = Database(url)
    found = everything_behind(database, Basis.of(Settings(base_timeframe=Timeframe.H1), now=datetime.now(UTC)))
    database.dispose()
    return found


def forget(url: str, *, asset: str, month: str) -> None:
    database = Database(url)
    with database.transaction() as connection:
        connection.execute(
            text("DELETE FROM partition_digests WHERE asset = :asset AND month = :month"), {"asset": asset, "month": month}
        )
    database.dispose()


def state(url: str) -> dict[str, tuple[int, str]]:
    """Rows of every table and a digest of them, but for the run that wrote them."""
    database = Database(url)
    with database.transaction(read_only=True) as connection:
        found = {table: connection.execute(text(_STATE.format(table))).one() for table in _TABLES}
    database.dispose()
    return {table: (int(count), str(digest)) for table, (count, digest) in found.items()}
