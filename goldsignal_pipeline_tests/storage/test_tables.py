from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Float, Numeric, insert, text

from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.degradation import Health
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate import GateReason
from goldsignal_pipeline.simulation import kernel, rolling
from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline.storage.tables import METADATA, words
from goldsignal_pipeline.strategies import judging
from goldsignal_pipeline_tests.sql.sample_rows import AT, SAMPLES

TABLES = {table.name: table for table in METADATA.sorted_tables}
COLUMNS = [column for table in METADATA.sorted_tables for column in table.columns]


def execute(connection: Connection, *statements: str) -> Any:
    """Run statements one after another; the result of the last."""
    return [connection.execute(text(statement)) for statement in statements][-1]


def add(connection: Connection, *names: str, **changed: Any) -> None:
    """Insert the sample rows of `names`, the last one with `changed` columns."""
    for name in names[:-1]:
        connection.execute(insert(TABLES[name]).values(**SAMPLES[name]))
    connection.execute(insert(TABLES[names[-1]]).values(**(SAMPLES[names[-1]] | changed)))


def test_every_table_and_every_column_says_what_it_holds() -> None:
    assert [table.name for table in METADATA.sorted_tables if not table.comment] == []
    assert [str(column) for column in COLUMNS if not column.comment] == []


def test_the_database_holds_those_comments_and_those_of_views_and_functions(database: Database) -> None:
    bare = text(
        "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " AND NOT a.attisdropped"
        " WHERE c.relnamespace = 'goldsignal'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'"
        " AND col_description(c.oid, a.attnum) IS NULL"
        " UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'goldsignal'::regnamespace"
        " AND relkind IN ('r', 'v') AND relname <> 'alembic_version' AND obj_description(oid, 'pg_class') IS NULL"
        " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'goldsignal'::regnamespace"
        " AND obj_description(oid, 'pg_proc') IS NULL"
    )
    with database.transaction() as connection:
        assert connection.execute(bare).scalars().all() == []


def test_no_column_is_a_float(database: Database) -> None:
    assert [str(column) for column in COLUMNS if isinstance(column.type, Float)] == []
    query = text(
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'goldsignal' AND data_type IN ('real', 'double precision')"
    )
    with database.transaction() as connection:
        assert connection.execute(query).scalars().all() == []


def test_numbers_have_the_specified_precision() -> None:
    used = {(column.type.precision, column.type.scale) for column in COLUMNS if isinstance(column.type, Numeric)}
    assert used == {(10, 2), (10, 4), (15, 2)}


def test_every_instant_knows_its_zone(database: Database) -> None:
    query = text(
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'goldsignal' AND data_type = 'timestamp without time zone'"
    )
    with database.transaction() as connection:
        assert connection.execute(query).scalars().all() == []


NO_LEVELS = dict.fromkeys(("stop", "take_profit_1", "take_profit_2", "planned_risk"))
EXITS = [f"{leg}_{what}" for leg in ("first", "second") for what in ("exit", "exit_at", "fill")]
MONEY = ["gross", "swap", "cost", "net", "worst", "best", "gross_r", "cost_r", "net_r", "worst_r", "best_r"]
MISSED = {
    **dict.fromkeys([*EXITS, *MONEY]),
    "result": "missed",
    "missed_because": "too_far",
    "counterfactual_net": Decimal(1),
    "counterfactual_r": Decimal("0.1"),
}


def test_a_missed_trade_has_no_exits_and_no_money_but_says_what_it_would_have_made(database: Database) -> None:
    with database.transaction() as connection:
        add(connection, "backtest_trades", **MISSED)


