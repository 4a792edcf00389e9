"""I18: lines of the command line, the API and runs go through one mask, as text or JSON, and no planted secret is ever seen."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import pytest
import yaml
from fastapi import FastAPI
from pydantic import SecretStr

from goldsignal_pipeline.api import errors
from goldsignal_pipeline.cli import logs
from goldsignal_pipeline.cli.services.serving import command
from goldsignal_pipeline.resources import DatabaseResource, mask_secrets
from goldsignal_pipeline.settings import PROJECT_ROOT, Settings, cached_settings
from goldsignal_pipeline_tests.api.serving import served

PLANTED = {
    "twelvedata_api_key": "planted-vendor-key-1",
    "telegram_bot_token": "123456789:planted-bot-token-2",
    "api_token": "planted-bearer-token-3",
    "database_url": "postgresql://owner:planted-password-4@127.0.0.1:1/gold",
    "alert_urls": "discord://1234567890/planted-webhook-5",
}
VISIBLE = ("planted-vendor-key-1", "planted-bot-token-2", "planted-bearer-token-3", "planted-password-4", "planted-webhook-5")


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root, ours, factory = logging.getLogger(), logging.getLogger("goldsignal_pipeline"), logging.getLogRecordFactory()
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before
    logging.captureWarnings(False)
    logging.setLogRecordFactory(factory)


def settings(log_format: str) -> Settings:
    given = {name: SecretStr(value) for name, value in PLANTED.items() if name != "alert_urls"}
    return Settings(
        **given,
        alert_urls=(SecretStr(PLANTED["alert_urls"]),),
        telegram_chat_id="-42",
        log_format=log_format,
    )  # type: ignore[arg-type]


@pytest.mark.usefixtures("_logging_restored")
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_i18_a_fault_of_the_api_is_logged_in_the_chosen_form_without_any_secret(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError(" ".join(PLANTED.values()))

    with served(app) as address:
        logs.configure(settings(log_format))
        assert httpx.get(f"{address}/broken").status_code == 500
        time.sleep(0.1)
    written = capsys.readouterr().err
    assert "An unexpected RuntimeError in the API" in written
    assert "**********" in written
    assert [secret for secret in VISIBLE if secret in written] == []
    if log_format == "json":
        assert all(json.loads(line)["record"]["level"] for line in written.splitlines())


def test_i18_the_process_of_the_api_tells_in_json_of_a_database_that_is_away_and_shows_no_secret(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GOLDSIGNAL_")},
        **{f"GOLDSIGNAL_{name.upper()}": value for name, value in PLANTED.items() if name != "alert_urls"},
        "GOLDSIGNAL_ALERT_URLS": json.dumps([PLANTED["alert_urls"]]),
        "GOLDSIGNAL_TELEGRAM_CHAT_ID": "-42",
        "GOLDSIGNAL_HOME": str(tmp_path),
        "GOLDSIGNAL_ENV_FILE": str(tmp_path / "absent.env"),
        "GOLDSIGNAL_LOG_FORMAT": "json",
    }
    api = subprocess.Popen(command(host="127.0.0.1", port=port), env=environment, stderr=subprocess.PIPE, text=True)
    try:
        answered = _ask(f"http://127.0.0.1:{port}/health", token=PLANTED["api_token"])
        assert answered.status_code == 503
    finally:
        api.terminate()
        written = api.communicate(timeout=20)[1]
    lines = [json.loads(line)["record"] for line in written.splitlines()]
    assert any(line["level"]["name"] == "WARNING" for line in lines)
    assert [secret for secret in VISIBLE if secret in written + answered.text] == []


def _ask(address: str, *, token: str) -> httpx.Response:
    until = time.monotonic() + 30
    while True:
        try:
            return httpx.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        except httpx.ConnectError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.mark.usefixtures("_logging_restored")
def test_lines_of_our_modules_stand_among_the_events_of_a_dagster_run_and_detail_does_not(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("GOLDSIGNAL_TWELVEDATA_API_KEY", PLANTED["twelvedata_api_key"])
    monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(tmp_path / "absent.env"))
    # A test before may have run assets with other settings.
    cached_settings.cache_clear()
    mask_secrets.cache_clear()

    @dg.asset
    def talking(database: DatabaseResource) -> None:
        with database.open():
            logger = logging.getLogger("goldsignal_pipeline.providers.retrying")
            logger.warning("asked with %s", PLANTED["twelvedata_api_key"])
            logger.debug("a detail")

    with dg.instance_for_test(overrides={"python_logs": configured["python_logs"]}) as instance:
        result = dg.materialize([talking], resources={"database": DatabaseResource()}, instance=instance)
        events = [entry.user_message for entry in instance.all_logs(result.run_id)]
    cached_settings.cache_clear()
    mask_secrets.cache_clear()
    assert "asked with **********" in events
    assert "a detail" not in events
    assert [secret for secret in VISIBLE if secret in " ".join(events)] == []
