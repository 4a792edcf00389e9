"""First data: the whole graph over the days asked for, once; a second start asks only for what came since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from sqlalchemy import text

from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.assets.partitions import month_of
from goldsignal_pipeline.assets.staleness import Basis, everything_behind
from goldsignal_pipeline.cli.fill import fill, first_month
from goldsignal_pipeline.cli.overview import NO_EDGE, read_overview, render_overview
from goldsignal_pipeline.cli.services.addresses import prepare_own_database
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.providers.files import read_file
from goldsignal_pipeline.settings import Settings, load_settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.support import rows
from goldsignal_pipeline_tests.cli.market_files import write_csv
from goldsignal_pipeline_tests.graph import SYMBOL

DAYS = 40


def test_two_years_are_filled_unless_told_otherwise() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    assert first_month(Settings(), now=now) == "2024-11"
    assert first_month(Settings(simulation_days=DAYS), now=now) == "2026-10"


@pytest.mark.daemon
def test_a_first_start_fills_the_graph_and_a_second_only_what_came_since(
    own_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("GOLDSIGNAL_BASE_TIMEFRAME", "H1")
    monkeypatch.setenv("GOLDSIGNAL_SIMULATION_DAYS", str(DAYS))
    prepare_own_database(own_database)
    said: list[str] = []
    told = fill(load_settings(), said.append)
    assert told["complete"]
    assert told["candles"] > 400
    assert {row["strategy"] for row in told["overview"]["strategies"]} >= {"ema_momentum", "liquidity_sweep"}
    assert not [line for line in said if "Caught up" in line], "a first start catches nothing up"
    assert_nothing_behind(own_database)

    write_csv(tmp_path / "gold.csv", days=3)
    import_file(own_database, tmp_path / "gold.csv")
    said.clear()
    again = fill(load_settings(), said.append)
    assert again["candles"] >= told["candles"]
    fetched = [line for line in said if line.startswith("Filling")]
    running = month_of(datetime.now(UTC))
    assert all(line.endswith(f"{running} to {running}") for line in fetched), (
        "only the running month, if an hour has closed since"
    )
    assert len([line for line in said if "2026-03 to 2026-0" in line]) == 1, "what was imported in between is computed"
    assert_nothing_behind(own_database)
    assert rows_of(own_database, "SELECT count(*) > 50 FROM candles WHERE symbol = 'XAUUSD'") == [(True,)]


def assert_nothing_behind(url: str) -> None:
    database = Database(url)
    found = everything_behind(database, Basis.of(Settings(base_timeframe="H1"), now=datetime.now(UTC)))
    database.dispose()
    assert found == []


def rows_of(url: str, query: str) -> list[tuple]:
    database = Database(url)
    found = rows(database, query)
    database.dispose()
    return found


def import_file(url: str, path: Any) -> None:
    database = Database(url)
    ingest(
        database,
        symbol=REAL_SYMBOL,
        deliveries=read_file(path, calendar=load_calendar()).deliveries,
        calendar=load_calendar(),
        now=datetime.now(UTC),
        grace=timedelta(seconds=120),
        run_id=None,
    )
    database.dispose()


def test_the_overview_shows_what_is_open_what_ended_and_how_each_strategy_did(graph_database: Database) -> None:
    with graph_database.transaction() as connection:
        connection.execute(text("DELETE FROM signal_events WHERE kind IN ('closed', 'corrected') AND at > '2026-03-10'"))
    overview = read_overview(graph_database, symbol=SYMBOL)
    active = rows(graph_database, "SELECT count(*) FROM signal_states WHERE status = 'active'")
    assert len(overview["open_signals"]) == active[0][0] > 0
    newest = rows(graph_database, "SELECT result, net_r FROM outcomes ORDER BY resolved_at DESC, strategy LIMIT 5")
    shown = [(row["result"], row["net_r"]) for row in overview["newest_outcomes"]]
    assert shown == [(result, None if net is None else float(net)) for result, net in newest]
    tested = rows(
        graph_database,
        "SELECT strategy, trades FROM backtest_results WHERE window_days = 365 AND day = '2026-03-20' ORDER BY strategy",
    )
    assert [(row["strategy"], row["tested_trades"]) for row in overview["strategies"]] == tested

    written = StringIO()
    render_overview(Console(file=written, width=140), overview, zone=ZoneInfo("America/New_York"), symbol=SYMBOL)
    assert NO_EDGE in written.getvalue()
    assert "confirmed at (America/New_York)" in written.getvalue()
    assert f"open signals of {SYMBOL}" in written.getvalue()


def test_an_empty_record_says_that_nothing_is_open(database: Database) -> None:
    overview = read_overview(database, symbol=SYMBOL)
    written = StringIO()
    render_overview(Console(file=written, width=140), overview, zone=ZoneInfo("UTC"), symbol=SYMBOL)
    assert written.getvalue() == f"No signal of {SYMBOL} is open.\n"
