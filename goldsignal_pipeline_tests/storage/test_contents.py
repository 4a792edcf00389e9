"""Contents: equal rows have equal fingerprints whoever wrote them and in any order; the first row that differs is named."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text

from goldsignal_pipeline.storage import gate_events, gate_states
from goldsignal_pipeline.storage.contents import TABLES, Content, content_columns, content_row, contents, first_difference
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.postgres import Server, migrated_database

AT = datetime(2024, 3, 1, tzinfo=UTC)


def keep(database: Database, *months: str, state: str = "{}", run_id: str = "first") -> None:
    with database.transaction() as connection:
        for month in months:
            gate_states.upsert(connection, symbol="XAUUSD", month=month, state=state, digest=state, run_id=run_id)


def held(database: Database) -> dict[str, Content]:
    with database.transaction(read_only=True) as connection:
        return contents(connection)


def test_equal_rows_are_equal_whoever_wrote_them_and_in_any_order(postgres_server: Server, database: Database) -> None:
    with migrated_database(postgres_server) as other:
        keep(database, "2024-01", "2024-02")
        keep(other, "2024-02", "2024-01", run_id="second")
        assert held(database) == held(other)
        assert held(database)["gate_states"].rows == 2


def test_every_value_of_content_changes_the_fingerprint(database: Database) -> None:
    keep(database, "2024-01", "2024-02")
    before = held(database)
    keep(database, "2024-02", state='{"form":1}')
    after = held(database)
    assert before["gate_states"] != after["gate_states"]
    assert {name for name in TABLES if before[name] != after[name]} == {"gate_states"}


def test_the_first_row_that_differs_is_named_with_its_columns(postgres_server: Server, database: Database) -> None:
    with migrated_database(postgres_server) as other:
        keep(database, "2024-01", "2024-02", "2024-03")
        keep(other, "2024-01", "2024-02", state="{}")
        with database.transaction() as one, other.transaction() as two:
            lost = first_difference(one, two, table="gate_states")
        assert lost is not None
        assert lost.key == {"symbol": "XAUUSD", "month": "2024-03"}
        assert (lost.here is None, lost.there) == (False, None)
        keep(other, "2024-01", state='{"form":2}')
        with database.transaction() as one, other.transaction() as two:
            changed = first_difference(one, two, table="gate_states")
            assert first_difference(one, two, table="signals") is None
        assert changed is not None
        assert changed.key["month"] == "2024-01"
        assert changed.here == {"state": "{}", "digest": "{}"}
        assert changed.there == {"state": '{"form":2}', "digest": '{"form":2}'}


def test_events_are_compared_by_their_natural_key_not_by_their_number(postgres_server: Server, database: Database) -> None:
    def tell(target: Database, *names: str) -> None:
        with target.transaction() as connection:
            for name in names:
                gate_events.append(
                    connection, natural_key=name, at=AT, recorded_at=AT, kind="pause", symbol=None, strategy=None, detail="{}"
                )

    with migrated_database(postgres_server) as other:
        tell(database, "one", "two")
        tell(other, "two", "one")
        assert held(database) == held(other)
        assert "id" not in content_columns("gate_events")


def test_a_row_is_read_by_its_key_as_text(database: Database) -> None:
    keep(database, "2024-01", state='{"a": 1}')
    with database.transaction() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
        found = content_row(connection, "gate_states", {"symbol": "XAUUSD", "month": "2024-01"})
        assert found == {"symbol": "XAUUSD", "month": "2024-01", "state": '{"a": 1}', "digest": '{"a": 1}'}
        assert content_row(connection, "gate_states", {"symbol": "XAUUSD", "month": "2024-02"}) is None
