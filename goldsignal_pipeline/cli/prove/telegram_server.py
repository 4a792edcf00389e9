"""A server on this machine that answers as Telegram's bot API does; proofs and tests send to it.

It takes every message, numbers and keeps it. `behave` may answer otherwise, per call: with an answer of its own instead of the
acceptance, or with one after the acceptance (a reply that never comes back).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it arrived, and when (monotonic seconds); `path` holds the token."""

    number: int
    path: str
    fields: Mapping[str, Any]
    photo: bytes | None
    at: float

    @property
    def method(self) -> str:
        """The method that was called, sendMessage or sendPhoto."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def text(self) -> str:
        """The text or caption, with its markup."""
        return str(self.fields.get("text") or self.fields.get("caption") or "")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered. `accepts` keeps the message first; `seconds` pass before; no `status` closes the connection instead."""

    status: int | None
    body: bytes = b""
    accepts: bool = False
    seconds: float = 0.0
    trickles: bool = False

    @classmethod
    def told(cls, status: int, description: str, *, seconds: float = 0.0, **parameters: int) -> Reply:
        """An error in Telegram's own form."""
        content: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
        if parameters:
            content["parameters"] = parameters
        return cls(status, json.dumps(content).encode(), seconds=seconds)


Behaviour = Callable[[Call], Reply | None]


def accept(call: Call) -> Reply | None:
    """Take everything."""
    return None


class _Quiet(ThreadingHTTPServer):
    """A server for which a caller that vanishes is nothing to speak of."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@dataclass
class TelegramServer:
    """The server; `calls` are all that arrived, `accepted` what a reader has on the phone, by message number."""

    behave: Behaviour = accept
    calls: list[Call] = field(default_factory=list)
    accepted: dict[int, Call] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = _Quiet((HOST, 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def receive(self, path: str, fields: Mapping[str, Any], photo: bytes | None) -> Call:
        """Note a call."""
        with self._lock:
            call = Call(len(self.calls) + 1, path, fields, photo, time.monotonic())
            self.calls.append(call)
        return call

    def take(self, call: Call) -> bytes:
        """Keep the message of a call; returns Telegram's answer."""
        with self._lock:
            number = len(self.accepted) + 1
            self.accepted[number] = call
        return json.dumps({"ok": True, "result": {"message_id": number, "text": call.text}}).encode()


def _handler_of(server: TelegramServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One call."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            call = server.receive(self.path, *_parsed(self.headers["Content-Type"], body))
            reply = server.behave(call)
            if reply is None or reply.accepts:
                taken = server.take(call)
            if reply is None:
                self._answer(200, taken)
                return
            time.sleep(reply.seconds)
            if reply.status is None:
                self.close_connection = True
            else:
                self._answer(reply.status, reply.body or taken, trickles=reply.trickles)

        def _answer(self, status: int, body: bytes, *, trickles: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for piece in [body[place : place + 1] for place in range(len(body))] if trickles else [body]:
                try:
                    self.wfile.write(piece)
                    self.wfile.flush()
                except OSError:
                    return
                if trickles:
                    time.sleep(0.05)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


def _parsed(kind: str, body: bytes) -> tuple[dict[str, Any], bytes | None]:
    if kind.startswith("application/json"):
        return json.loads(body), None
    message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields: dict[str, Any] = {}
    photo = None
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if part.get_filename():
            photo = content
        else:
            fields[name] = json.loads(content) if name == "reply_parameters" else content.decode()
    return fields, photo
