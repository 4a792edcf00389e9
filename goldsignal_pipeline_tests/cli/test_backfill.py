"""`goldsignal backfill`: the plan before, one run per twelve months, the cause when one fails."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.assets.derive import Rules, stale_months
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.backfill import chosen_assets, months_asked, raise_failure
from goldsignal_pipeline.cli.launch import RunReport
from goldsignal_pipeline.cli.months import ranges
from goldsignal_pipeline.errors import ServiceError, UsageError
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.storage.database import Database

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


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
    assert chosen_assets(None)[:2] == ["raw_candles", "candles"]
    with pytest.raises(UsageError, match="Did you mean raw_candles"):
        chosen_assets("raw_candle")


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
def test_backfill_fetches_and_derives_simulated_months_and_a_second_run_changes_nothing(own_database: str) -> None:
    """I19, with the real command in a process of its own."""
    command = [sys.executable, "-m", "goldsignal_pipeline.cli", "backfill", "--from", "2026-01", "--to", "2026-02"]
    first = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert [(run["first_month"], run["last_month"], run["succeeded"]) for run in report["runs"]] == [("2026-01", "2026-02", True)]
    held = _state(own_database)
    assert held[0] > 10_000
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert "done" in second.stdout
    assert "DEBUG" not in second.stderr
    assert _state(own_database) == held
    assert not _stale(own_database)
    earlier = [*command[:-4], "--from", "2025-12", "--to", "2025-12", "--json"]
    third = subprocess.run(earlier, capture_output=True, text=True, check=False)
    assert third.returncode == 0, third.stderr
    # January's first candles close over December's last bars, so January is derived again with it.
    assert [run["first_month"] for run in json.loads(third.stdout)["runs"]] == ["2025-12", "2026-01"]
    assert not _stale(own_database)


def _stale(url: str) -> list[str]:
    database = Database(url)
    with database.transaction(read_only=True) as connection:
        rules = Rules(load_calendar(), timedelta(seconds=120), ())
        stale = stale_months(connection, symbol="XAUUSD-SIM", rules=rules)
    database.dispose()
    return stale


def _state(url: str) -> tuple[int, str]:
    database = Database(url)
    with database.transaction(read_only=True) as connection:
        row = connection.execute(text("SELECT count(*), md5(string_agg(c::text, '' ORDER BY c::text)) FROM candles AS c")).one()
    database.dispose()
    return int(row[0]), str(row[1])
