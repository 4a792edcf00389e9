"""Every rule of `alerts` holds on what is derived and fails on a row that breaks it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from goldsignal_pipeline.assets.owe_alerts import owe_alerts
from goldsignal_pipeline.checks.alerts import RULES
from goldsignal_pipeline.checks.findings import rule_findings
from goldsignal_pipeline.storage import alerts
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.assets.test_owe_alerts import CONFIRMED, KNOWN, SETTINGS, event, publish, writing

LATER = KNOWN + timedelta(hours=2)


def broken(database: Database, *, now: datetime) -> dict[str, int]:
    with database.transaction(read_only=True) as connection:
        found = rule_findings(connection, RULES, months=["2026-03"], now=now)
    return {name: finding.count for name, finding in found.items() if finding.count}


def execute(database: Database, statement: str, **parameters: Any) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement), parameters)


def test_live_events_without_a_message_are_found_until_they_are_owed(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection)
        event(connection, "published", at=CONFIRMED, known_at=KNOWN)
        event(connection, "closed", at=CONFIRMED + timedelta(hours=1), result="sl_hit", net_r=-1.0)
    assert broken(database, now=LATER) == {"live_events_are_owed": 2}
    owe_alerts(database, SETTINGS, writing(LATER))
    assert broken(database, now=LATER) == {}


def test_an_answer_without_its_question_is_found(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection)
        event(connection, "closed", at=CONFIRMED + timedelta(hours=1), result="sl_hit", net_r=-1.0)
    owe_alerts(database, SETTINGS, writing(LATER))
    assert broken(database, now=LATER) == {"answers_have_their_question": 1}


def test_a_message_that_waits_for_more_than_an_hour_is_found_unless_it_is_muted(database: Database) -> None:
    with database.transaction() as connection:
        publish(connection)
        event(connection, "published", at=CONFIRMED, known_at=KNOWN)
    owe_alerts(database, SETTINGS, writing(KNOWN))
    with database.transaction() as connection:
        alerts.open_channels(connection, ["telegram-1"], now=KNOWN)
        alerts.enlist(connection, ["telegram-1"], now=KNOWN)
    assert broken(database, now=KNOWN + timedelta(minutes=59)) == {}
    assert broken(database, now=LATER) == {"useful_messages_leave": 1}
    execute(database, "INSERT INTO alert_mutes (at, until) VALUES (:at, :until)", at=KNOWN, until=LATER)
    assert broken(database, now=LATER) == {}
