from __future__ import annotations

import pandas as pd
import pytest

from goldsignal_pipeline.simulation.closed_trades import TRADE_DTYPES
from goldsignal_pipeline.simulation.metrics import METRIC_COLUMNS
from goldsignal_pipeline.storage import backtests, keyed_rows, performance
from goldsignal_pipeline.storage.backtests import BACKTEST_RESULTS, BACKTEST_TRADES, TRADE_METRICS
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.keyed_rows import Scope
from goldsignal_pipeline.storage.performance import STRATEGY_PERFORMANCE
from goldsignal_pipeline_tests.storage import graph_rows
from goldsignal_pipeline_tests.storage.graph_rows import FEBRUARY, JANUARY, SYMBOL

SPAN = {"symbol": SYMBOL, "start": JANUARY, "end": FEBRUARY}


@pytest.fixture
def filled(database: Database) -> Database:
    """A database with trades, results and performance."""
    rows = (
        (BACKTEST_TRADES, "resolved_at", graph_rows.trades(40)),
        (BACKTEST_RESULTS, "day", graph_rows.results(20)),
        (STRATEGY_PERFORMANCE, "day", graph_rows.performance(20)),
    )
    with database.transaction() as connection:
        graph_rows.register(connection)
        for shape, time, frame in rows:
            scope = Scope({"symbol": SYMBOL}, time, JANUARY, FEBRUARY)
            keyed_rows.replace(connection, shape, scope, frame.assign(run_id="r"))
    return database


def test_closed_trades_come_back_as_the_core_has_them_missed_ones_included(filled: Database) -> None:
    with filled.transaction() as connection:
        read = backtests.read_trades(connection, **SPAN)
    expected = graph_rows.trades(40).sort_values(["resolved_at", "strategy"], ignore_index=True)
    pd.testing.assert_frame_equal(read, expected[list(TRADE_DTYPES)], check_exact=True)
    assert set(read["result"]) == {"missed", "sl_hit"}


def test_the_columns_of_trades_and_metrics_are_those_of_the_core() -> None:
    assert set(BACKTEST_TRADES.columns) - {"symbol", "strategy_version", "run_id"} == set(TRADE_DTYPES)
    assert tuple(TRADE_METRICS) == METRIC_COLUMNS


def test_results_and_performance_come_back_by_strategy_day_and_window(filled: Database) -> None:
    with filled.transaction() as connection:
        results, live = backtests.read_results(connection, **SPAN), performance.read_performance(connection, **SPAN)
    pd.testing.assert_frame_equal(results, graph_rows.results(20)[list(results.columns)], check_exact=True)
    pd.testing.assert_frame_equal(live, graph_rows.performance(20)[list(live.columns)], check_exact=True)


def test_evidence_is_the_longest_window_of_complete_days_only(filled: Database) -> None:
    spoiled = graph_rows.results(20)
    spoiled.loc[spoiled["day"] == pd.Timestamp("2026-01-09"), "complete"] = False
    with filled.transaction() as connection:
        scope = Scope({"symbol": SYMBOL}, "day", JANUARY, FEBRUARY)
        keyed_rows.replace(connection, BACKTEST_RESULTS, scope, spoiled.assign(run_id="r"))
        read = backtests.read_evidence(connection, **SPAN)
    assert len(read) == 19
    assert set(read["window_days"]) == {365}
    assert pd.Timestamp("2026-01-09") not in set(read["day"])