@pytest.mark.parametrize(
    ("names", "changed", "broken"),
    [
        (["candles"], {"low": Decimal("4000.20")}, "ck_candles_price_order"),
        (["candles"], {"high": Decimal("4000.00")}, "ck_candles_price_order"),
        (["candles"], {"low": Decimal(0)}, "ck_candles_price_order"),
        (["candles"], {"timeframe": "M7"}, "ck_candles_timeframe"),
        (["candles"], {"base_bars": 0}, "ck_candles_base_bars"),
        (["raw_candles"], {"low": Decimal(-1)}, "ck_raw_candles_price_order"),
        (["trading_day_parts"], {"missing_bars": 277}, "ck_trading_day_parts_counts"),
        (["trading_day_parts"], {"month": "2026-13"}, "ck_trading_day_parts_month"),
        (["operator_events"], {"severity": "loud"}, "ck_operator_events_severity"),
        (["strategies", "signals"], {"stop": Decimal(4001)}, "ck_signals_levels"),
        (["strategies", "signals"], {"direction": "SELL"}, "ck_signals_levels"),
        (["strategies", "signals"], {"planned_risk": Decimal(9)}, "ck_signals_planned_risk"),
        (["strategies", "signals"], {"known_at": None}, "ck_signals_known_at"),
        (["strategies", "signals"], {"deadline": SAMPLES["signals"]["timestamp"]}, "ck_signals_time_order"),
        (["strategies", "signals", "outcomes"], {"result": "missed"}, "ck_outcomes_missed"),
        (["strategies", "signals", "outcomes"], {"worst_r": Decimal(0)}, "ck_outcomes_bounds"),
        (
            ["strategies", "signals", "outcomes"],
            {"resolved_at": SAMPLES["outcomes"]["entered_at"] - timedelta(minutes=5)},
            "ck_outcomes_time_order",
        ),
        (["outcomes"], {}, "fk_outcomes_signals"),
        (["strategies", "signals"], {"risk_usd": Decimal(0)}, "ck_signals_risk_usd"),
        (["setups"], {"stop": Decimal(4001)}, "ck_setups_levels"),
        (["setups"], {"direction": "SELL"}, "ck_setups_levels"),
        (["setups"], {"take_profit_1": Decimal(4031)}, "ck_setups_levels"),
        (["setups"], {"planned_risk": Decimal(9)}, "ck_setups_planned_risk"),
        (["setups"], {"stop": None}, "ck_setups_levels_given"),
        (["setups"], {"kind": "near_miss"}, "ck_setups_levels_given"),
        (["setups"], {"refusal": "risk_too_small"}, "ck_setups_refused"),
        (["setups"], {"kind": "refused", **NO_LEVELS}, "ck_setups_refused"),
        (["setups"], {"kind": "refused", "refusal": "dull", **NO_LEVELS}, "ck_setups_refusal"),
        (["setups"], {"kind": "rumour"}, "ck_setups_kind"),
        (["setups"], {"confidence": 101}, "ck_setups_confidence"),
        (["setups"], {"regime": "calm"}, "ck_setups_regime"),
        (["setups"], {"timeframe": "H2"}, "ck_setups_timeframe"),
        (["setups"], {"confirmed_at": AT}, "ck_setups_time_order"),
        (["backtest_trades"], {"result": "missed"}, "ck_backtest_trades_filled"),
        (["backtest_trades"], {"second_fill": None}, "ck_backtest_trades_filled"),
        (["backtest_trades"], {"missed_because": "too_far"}, "ck_backtest_trades_missed"),
        (["backtest_trades"], {**MISSED, "missed_because": "asleep"}, "ck_backtest_trades_missed_because"),
        (["backtest_trades"], {"counterfactual_net": Decimal(1)}, "ck_backtest_trades_missed"),
        (["backtest_trades"], {**MISSED, "counterfactual_r": None}, "ck_backtest_trades_missed"),
        (["backtest_trades"], {**MISSED, "net": Decimal(1)}, "ck_backtest_trades_filled"),
        (["backtest_trades"], {"cost": Decimal("0.46")}, "ck_backtest_trades_net"),
        (["backtest_trades"], {"worst": Decimal("-10.44")}, "ck_backtest_trades_bounds"),
        (["backtest_trades"], {"best": Decimal("-10.46")}, "ck_backtest_trades_bounds"),
        (["backtest_trades"], {"risk": Decimal(0)}, "ck_backtest_trades_entry"),
        (["backtest_trades"], {"bars_held": -1}, "ck_backtest_trades_counts"),
        (["backtest_trades"], {"first_exit": "fright"}, "ck_backtest_trades_first_exit"),
        (["backtest_trades"], {"entry_at": AT}, "ck_backtest_trades_time_order"),
        (["backtest_trades"], {"resolved_at": AT + timedelta(minutes=119)}, "ck_backtest_trades_time_order"),
        (["backtest_trades"], {"second_exit_at": AT + timedelta(minutes=119)}, "ck_backtest_trades_time_order"),
        (["gate_decisions"], {"is_accepted": True}, "ck_gate_decisions_is_accepted"),
        (["gate_decisions"], {"reasons": []}, "ck_gate_decisions_is_accepted"),
        (["gate_decisions"], {"reasons": [], "is_accepted": True}, "ck_gate_decisions_standing"),
        (["gate_decisions"], {"reasons": ["degraded"]}, "ck_gate_decisions_is_shadow"),
        (["gate_decisions"], {"is_shadow": True}, "ck_gate_decisions_is_shadow"),
        (["gate_decisions"], {"reasons": ["a hunch"]}, "ck_gate_decisions_reasons"),
        (["gate_decisions"], {"origin": "live"}, "ck_gate_decisions_known_at"),
        (["gate_decisions"], {"known_at": AT + timedelta(hours=2)}, "ck_gate_decisions_known_at"),
        (["gate_decisions"], {"origin": "live", "known_at": AT}, "ck_gate_decisions_time_order"),
        (["gate_decisions"], {"rank": 0}, "ck_gate_decisions_rank"),
        (["gate_decisions"], {"size_ounces": Decimal(-1)}, "ck_gate_decisions_size"),
        (["signal_events"], {}, "fk_signal_events_signals"),
        (["strategies", "signals", "signal_events"], {"kind": "filled"}, "ck_signal_events_result"),
        (["strategies", "signals", "signal_events"], {"detail": {}}, "ck_signal_events_result"),
        (["strategies", "signals", "signal_events"], {"detail": {"result": "active"}}, "ck_signal_events_result"),
        (["strategies", "signals", "signal_events"], {"known_at": None}, "ck_signal_events_known_at"),
        (["strategies", "signals", "signal_events"], {"known_at": AT + timedelta(hours=1)}, "ck_signal_events_time_order"),
        (["strategies", "signals", "signal_events"], {"at": AT, "known_at": AT}, "ck_signal_events_time_order"),
        (["gate_states"], {"month": "2026-00"}, "ck_gate_states_month"),
        (["backtest_results"], {}, "fk_backtest_results_strategies"),
        (["strategies", "strategy_performance"], {"window_days": 8}, "ck_strategy_performance_window_days"),
    ],
)
def test_i1_i9_the_database_itself_refuses_what_must_never_be_stored(
    database: Database, names: list[str], changed: dict[str, Any], broken: str
) -> None:
    with pytest.raises(DatabaseError, match=broken), database.transaction() as connection:
        add(connection, *names, **changed)


