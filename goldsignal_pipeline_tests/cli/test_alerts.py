"""`goldsignal alerts` on a real database, with the sender as a real process and a Telegram on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from goldsignal_pipeline.cli.alerts import outbox_findings
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.prove.telegram_server import Reply, TelegramServer
from goldsignal_pipeline.cli.services import sending
from goldsignal_pipeline.settings import load_settings
from goldsignal_pipeline.storage import alerts, operator_events
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.alerts.telegram_html import visible

TOKEN = "123456789:AAE-secret-part-of-the-token"


@pytest.fixture
def database(own_database: str) -> Iterator[Database]:
    opened = Database(own_database)
    yield opened
    opened.dispose()


@pytest.fixture
def telegram(monkeypatch: pytest.MonkeyPatch) -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        monkeypatch.setenv("GOLDSIGNAL_TELEGRAM_BOT_TOKEN", TOKEN)
        monkeypatch.setenv("GOLDSIGNAL_TELEGRAM_CHAT_ID", "-42")
        monkeypatch.setenv("GOLDSIGNAL_TELEGRAM_BASE_URL", server.url)
        yield server


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(create_app(), [*arguments])


def fail_a_run(database: Database) -> None:
    with database.transaction() as connection:
        now = datetime.now(UTC)
        told: dict[str, Any] = {"message": "Run 1 of live_cycle failed.", "cause": "low > high", "run_id": "1"}
        operator_events.append(connection, at=now, kind="run_failed", severity="error", natural_key="run_failed:1", **told)


def test_a_sender_process_tells_of_a_failed_run_that_no_run_could_and_ends_politely(
    database: Database, telegram: TelegramServer
) -> None:
    fail_a_run(database)
    sender = subprocess.Popen(
        sending.command(), env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 30
    while not telegram.accepted and time.monotonic() < deadline:
        time.sleep(0.05)
    sender.send_signal(signal.SIGINT)
    output = sender.communicate(timeout=20)[0]
    assert sender.returncode == 0, output
    assert TOKEN not in output
    assert visible(telegram.accepted[1].text).startswith("ERROR: Run 1 of live_cycle failed.\nlow > high\n")
    shown = json.loads(invoke("alerts", "--json").stdout)
    assert [(one["kind"], one["state"], one["attempts"]) for one in shown["messages"]] == [("operator", "sent", 1)]
    assert "ERROR: Run 1" in invoke("alerts").output


def test_the_channels_can_be_tried(home: object, telegram: TelegramServer) -> None:
    result = invoke("alerts", "test")
    assert result.exit_code == 0, result.output
    assert "delivered" in result.output
    assert "1 < 2 & all is well." in visible(telegram.accepted[1].text)
    telegram.behave = lambda call: Reply.told(401, "Unauthorized")
    result = invoke("alerts", "test")
    assert result.exit_code == 7
    assert "Telegram answered 401: Unauthorized" in result.output
    assert TOKEN not in result.output


def test_without_a_channel_alerts_are_off_and_trying_says_what_to_set(database: Database) -> None:
    [finding] = outbox_findings(database, load_settings(), now=datetime.now(UTC))
    assert finding.detail == "off"
    result = invoke("alerts", "test")
    assert result.exit_code == 2
    assert "GOLDSIGNAL_TELEGRAM_BOT_TOKEN" in result.stderr


def test_a_token_without_a_chat_is_refused(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_TELEGRAM_BOT_TOKEN", TOKEN)
    result = invoke("config")
    assert result.exit_code == 2
    assert "GOLDSIGNAL_TELEGRAM_CHAT_ID" in result.stderr
    assert TOKEN not in result.stderr


def test_i18_config_shows_alert_settings_masked(home: object, telegram: TelegramServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_ALERT_URLS", '["discord://1234567890/secret-webhook-token"]')
    result = invoke("config", "--json")
    assert TOKEN not in result.output
    assert "secret-webhook-token" not in result.output
    assert {"secret-webhook-token", TOKEN} <= set(load_settings().secrets())


def test_muting_lasts_as_long_as_was_asked_and_can_be_ended(database: Database) -> None:
    def until() -> datetime | None:
        with database.transaction(read_only=True) as connection:
            return alerts.muted_until(connection, now=datetime.now(UTC))

    assert invoke("alerts", "mute", "--for", "8h").exit_code == 0
    muted = until()
    assert muted is not None
    assert abs(muted - datetime.now(UTC) - timedelta(hours=8)) < timedelta(minutes=1)
    assert "Muted until" in invoke("alerts").output
    assert invoke("alerts", "unmute").exit_code == 0
    assert until() is None


@pytest.mark.parametrize("span", ["", "8", "0h", "31d", "h", "1y", "99999999d"])
def test_a_time_that_is_none_is_refused(home: object, span: str) -> None:
    result = invoke("alerts", "mute", "--for", span)
    assert result.exit_code == 2
    assert "goldsignal alerts mute --for 8h" in result.stderr


def test_status_tells_of_what_waits_and_what_was_undeliverable(database: Database, telegram: TelegramServer) -> None:
    settings, now = load_settings(), datetime.now(UTC)
    [finding] = outbox_findings(database, settings, now=now)
    assert "has not run yet" in finding.detail
    with database.transaction() as connection:
        alerts.open_channels(connection, ["telegram-1"], now=now)
        for key in ("one", "two"):
            owed = alerts.Owed(
                key, "operator", None, None, now, now + timedelta(days=1), '{"headline": "x", "body": [], "foot": ""}'
            )
            alerts.owe(connection, owed, now=now, run_id=None)
        alerts.enlist(connection, ["telegram-1"], now=now)
    [finding] = outbox_findings(database, settings, now=now)
    assert "2 owed" in finding.detail
    [waiting] = outbox_findings(database, settings, now=now + timedelta(minutes=11))
    assert "the oldest waits for 11" in waiting.detail
    with database.transaction() as connection:
        claimed = alerts.claim(connection, "telegram-1", now=now, pace=timedelta(0))
        assert claimed is not None
        alerts.begin_attempt(connection, claimed, at=now)
        alerts.end_attempt(connection, claimed, at=now, result="refused", state="refused", error="Telegram answered 403")
    [dead] = outbox_findings(database, settings, now=now)
    assert "1 undeliverable" in dead.detail
    assert "Telegram answered 403" in invoke("alerts", "--dead").output.replace("\n", " ")
    assert json.loads(invoke("alerts", "retry", "--json").stdout) == {"owed_again": 1}
