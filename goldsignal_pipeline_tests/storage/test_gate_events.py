from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from goldsignal_pipeline.storage import gate_events
from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline_tests.storage.graph_rows import SYMBOL

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def append(database: Database, name: str, **different: Any) -> bool:
    event = {
        "natural_key": name,
        "at": NOON,
        "recorded_at": NOON,
        "kind": "pause",
        "symbol": None,
        "strategy": None,
        "detail": "{}",
    } | different
    with database.transaction() as connection:
        return gate_events.append(connection, **event)


def in_force(database: Database, *, until: datetime = NOON, **narrower: Any) -> list[str]:
    with database.transaction() as connection:
        return [one.natural_key for one in gate_events.in_force(connection, symbol=SYMBOL, until=until, **narrower)]


def test_i19_an_event_is_stored_once_and_its_first_word_stands(database: Database) -> None:
    assert append(database, "a", detail='{"account_usd":"10000"}', kind="settings")
    assert not append(database, "a", detail='{"account_usd":"99"}', kind="settings")
    with database.transaction() as connection:
        (event,) = gate_events.in_force(connection, symbol=SYMBOL, until=NOON)
    assert json.loads(event.detail) == {"account_usd": "10000"}
    assert (event.kind, event.at, event.recorded_at, event.symbol, event.strategy) == ("settings", NOON, NOON, None, None)


def test_events_come_by_the_instant_from_which_they_hold_then_by_their_number(database: Database) -> None:
    append(database, "late", at=NOON + HOUR)
    append(database, "first of two")
    append(database, "second of two", kind="resume")
    append(database, "early", at=NOON - HOUR, recorded_at=NOON + 9 * HOUR)
    assert in_force(database, until=NOON + HOUR) == ["early", "first of two", "second of two", "late"]
    assert in_force(database, until=NOON + HOUR - timedelta(microseconds=1)) == ["early", "first of two", "second of two"]


def test_events_of_other_symbols_do_not_concern_a_symbol_those_of_all_do(database: Database) -> None:
    append(database, "own", symbol=SYMBOL, kind="live_since")
    append(database, "other", symbol="XAUUSD-SIM", kind="live_since")
    append(database, "all", strategy="ema_momentum", kind="disable")
    assert in_force(database) == ["own", "all"]
    assert in_force(database, kinds=["live_since"]) == ["own"]


def test_i5_what_was_recorded_later_was_not_known(database: Database) -> None:
    append(database, "known", recorded_at=NOON)
    append(database, "told afterwards", at=NOON - HOUR, recorded_at=NOON + HOUR)
    assert in_force(database, recorded_until=NOON) == ["known"]
    assert in_force(database) == ["told afterwards", "known"]


def test_the_detail_is_kept_byte_for_byte(database: Database) -> None:
    detail = '{"b":1.10,"a":[1e5,"é",null],"b ":0.1}'
    append(database, "a", detail=detail)
    with database.transaction() as connection:
        assert gate_events.in_force(connection, symbol=SYMBOL, until=NOON)[0].detail == detail


@pytest.mark.parametrize(
    ("different", "broken"),
    [
        ({"kind": "rumour"}, "ck_gate_events_kind"),
        ({"kind": "decided"}, "ck_gate_events_symbol"),
        ({"kind": "live_since", "strategy": "ema_momentum"}, "ck_gate_events_symbol"),
        ({"kind": "disable"}, "ck_gate_events_strategy"),
    ],
)
def test_an_event_that_says_too_little_is_refused_by_name(database: Database, different: dict[str, Any], broken: str) -> None:
    with pytest.raises(DatabaseError, match="breaks a rule of its table") as caught:
        append(database, "a", **different)
    assert caught.value.constraint == broken


def test_a_detail_that_is_no_json_is_refused(database: Database) -> None:
    with pytest.raises(DatabaseError, match="not of the form"):
        append(database, "a", detail="{account: 1}")


def test_events_are_never_taken_back(database: Database) -> None:
    append(database, "a")
    with pytest.raises(DatabaseError, match="only grows") as caught, database.transaction() as connection:
        connection.execute(text("DELETE FROM goldsignal.gate_events"))
    assert caught.value.sqlstate == "23001"
    assert in_force(database) == ["a"]
