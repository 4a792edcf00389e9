"""Every rule of the graph holds on a filled graph, fails on a spoiled row and names it, and blocks exactly where it says so."""

from __future__ import annotations

import dagster as dg
import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets.partitioning import months
from goldsignal_pipeline.checks import (
    backtest_results,
    backtest_trades,
    outcomes,
    setups,
    signals,
    strategy_performance,
)
from goldsignal_pipeline.checks.findings import rule_findings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.conftest import Materialize, materialize  # noqa: F401  (a fixture)
from goldsignal_pipeline_tests.graph import MONTHS, NOW, rolled_back

RULES = {
    **setups.RULES,
    **backtest_trades.RULES,
    **backtest_results.RULES,
    **signals.RULES,
    **outcomes.RULES,
    **strategy_performance.RULES,
}
KEY = "symbol, timeframe, strategy, direction, timestamp"


def newest(table: str, *, where: str, time: str) -> str:
    """The condition that picks the newest row of a table, by key."""
    return f"({KEY}) = (SELECT {KEY} FROM {table} WHERE {where} ORDER BY {time} DESC LIMIT 1)"


A_SETUP = newest("setups", where="kind = 'setup'", time="timestamp")
A_TRADE = newest("backtest_trades", where="result <> 'missed'", time="resolved_at")
A_SIGNAL = newest("outcomes", where="result <> 'missed'", time="resolved_at")
A_RESULT = "day = '2026-03-01' AND window_days = 365 AND strategy = 'ema_momentum'"
A_DAY = "day = '2026-03-01' AND window_days = 90 AND strategy = 'ema_momentum'"
FREE = {
    "setups": "ALTER TABLE setups DROP CONSTRAINT ck_setups_levels, DROP CONSTRAINT ck_setups_planned_risk",
    "signals": "ALTER TABLE signals DROP CONSTRAINT ck_signals_levels, DROP CONSTRAINT ck_signals_planned_risk",
}
SPOILED: dict[str, tuple[str, ...]] = {
    "setup_levels_are_in_order": (FREE["setups"], f"UPDATE setups SET stop = take_profit_1 WHERE {A_SETUP}"),
    "setup_keys_are_unique": (
        "ALTER TABLE setups DROP CONSTRAINT pk_setups",
        f"INSERT INTO setups SELECT * FROM setups WHERE {A_SETUP}",
    ),
    "no_setup_from_the_future": (
        "UPDATE candles SET close = low, high = greatest(high, open) WHERE timeframe = 'H1' AND close > low"
        f" AND timestamp = (SELECT timestamp FROM setups WHERE {A_SETUP})",
    ),
    "trades_belong_to_setups": (f"DELETE FROM setups WHERE {A_TRADE}",),
    "trade_keys_are_unique": (
        "ALTER TABLE backtest_trades DROP CONSTRAINT pk_backtest_trades",
        f"INSERT INTO backtest_trades SELECT * FROM backtest_trades WHERE {A_TRADE}",
    ),
    "trades_end_after_they_begin": (
        "ALTER TABLE backtest_trades DROP CONSTRAINT ck_backtest_trades_time_order",
        f"UPDATE backtest_trades SET entry_at = confirmed_at - interval '1 hour' WHERE {A_TRADE}",
    ),
    "trade_results_add_up": (f"UPDATE backtest_trades SET net_r = net_r + 0.1 WHERE {A_TRADE}",),
    "result_windows_hold_only_closed_trades": (f"UPDATE backtest_results SET trades = trades + 1 WHERE {A_RESULT}",),
    "result_rates_are_within_bounds": (f"UPDATE backtest_results SET win_rate = 1.5 WHERE {A_RESULT}",),
    "no_result_from_the_future": (f"UPDATE backtest_results SET day = '2026-03-25' WHERE {A_RESULT}",),
    "signal_levels_are_in_order": (FREE["signals"], f"UPDATE signals SET stop = take_profit_2 WHERE {A_SIGNAL}"),
    "signal_keys_are_unique": (
        "ALTER TABLE signals DROP CONSTRAINT pk_signals CASCADE",
        f"INSERT INTO signals SELECT * FROM signals WHERE {A_SIGNAL}",
    ),
    "no_decision_from_the_future": (
        "UPDATE gate_decisions SET origin = 'live', known_at = '2026-04-01Z'"
        " WHERE decided_for = (SELECT max(decided_for) FROM gate_decisions)",
    ),
    "every_setup_has_a_verdict": (
        "DELETE FROM gate_decisions WHERE decided_for = (SELECT max(decided_for) FROM gate_decisions)",
    ),
    "verdicts_and_signals_agree": (f"DELETE FROM signals WHERE {A_SIGNAL}",),
    "published_signals_follow_from_candles": (
        "ALTER TABLE signals DISABLE TRIGGER USER",
        "UPDATE signals SET origin = 'live', known_at = confirmed_at,"
        f" take_profit_2 = take_profit_2 + 0.01 * sign(take_profit_2 - reference) WHERE {A_SIGNAL}",
    ),
    "one_outcome_per_signal": (
        "ALTER TABLE outcomes DROP CONSTRAINT pk_outcomes",
        f"INSERT INTO outcomes SELECT * FROM outcomes WHERE {A_SIGNAL}",
    ),
    "no_outcome_before_entry": (f"UPDATE outcomes SET entered_at = timestamp WHERE {A_SIGNAL}",),
    "outcome_bounds_hold": (
        "ALTER TABLE outcomes DROP CONSTRAINT ck_outcomes_bounds",
        f"UPDATE outcomes SET net_r = best_r + 1 WHERE {A_SIGNAL}",
    ),
    "every_end_is_told": (f"DELETE FROM signal_events WHERE kind = 'closed' AND {A_SIGNAL}",),
    "performance_windows_hold_only_outcomes": (f"UPDATE strategy_performance SET trades = trades + 1 WHERE {A_DAY}",),
    "performance_rates_are_within_bounds": (f"UPDATE strategy_performance SET exposure = 1.5 WHERE {A_DAY}",),
    "health_moves_by_one_step": (f"UPDATE strategy_performance SET state = 'probation' WHERE {A_DAY}",),
}


