"""Apprise against a server on this machine, by its `json://` service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from goldsignal_pipeline.alerts.channels import Delivered, Later, Letter
from goldsignal_pipeline.alerts.configured import configured_channels
from goldsignal_pipeline.alerts.messages import Message
from goldsignal_pipeline.alerts.other_services import OtherService
from goldsignal_pipeline.errors import SettingsError
from goldsignal_pipeline.settings import Settings

LETTER = Letter(Message("XAUUSD BUY 4000.00", ("RSI < 30 & falling", "<b>"), "message 1a2b"), picture=b"\x89PNG")
SECRET = "a-webhook-secret"


@contextmanager
def service(status: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()
        server.server_close()


def test_a_letter_arrives_as_it_is_written_with_its_picture() -> None:
    with service(200) as (port, received):
        channel = OtherService(SecretStr(f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}"), secrets=[SECRET])
        assert channel.send(LETTER) == Delivered()
    [message] = received
    assert message["title"] == "XAUUSD BUY 4000.00"
    assert message["message"].splitlines() == ["RSI < 30 & falling", "<b>", "message 1a2b"]
    assert len(message["attachments"]) == 1
    assert channel.name.startswith("json-")


@pytest.mark.fault("alerts")
def test_a_service_that_fails_may_succeed_later_and_reveals_no_secret() -> None:
    with service(500) as (port, _):
        channel = OtherService(SecretStr(f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}"), secrets=[SECRET])
        answer = channel.send(LETTER)
    assert isinstance(answer, Later)
    assert answer.may_have_arrived
    assert "500" in answer.why
    assert SECRET not in answer.why
    assert SECRET not in f"{channel!r} {channel.name}"


def test_an_address_that_apprise_cannot_read_is_told_without_its_secret() -> None:
    settings = Settings(alert_urls=(SecretStr(f"nosuchservice://{SECRET}"),))
    with pytest.raises(SettingsError) as caught:
        configured_channels(settings)
    assert SECRET not in str(caught.value)
    assert "nosuchservice://" in str(caught.value)


def test_a_message_without_a_body_is_sent_too() -> None:
    with service(200) as (port, received):
        channel = OtherService(SecretStr(f"json://127.0.0.1:{port}"), secrets=[])
        assert channel.send(Letter(Message("only a headline", (), ""))) == Delivered()
    assert received[0]["title"] == "only a headline"