def test_the_words_of_columns_are_those_of_the_core() -> None:
    assert tuple(Direction) == words.DIRECTIONS
    assert tuple(judging.Kind) == words.SETUP_KINDS
    assert tuple(judging.Refusal) == words.REFUSALS
    assert tuple(one.name.lower() for one in kernel.Result if one is not kernel.Result.OPEN) == words.RESULTS
    assert tuple(one.name.lower() for one in kernel.Miss if one is not kernel.Miss.NONE) == words.MISSES
    assert tuple(one.name.lower() for one in kernel.Exit if one is not kernel.Exit.NONE) == words.EXITS
    assert tuple(GateReason) == words.GATE_REASONS
    assert tuple(Evidence) == words.EVIDENCE
    assert tuple(Health) == words.STATES
    assert words.RESULT_WINDOWS_DAYS == rolling.RESULT_WINDOWS_DAYS


@pytest.mark.parametrize("name", ["candles", "raw_candles"])
def test_i2_one_row_per_natural_key(database: Database, name: str) -> None:
    with pytest.raises(DatabaseError, match=f"pk_{name}"), database.transaction() as connection:
        add(connection, name, name)


def test_i9_one_signal_and_one_outcome_per_natural_key(database: Database) -> None:
    with pytest.raises(DatabaseError, match="pk_signals"), database.transaction() as connection:
        add(connection, "strategies", "signals", "signals")
    with pytest.raises(DatabaseError, match="pk_outcomes"), database.transaction() as connection:
        add(connection, "strategies", "signals", "outcomes", "outcomes")


