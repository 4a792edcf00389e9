"""I5, I8, I9, I13, I15 and I19 on PostgreSQL, for histories that hypothesis makes: holes, bars that come late or are told anew,
and months computed in any chunks and order.

One history costs some seconds, so one test asks everything of it; each question is a function with the invariant's number.
`make prove` (PROVE=1) asks it of more of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, example, given, settings

from goldsignal_pipeline.assets.parity import prove_parity
from goldsignal_pipeline.cli.prove.comparison import contents_of, first_unequal
from goldsignal_pipeline.cli.prove.graph import run_graph, run_missing
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.graph_record import GRACE, MONTHS, NOW, OBSERVED, SETTINGS, SYMBOL, rows, run
from goldsignal_pipeline_tests.acceptance.histories import (
    TOLD_ANEW,
    History,
    Hole,
    Revision,
    bars_of,
    first_telling,
    histories,
    observe,
    second_telling,
)
from goldsignal_pipeline_tests.postgres import Server, migrated_database

EXAMPLES = 25 if os.environ.get("PROVE") else 2
BUSY = History(
    7,
    (Hole(300, 12, True), Hole(700, 30, False), Hole(1450, 5, True)),
    (Revision(310, 120), Revision(1200, -80), Revision(1500, 45)),
    (MONTHS[2:], MONTHS[1:2], MONTHS[:1]),
    OBSERVED - timedelta(days=8, hours=18),
)
"""Has signals, and months that are computed before those they read.

