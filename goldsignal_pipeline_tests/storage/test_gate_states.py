from __future__ import annotations

from sqlalchemy import text

from goldsignal_pipeline.storage import gate_states
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.gate_states import StoredState
from goldsignal_pipeline_tests.storage.graph_rows import SYMBOL

STATE = '{"form":1,"gate":{"b":[1.0,0.1],"a":null},"b ":"é"}'


def upsert(database: Database, month: str = "2026-01", *, state: str = STATE, digest: str = "d", run: str = "r") -> bool:
    with database.transaction() as connection:
        return gate_states.upsert(connection, symbol=SYMBOL, month=month, state=state, digest=digest, run_id=run)


def read(database: Database, month: str = "2026-01") -> StoredState | None:
    with database.transaction() as connection:
        return gate_states.read(connection, symbol=SYMBOL, month=month)


def run_of(database: Database) -> str:
    with database.transaction() as connection:
        return str(connection.execute(text("SELECT run_id FROM goldsignal.gate_states")).scalar_one())


def test_a_state_is_read_back_byte_for_byte(database: Database) -> None:
    assert read(database) is None
    assert upsert(database)
    assert read(database) == StoredState(STATE, "d")
    assert read(database, "2026-02") is None


def test_i19_the_same_state_again_is_not_written_and_another_is(database: Database) -> None:
    upsert(database)
    assert not upsert(database, run="second")
    assert run_of(database) == "r"
    assert upsert(database, state=STATE.replace(",", ", "), run="third")
    assert upsert(database, state="{}", digest="e", run="fourth")
    assert read(database) == StoredState("{}", "e")
    assert run_of(database) == "fourth"