@pytest.mark.parametrize("name", ["setups", "backtest_trades", "gate_decisions"])
def test_one_row_per_key_of_a_setup(database: Database, name: str) -> None:
    with pytest.raises(DatabaseError, match=f"pk_{name}"), database.transaction() as connection:
        add(connection, name, name)


@pytest.mark.parametrize(
    ("name", "column"), [("raw_candles", "run_id"), ("operator_events", "run_id"), ("gate_events", "strategy")]
)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("role", ["goldsignal_writer", "postgres"])
def test_i3_append_only_tables_only_grow(database: Database, name: str, column: str, statement: str, role: str) -> None:
    with database.transaction() as connection:
        add(connection, name)
    refusal = pytest.raises(DatabaseError, match=r"only grows|permission denied")
    with refusal, database.transaction() as connection:
        execute(connection, f"SET LOCAL ROLE {role}", statement.format(f"goldsignal.{name}", column))
    with database.transaction() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM goldsignal.{name}")).scalar_one() == 1


@pytest.mark.parametrize("name", ["raw_candles", "operator_events", "gate_events"])
def test_i3_the_writer_has_no_right_to_more_than_adding(database: Database, name: str) -> None:
    query = text("SELECT has_table_privilege('goldsignal_writer', CAST(:name AS regclass), :right)")
    with database.transaction() as connection:
        rights = {
            right: connection.execute(query, {"name": f"goldsignal.{name}", "right": right}).scalar_one()
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
        }
    assert {right for right, held in rights.items() if held} == {"SELECT", "INSERT"}


def test_i3_only_the_owner_removes_old_rows_and_only_when_saying_so(database: Database) -> None:
    with database.transaction() as connection:
        add(connection, "raw_candles")
    remove, saying_so = "DELETE FROM goldsignal.raw_candles", "SET LOCAL goldsignal.retention = 'on'"
    with pytest.raises(DatabaseError, match="permission denied"), database.transaction() as connection:
        execute(connection, "SET LOCAL ROLE goldsignal_writer", saying_so, remove)
    with pytest.raises(DatabaseError, match="only grows"), database.transaction() as connection:
        execute(connection, saying_so, "UPDATE goldsignal.raw_candles SET run_id = 'x'")
    with database.transaction() as connection:
        assert execute(connection, "SET LOCAL ROLE goldsignal_owner", saying_so, remove).rowcount == 1


def test_the_writer_writes_and_the_reader_only_reads(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL ROLE goldsignal_writer"))
        add(connection, *SAMPLES)
    with pytest.raises(DatabaseError, match="permission denied"), database.transaction() as connection:
        execute(connection, "SET LOCAL ROLE goldsignal_reader", "DELETE FROM goldsignal.candles")
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL ROLE goldsignal_reader"))
        for name in [*TABLES, "raw_candles_current", "trading_day_states", "signal_states"]:
            assert connection.execute(text(f"SELECT count(*) FROM goldsignal.{name}")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM goldsignal.raw_candles_as_of('infinity')")).scalar_one() == 1


def test_a_day_is_blocked_from_more_than_two_percent_missing_over_both_its_parts(database: Database) -> None:
    with database.transaction() as connection:
        add(connection, "trading_day_parts", expected_bars=100, missing_bars=3)
        state = text("SELECT expected_bars, missing_bars, data_blocked FROM goldsignal.trading_day_states")
        assert tuple(connection.execute(state).one()) == (100, 3, True)
        add(connection, "trading_day_parts", month="2026-04", expected_bars=50, missing_bars=0)
        assert tuple(connection.execute(state).one()) == (150, 3, False)
