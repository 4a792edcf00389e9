"""The outbox on a real database: what the tests of the sender do not reach."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from goldsignal_pipeline.storage import alerts
from goldsignal_pipeline.storage.alerts import Owed
from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline_tests.sql.sample_rows import AT, HOUR

MESSAGE = '{"headline": "x", "body": [], "foot": ""}'


def owed(key: str, *, useful: timedelta = HOUR) -> Owed:
    return Owed(key, "closed", "XAUUSD", None, AT, AT + useful, MESSAGE)


def test_a_message_is_owed_once_and_its_first_word_stands(database: Database) -> None:
    with database.transaction() as connection:
        assert alerts.owe(connection, owed("one"), now=AT, run_id="first")
        assert not alerts.owe(connection, owed("one", useful=2 * HOUR), now=AT + HOUR, run_id="second")
        assert alerts.known_keys(connection, ["one", "two"]) == {"one"}
        assert connection.execute(text("SELECT run_id FROM alerts")).scalars().all() == ["first"]


@pytest.mark.parametrize("statement", ["UPDATE alerts SET kind = 'digest'", "DELETE FROM alerts", "TRUNCATE alerts CASCADE"])
def test_what_is_owed_is_never_changed_or_removed(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        alerts.owe(connection, owed("one"), now=AT, run_id=None)
    with pytest.raises(DatabaseError, match="only grows"), database.transaction() as connection:
        connection.execute(text(statement))


def test_enlisting_twice_changes_nothing(database: Database) -> None:
    with database.transaction() as connection:
        alerts.owe(connection, owed("one"), now=AT, run_id=None)
        alerts.open_channels(connection, ["a-1", "b-1"], now=AT)
        assert alerts.enlist(connection, ["a-1", "b-1"], now=AT) == 2
        assert alerts.enlist(connection, ["a-1", "b-1"], now=AT) == 0


def test_a_dead_sender_holds_nothing_and_what_it_began_may_have_arrived(database: Database) -> None:
    with database.transaction() as connection:
        alerts.owe(connection, owed("one"), now=AT, run_id=None)
        alerts.open_channels(connection, ["a-1"], now=AT)
        alerts.enlist(connection, ["a-1"], now=AT)
    with database.transaction() as holding:
        first = alerts.claim(holding, "a-1", now=AT, pace=timedelta(0))
        assert first is not None
        assert (first.number, first.may_have_arrived) == (1, False)
        with database.transaction() as beginning:
            alerts.begin_attempt(beginning, first, at=AT)
        with database.transaction() as other:
            assert alerts.claim(other, "a-1", now=AT, pace=timedelta(0)) is None, "another sender holds the chat"
    with database.transaction() as connection:
        second = alerts.claim(connection, "a-1", now=AT, pace=timedelta(0))
    assert second is not None
    assert (second.number, second.may_have_arrived) == (2, True)


def test_a_clock_that_was_set_back_does_not_silence_a_chat(database: Database) -> None:
    with database.transaction() as connection:
        alerts.owe(connection, owed("one"), now=AT, run_id=None)
        alerts.open_channels(connection, ["a-1"], now=AT)
        alerts.enlist(connection, ["a-1"], now=AT)
        claimed = alerts.claim(connection, "a-1", now=AT, pace=HOUR)
        assert claimed is not None
        alerts.begin_attempt(connection, claimed, at=AT + 3 * HOUR)
        assert alerts.claim(connection, "a-1", now=AT + 3 * HOUR + timedelta(minutes=1), pace=HOUR) is None
        assert alerts.claim(connection, "a-1", now=AT, pace=HOUR) is not None
