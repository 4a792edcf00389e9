from __future__ import annotations

import pandas as pd
import pytest

from goldsignal_pipeline.storage import keyed_rows, setup_rows, setups
from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline.storage.keyed_rows import MergeResult, Scope
from goldsignal_pipeline.storage.setups import SETUPS
from goldsignal_pipeline_tests.storage import graph_rows
from goldsignal_pipeline_tests.storage.graph_rows import FEBRUARY, JANUARY, SYMBOL

SPAN = {"symbol": SYMBOL, "start": JANUARY, "end": FEBRUARY}


def store(database: Database, frame: pd.DataFrame, *, run: str = "r") -> MergeResult:
    with database.transaction() as connection:
        rows = setup_rows.to_rows(frame, graph_rows.conditions(frame)).assign(run_id=run)
        return keyed_rows.replace(connection, SETUPS, Scope({"symbol": SYMBOL}, "confirmed_at", JANUARY, FEBRUARY), rows)


def test_i19_the_frames_of_the_core_come_back_exactly_and_again_write_nothing(database: Database) -> None:
    frame = graph_rows.setups(90)
    assert store(database, frame) == MergeResult(90, 0, 0, 0)
    assert store(database, frame, run="other") == MergeResult(0, 0, 0, 90)
    with database.transaction() as connection:
        read = setups.read_setups(connection, **SPAN, kinds=setups.ALL_KINDS)
        conditions = setups.read_conditions(connection, **SPAN)
    pd.testing.assert_frame_equal(read, frame, check_exact=True)
    pd.testing.assert_frame_equal(conditions, graph_rows.conditions(frame), check_exact=True)


def test_one_bit_of_a_measure_is_a_difference(database: Database) -> None:
    frame = graph_rows.setups(6)
    store(database, frame)
    frame.loc[3, "atr_h1"] += 1e-13
    assert store(database, frame) == MergeResult(0, 1, 0, 5)


def test_only_trades_are_read_unless_more_is_asked_for(database: Database) -> None:
    frame = graph_rows.setups(30)
    store(database, frame)
    is_setup = frame["kind"] == "setup"
    with database.transaction() as connection:
        read = setups.read_setups(connection, **SPAN)
        rows = setups.read_setup_rows(connection, **SPAN, kinds=("refused",))
        conditions = setups.read_conditions(connection, **SPAN, kinds=("setup",))
    pd.testing.assert_frame_equal(read, frame[is_setup].reset_index(drop=True), check_exact=True)
    assert set(rows["kind"]) == {"refused"}
    assert rows["conditions"].str.startswith("[{").all()
    pd.testing.assert_frame_equal(conditions, graph_rows.conditions(frame)[is_setup.repeat(3).array].reset_index(drop=True))


def test_a_setup_with_a_stop_on_the_wrong_side_is_refused_by_the_database_by_name(database: Database) -> None:
    frame = graph_rows.setups(3)
    frame.loc[0, "stop"] = frame.loc[0, "reference"] + frame.loc[0, "planned_risk"]
    with pytest.raises(DatabaseError, match="breaks a rule of its table") as caught:
        store(database, frame)
    assert caught.value.constraint == "ck_setups_levels"
    assert not caught.value.retryable
