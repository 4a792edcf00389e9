from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline.storage.tables import METADATA
from goldsignal_pipeline_tests.sql.sample_rows import SAMPLES

SETUPS = METADATA.tables["goldsignal.setups"]


def add(connection: Connection, **different: Any) -> None:
    connection.execute(insert(SETUPS).values(**(SAMPLES["setups"] | different)))


@pytest.mark.parametrize(
    ("different", "told", "sqlstate", "constraint"),
    [
        ({"planned_risk": Decimal(9)}, "breaks a rule of its table", "23514", "ck_setups_planned_risk"),
        ({"session": None}, "value that every row needs is missing", "23502", ""),
        ({"reference": Decimal(10) ** 9}, "number does not fit its column", "22003", ""),
        ({}, "row of this key is there already", "23505", "pk_setups"),
    ],
)
def test_a_row_that_breaks_a_rule_is_told_with_the_rule_and_the_row(
    database: Database, different: dict[str, Any], told: str, sqlstate: str, constraint: str
) -> None:
    with database.transaction() as connection:
        add(connection)
    with pytest.raises(DatabaseError, match=told) as caught, database.transaction() as connection:
        add(connection, **different)
    assert (caught.value.sqlstate, caught.value.constraint) == (sqlstate, constraint)
    assert not caught.value.retryable
    assert "Nothing of this transaction was stored." in str(caught.value)
    assert ("ema_momentum" in str(caught.value)) == sqlstate.startswith("23")


def test_a_row_without_the_one_it_needs_is_told(database: Database) -> None:
    with pytest.raises(DatabaseError, match="needs another that is not there") as caught, database.transaction() as connection:
        connection.execute(insert(METADATA.tables["goldsignal.backtest_results"]).values(**SAMPLES["backtest_results"]))
    assert caught.value.constraint == "fk_backtest_results_strategies"


def test_a_change_of_what_only_grows_is_told(database: Database) -> None:
    with pytest.raises(DatabaseError, match="only grow, were to be changed") as caught, database.transaction() as connection:
        connection.execute(text("TRUNCATE goldsignal.gate_events"))
    assert caught.value.fix == "Add a row instead."


def test_a_long_row_is_told_in_short(database: Database) -> None:
    with pytest.raises(DatabaseError) as caught, database.transaction() as connection:
        add(connection, planned_risk=Decimal(9), conditions=[{"name": "x" * 9} for _ in range(500)])
    assert len(str(caught.value)) < 600