Seven setups confirm in the day before its cut, so that I5 finds setups that look a day ahead.
"""
TABLES_WITH_RUNS = (
    "setups",
    "backtest_trades",
    "backtest_results",
    "gate_decisions",
    "signals",
    "signal_events",
    "outcomes",
    "strategy_performance",
)
KEY = "symbol, timeframe, strategy, direction, timestamp"


@contextmanager
def lived(server: Server, history: History) -> Iterator[Database]:
    """The months in the order of the history, the second telling, and then what is missing."""
    with migrated_database(server) as database:
        observe(database, first_telling(history), now=OBSERVED)
        for months in history.chunks:
            run_graph(run(database), months)
        observe(database, second_telling(history), now=TOLD_ANEW)
        run_missing(run(database), symbol=SYMBOL)
        yield database


@contextmanager
def single_pass(server: Server, history: History) -> Iterator[Database]:
    """The same observations, computed once."""
    with migrated_database(server) as database:
        observe(database, first_telling(history), now=OBSERVED)
        observe(database, second_telling(history), now=TOLD_ANEW)
        run_graph(run(database), MONTHS)
        yield database


def assert_i5_a_decision_reads_nothing_that_closed_later(server: Server, history: History, whole: Database) -> None:
    """Without the bars that closed after an instant, setups and verdicts up to it are the same, byte for byte."""
    columns = {"setups": "confirmed_at", "gate_decisions": "decided_for"}
    with migrated_database(server) as database:
        for told, now in ((first_telling(history), OBSERVED), (second_telling(history), TOLD_ANEW)):
            observe(database, told[told["timestamp"] + timedelta(hours=1) <= history.cut], now=now)
        months = [month for month in MONTHS if month <= f"{history.cut:%Y-%m}"]
        run_graph(run(database, now=history.cut + GRACE), months)
        for table, column in columns.items():
            query = f"SELECT (to_jsonb(own) - 'run_id')::text FROM {table} AS own WHERE {column} <= :cut ORDER BY {column}, {KEY}"
            assert rows(database, query, cut=history.cut) == rows(whole, query, cut=history.cut), table


def assert_i9_a_signal_is_there_once_and_ends_once_after_its_entry(database: Database) -> None:
    for broken in (
        f"SELECT 1 FROM signals GROUP BY {KEY} HAVING count(*) > 1",
        f"SELECT 1 FROM outcomes GROUP BY {KEY} HAVING count(*) > 1",
        f"SELECT 1 FROM signal_events WHERE kind IN ('published', 'closed') GROUP BY {KEY}, kind HAVING count(*) > 1",
        f"SELECT 1 FROM outcomes LEFT JOIN signals USING ({KEY}) WHERE signals.symbol IS NULL",
        "SELECT 1 FROM outcomes WHERE entered_at <= timestamp OR resolved_at <= entered_at",
        f"SELECT {KEY} FROM outcomes EXCEPT SELECT {KEY} FROM signal_events WHERE kind = 'closed'",
    ):
        assert rows(database, broken) == [], broken


def assert_i13_results_of_a_day_are_those_of_its_trades_from_scratch(database: Database) -> None:
    """The count and the expectancy of every day and window, once more by one statement over the stored trades."""
    broken = """
        SELECT own.day, own.strategy, own.window_days, own.trades, again.trades, own.expectancy, again.expectancy
        FROM backtest_results AS own CROSS JOIN LATERAL (
            SELECT count(*) AS trades, avg(net / risk) AS expectancy FROM backtest_trades AS trade
            WHERE (trade.symbol, trade.strategy, trade.timeframe) = (own.symbol, own.strategy, own.timeframe)
              AND result <> 'missed' AND resolved_at < own.day::timestamp AT TIME ZONE 'UTC'
              AND resolved_at >= (own.day - own.window_days)::timestamp AT TIME ZONE 'UTC'
        ) AS again
        WHERE own.trades <> again.trades OR abs(own.expectancy - again.expectancy) > 0.0001
    """
    assert rows(database, broken) == []


def assert_i15_an_outcome_is_the_trade_of_the_backtest(database: Database) -> None:
    broken = f"""
        SELECT {KEY} FROM outcomes LEFT JOIN backtest_trades AS trade USING ({KEY})
        WHERE (outcomes.result, outcomes.entered_at, outcomes.fill_price, outcomes.first_exit_at, outcomes.second_exit_price,
               outcomes.resolved_at, outcomes.net_usd, outcomes.net_r, outcomes.bars_held, outcomes.ambiguous)
            IS DISTINCT FROM (trade.result, trade.entry_at, trade.entry_fill, trade.first_exit_at, trade.second_fill,
               trade.resolved_at, trade.net, trade.net_r, trade.bars_held, trade.ambiguous)
    """
    assert rows(database, broken) == []


def assert_i19_a_second_run_changes_nothing(database: Database) -> None:
    """No row is other than it was, and none was written again."""
    before = contents_of(database)
    run_graph(run(database, run_id="again"), MONTHS)
    assert contents_of(database) == before
    for table in TABLES_WITH_RUNS:
        assert rows(database, f"SELECT count(*) FROM {table} WHERE run_id = 'again'") == [(0,)], table


@settings(max_examples=EXAMPLES, deadline=None, derandomize=not os.environ.get("PROVE"), suppress_health_check=list(HealthCheck))
@given(history=histories())
@example(history=BUSY)
def test_i5_i8_i9_i13_i15_i19_hold_on_any_history(postgres_server: Server, history: History) -> None:
    with lived(postgres_server, history) as piecemeal, single_pass(postgres_server, history) as whole:
        # I8: any order, size and number of ranges gives equal rows once nothing is behind.
        assert first_unequal(whole, contents_of(whole), piecemeal) is None
        assert_i5_a_decision_reads_nothing_that_closed_later(postgres_server, history, whole)
        assert_i9_a_signal_is_there_once_and_ends_once_after_its_entry(piecemeal)
        assert_i13_results_of_a_day_are_those_of_its_trades_from_scratch(piecemeal)
        assert_i15_an_outcome_is_the_trade_of_the_backtest(piecemeal)
        # I13 and I15 again, by the backtest path over everything.
        report = prove_parity(piecemeal, SETTINGS, symbol=SYMBOL, now=NOW)
        assert report.passed, report.differing
        assert_i19_a_second_run_changes_nothing(whole)


def test_i8_a_month_that_is_over_ends_there_although_its_last_bars_are_missing(postgres_server: Server) -> None:
    """In one range with the running month it would otherwise wait for bars that the same month alone does not wait for."""
    told = bars_of(BUSY)
    told = told[told["timestamp"] < datetime(2022, 7, 28, 12, tzinfo=UTC)]
    now = datetime(2022, 8, 3, 9, tzinfo=UTC)
    months = MONTHS[: MONTHS.index("2022-08") + 1]
    with migrated_database(postgres_server) as whole, migrated_database(postgres_server) as piecemeal:
        for database, chunks in {whole: [months], piecemeal: [months[:-1], months[-1:]]}.items():
            observe(database, told, now=now)
            for chunk in chunks:
                run_graph(run(database, now=now), chunk)
        assert first_unequal(whole, contents_of(whole), piecemeal) is None
        assert ("2022-07",) in rows(whole, "SELECT month FROM gate_states")


def test_the_busy_history_has_what_the_invariants_speak_of(postgres_server: Server) -> None:
    """Otherwise they would hold of nothing."""
    assert len(first_telling(BUSY)) < len(bars_of(BUSY))
    assert len(second_telling(BUSY)) > len(BUSY.revisions)
    with single_pass(postgres_server, BUSY) as database:
        for table, fewest in {"setups": 100, "backtest_trades": 50, "gate_decisions": 50, "signals": 3, "outcomes": 3}.items():
            assert rows(database, f"SELECT count(*) FROM {table}")[0][0] >= fewest, table
