"""An economic calendar on a loopback socket: real HTTP, marks of unchanged answers, and faults on demand."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

DENIED = (
    "<!DOCTYPE html>\n<html><head><title>Request Denied</title></head><body><h1>Request Denied</h1>"
    "<p>You've exceeded the limit for these requests.</p></body></html>"
)
Fault = Callable[["Handler"], None]


def event(title: str, date: str, *, country: str = "USD", impact: str = "High", **more: Any) -> dict[str, Any]:
    """A row as the feed sends it."""
    return {"title": title, "country": country, "date": date, "impact": impact, "forecast": "0.3%", "previous": "", **more}


class Handler(BaseHTTPRequestHandler):
    """Answers one question."""

    server: CalendarServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """The calendar, or what the test wants instead."""
        server = self.server
        server.questions.append(dict(self.headers))
        if server.fault is not None:
            server.fault(self)
            return
        body = json.dumps(server.events)
        mark = f'"{hash(body)}"'
        if self.headers.get("If-None-Match") == mark:
            self.answer(304, "")
        else:
            self.answer(200, body, ETag=mark, **{"Last-Modified": "Sun, 30 Mar 2025 21:00:00 GMT"})

    def answer(self, status: int, text: str, **headers: str) -> None:
        """Send one answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def trickle(self) -> None:
        """Send a byte at a time, for as long as anybody listens."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def reset(self) -> None:
        """Break the connection off."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


class CalendarServer(ThreadingHTTPServer):
    """The service, for as long as the block runs; `events` and `fault` may be changed meanwhile."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: Any = []
        self.fault: Fault | None = None
        self.questions: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        """Where the calendar is."""
        return f"http://127.0.0.1:{self.server_address[1]}/ff_calendar_thisweek.json"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