def test_every_rule_has_a_row_that_spoils_it() -> None:
    assert SPOILED.keys() == RULES.keys()


def test_a_filled_graph_breaks_no_rule_and_holds_rows_that_could(filled_graph: Database) -> None:
    with filled_graph.transaction(read_only=True) as connection:
        findings = rule_findings(connection, RULES, months=MONTHS, now=NOW)
        held = {
            table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("setups", "backtest_trades", "backtest_results", "signals", "outcomes", "strategy_performance")
        }
        composites = connection.execute(text("SELECT count(*), count(composite_score) FROM signals")).one()
    assert composites[0] == composites[1], "every signal is published with the composite beside its rank"
    assert {name: finding.rows for name, finding in findings.items() if finding.count} == {}
    assert all(held.values()), held


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_the_row_that_breaks_it(filled_graph: Database, name: str) -> None:
    with rolled_back(filled_graph) as connection:
        for statement in SPOILED[name]:
            changed = connection.execute(text(statement))
            assert statement.startswith("ALTER") or changed.rowcount, "nothing was spoiled"
        finding = rule_findings(connection, {name: RULES[name]}, months=MONTHS, now=NOW)[name]
    assert finding.count >= 1
    assert finding.table().records


@pytest.mark.parametrize("name", RULES)
def test_rows_outside_the_months_of_the_run_are_not_looked_at(filled_graph: Database, name: str) -> None:
    with rolled_back(filled_graph) as connection:
        for statement in SPOILED[name]:
            connection.execute(text(statement))
        finding = rule_findings(connection, {name: RULES[name]}, months=["2025-06"], now=NOW)[name]
    assert finding.count == 0


def test_a_broken_rule_that_blocks_stops_the_run_and_a_warning_does_not(
    graph_database: Database,
    materialize: Materialize,  # noqa: F811  (the fixture above)
) -> None:
    @dg.asset(partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run(), name="signals")
    def faulty_signals() -> None:
        with graph_database.transaction() as connection:
            for statement in SPOILED["verdicts_and_signals_agree"]:
                connection.execute(text(statement))

    @dg.asset(partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run(), deps=["signals"], name="outcomes")
    def following() -> None:
        return None

    selection = [faulty_signals, signals.signals_rules, following]
    result = materialize("2026-03", "2026-03", now=NOW, selection=selection, other_database=graph_database)
    assert not result.success
    started = {event.step_key for event in result.filter_events(lambda event: event.event_type_value == "STEP_START")}
    assert started == {"signals", "signals_rules"}
