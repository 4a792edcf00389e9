from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Float, Numeric, insert, text

from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline.storage.tables import METADATA
from goldsignal_pipeline_tests.sql.sample_rows import SAMPLES

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
        (["backtest_results"], {}, "fk_backtest_results_strategies"),
        (["strategies", "strategy_performance"], {"window_days": 8}, "ck_strategy_performance_window_days"),
    ],
)
def test_i1_i9_the_database_itself_refuses_what_must_never_be_stored(
    database: Database, names: list[str], changed: dict[str, Any], broken: str
) -> None:
    with pytest.raises(DatabaseError, match=broken), database.transaction() as connection:
        add(connection, *names, **changed)


@pytest.mark.parametrize("name", ["candles", "raw_candles"])
def test_i2_one_row_per_natural_key(database: Database, name: str) -> None:
    with pytest.raises(DatabaseError, match=f"pk_{name}"), database.transaction() as connection:
        add(connection, name, name)


def test_i9_one_signal_and_one_outcome_per_natural_key(database: Database) -> None:
    with pytest.raises(DatabaseError, match="pk_signals"), database.transaction() as connection:
        add(connection, "strategies", "signals", "signals")
    with pytest.raises(DatabaseError, match="pk_outcomes"), database.transaction() as connection:
        add(connection, "strategies", "signals", "outcomes", "outcomes")


@pytest.mark.parametrize("name", ["raw_candles", "operator_events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET run_id = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("role", ["goldsignal_writer", "postgres"])
def test_i3_append_only_tables_only_grow(database: Database, name: str, statement: str, role: str) -> None:
    with database.transaction() as connection:
        add(connection, name)
    refusal = pytest.raises(DatabaseError, match=r"only grows|permission denied")
    with refusal, database.transaction() as connection:
        execute(connection, f"SET LOCAL ROLE {role}", statement.format(f"goldsignal.{name}"))
    with database.transaction() as connection:
        assert connection.execute(text(f"SELECT count(*) FROM goldsignal.{name}")).scalar_one() == 1


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
