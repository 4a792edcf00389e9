"""Twelve Data on a loopback socket: real HTTP, a settable clock, credits, and faults on demand.

Serves `/time_series` and `/api_usage` as recorded (`vendors.md` 2.1): 24x7 rows, newest first, strings, the newest bar
forming; labels in Sydney's time unless `timezone` is sent; 5000 rows at most, the oldest lost silently; refused calls
keep counting. Use it as a context manager; everything may be changed while it runs.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from goldsignal_pipeline_tests.vendor_faults import (
    DAY_MESSAGE,
    ERRORS,
    KEY_MESSAGE,
    LABEL,
    MINUTE_MESSAGE,
    NO_DATA_MESSAGE,
    SYMBOL_MESSAGE,
    WEB_PAGES,
    Fault,
    distort,
)
from goldsignal_pipeline_tests.vendor_market import PRICES, VendorMarket

KEY = "k3y-0f-the-t3sts-4b1d8f0a9c"
MOST_ROWS = 5000
LONGEST_HANG_SECONDS = 5.0
"""A client without a deadline is to fail its test, not to hang it."""
INTERVALS = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "1h": 60}


class VirtualClock:
    """A clock that stands still until somebody sleeps by it or sets it."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.slept_seconds: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept_seconds.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Call:
    """One request that reached the server."""

    at: datetime
    target: str
    query: dict[str, str]
    is_authorised: bool
    fault: Fault | None
    status: int
    rows: int


@dataclass
class _Scheduled:
    fault: Fault
    calls: int
    since: datetime | None
    until: datetime | None


class VendorServer:
    """A vendor whose market, clock, limits and faults the test decides."""

    def __init__(
        self,
        market: VendorMarket,
        *,
        clock: Callable[[], datetime],
        key: str = KEY,
        credits_per_minute: int = 8,
        credits_per_day: int = 800,
        edges_are_inclusive: bool = True,
        http_status_tells: bool = True,
    ) -> None:
        self.market = market
        self.clock = clock
        self.key = key
        self.credits_per_minute = credits_per_minute
        self.credits_per_day = credits_per_day
        self.edges_are_inclusive = edges_are_inclusive
        self.http_status_tells = http_status_tells
        self.calls: list[Call] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._scheduled: list[_Scheduled] = []
        self._per_minute: Counter[datetime] = Counter()
        self._per_day: Counter[datetime] = Counter()
        self._http = _QuietServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vendor": self}))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def schedule(self, fault: Fault, *, calls: int = 1, since: datetime | None = None, until: datetime | None = None) -> None:
        """Let the next calls fail, or the calls of a span of the virtual time."""
        with self._lock:
            self._scheduled.append(_Scheduled(fault=fault, calls=calls, since=since, until=until))

    @property
    def candle_calls(self) -> list[Call]:
        """The calls for candles, in order."""
        with self._lock:
            return [call for call in self.calls if call.target.startswith("/time_series")]

    @property
    def is_overdrawn(self) -> bool:
        """Whether any minute or day saw more calls than its credits."""
        with self._lock:
            return max(self._per_minute.values(), default=0) > self.credits_per_minute or (
                max(self._per_day.values(), default=0) > self.credits_per_day
            )

    def spend(self, *, credits: int) -> None:
        """Use credits of the current minute, as another program with the same key does."""
        with self._lock:
            self._count(self.clock(), credits=credits)

    def take_fault(self, now: datetime) -> Fault | None:
        """The fault that is due, used up by being taken."""
        with self._lock:
            for entry in self._scheduled:
                is_due = (entry.since is None or now >= entry.since) and (entry.until is None or now < entry.until)
                if entry.calls and is_due:
                    entry.calls -= 1
                    return entry.fault
        return None

    def record(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)

    def charge(self, now: datetime) -> tuple[int, str] | None:
        """Count a call; the 429 that it earns, if any. Refused calls keep counting."""
        with self._lock:
            minute, day = self._count(now, credits=1)
        if day > self.credits_per_day:
            return 429, DAY_MESSAGE.format(used=day, limit=self.credits_per_day)
        if minute > self.credits_per_minute:
            return 429, MINUTE_MESSAGE.format(used=minute, limit=self.credits_per_minute)
        return None

    def used(self, now: datetime) -> tuple[int, int]:
        """Credits used in this minute and this UTC day."""
        with self._lock:
            return self._count(now, credits=0)

    def _count(self, now: datetime, *, credits: int) -> tuple[int, int]:
        minute = now.replace(second=0, microsecond=0)
        day = minute.replace(hour=0, minute=0)
        self._per_minute[minute] += credits
        self._per_day[day] += credits
        return self._per_minute[minute], self._per_day[day]

    def time_series(self, query: dict[str, str], *, now: datetime) -> tuple[int, dict[str, Any]]:
        """HTTP status and body of a candle request."""
        minutes = INTERVALS.get(query.get("interval", ""))
        if query.get("symbol") != "XAU/USD":
            return 404, _error(404, SYMBOL_MESSAGE)
        if minutes is None or minutes % self.market.minutes:
            return 400, _error(400, "Invalid **interval** provided: " + query.get("interval", ""))
        rows = self._rows(query, minutes=minutes, now=now)
        if not rows:
            return 400, _error(400, NO_DATA_MESSAGE)
        meta = {
            "symbol": "XAU/USD",
            "interval": query["interval"],
            "currency_base": "Gold Spot",
            "currency_quote": "US Dollar",
            "type": "Precious Metal",
        }
        return 200, {"meta": meta, "values": rows, "status": "ok"}

    def _rows(self, query: dict[str, str], *, minutes: int, now: datetime) -> list[dict[str, Any]]:
        dated = {name: query[name] for name in ("start_date", "end_date") if name in query}
        zone = ZoneInfo(query.get("timezone", "UTC"))
        start = _instant(dated.get("start_date"), zone=zone, otherwise=datetime(2000, 1, 1, tzinfo=UTC))
        end = _instant(dated.get("end_date"), zone=zone, otherwise=now)
        if not self.edges_are_inclusive:
            start, end = start + timedelta(seconds=1), end - timedelta(seconds=1)
        opens, prices = self.market.bars(minutes=minutes, start=start, end=end, now=now)
        most = min(int(query.get("outputsize", MOST_ROWS if dated else 30)), MOST_ROWS)
        labels = ZoneInfo(query.get("timezone", "Australia/Sydney"))
        rows = [
            {
                "datetime": datetime.fromtimestamp(opens[index] / 1e6, tz=UTC).astimezone(labels).strftime(LABEL),
                **{name: _number(prices[name][index]) for name in PRICES},
            }
            for index in range(max(0, opens.size - most), opens.size)
        ]
        return rows if query.get("order") == "asc" else rows[::-1]


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    vendor: VendorServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        vendor, now = self.vendor, self.vendor.clock()
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        is_authorised = vendor.key in (self.headers.get("Authorization", "").removeprefix("apikey "), query.get("apikey"))
        fault = vendor.take_fault(now) if path == "/time_series" else None
        refusal = vendor.charge(now) if path == "/time_series" else None
        if not is_authorised:
            status, body = 401, _error(401, KEY_MESSAGE)
        elif path == "/api_usage":
            status, body = 200, self._usage(now)
        elif path != "/time_series":
            status, body = 404, _error(404, "The requested path does not exist")
        elif refusal is not None:
            status, body = refusal[0], _error(*refusal)
        else:
            status, body = vendor.time_series(query, now=now)
        if status == 200 and "values" in body:
            distort(fault, body, now=now, minutes=INTERVALS[query["interval"]])
            # The vendor cuts last: rows repeated within an answer push others out of it.
            body["values"] = body["values"][:MOST_ROWS]
        vendor.record(
            Call(
                at=now,
                target=self.path,
                query=query,
                is_authorised=is_authorised,
                fault=fault,
                status=status,
                rows=len(body.get("values", [])),
            )
        )
        self._answer(fault, status=status, body=body, now=now)

    def _answer(self, fault: Fault | None, *, status: int, body: dict[str, Any], now: datetime) -> None:
        text = json.dumps(body)
        if fault in ERRORS:
            status, message = ERRORS[fault]
            self._send(status, json.dumps(_error(status, message)), now=now)
        elif fault in WEB_PAGES:
            status, page = WEB_PAGES[fault]
            self._send(status, page, now=now, kind="text/html")
        elif fault is Fault.ERROR_INSIDE_200:
            self._send(200, json.dumps(_error(500, "Something went wrong on our side")), now=now)
        elif fault is Fault.TRUNCATED_JSON:
            self._send(200, text[: len(text) // 2], now=now)
        elif fault is Fault.SILENCE:
            self.vendor.stopping.wait(LONGEST_HANG_SECONDS)
        elif fault in (Fault.TRICKLE, Fault.TRICKLED_HEADERS):
            head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            body_begins = f"Content-Length: {len(text)}\r\n\r\n" if fault is Fault.TRICKLE else "X-Slow: "
            self._trickle(head + body_begins)
        elif fault is Fault.RESET:
            self._reset()
        elif fault is Fault.BROKEN_BODY:
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text[:200]}".encode())
        else:
            self._send(status if self.vendor.http_status_tells else 200, text, now=now)

    def _send(self, status: int, text: str, *, now: datetime, kind: str = "application/json") -> None:
        minute, _ = self.vendor.used(now)
        payload = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("api-credits-used", str(minute))
        self.send_header("api-credits-left", str(max(0, self.vendor.credits_per_minute - minute)))
        self.end_headers()
        self.wfile.write(payload)

    def _trickle(self, head: str) -> None:
        self.wfile.write(head.encode())
        begun = time.monotonic()
        while not self.vendor.stopping.wait(0.02) and time.monotonic() - begun < LONGEST_HANG_SECONDS:
            self.wfile.write(b"x")

    def _reset(self) -> None:
        # Closing with unsent data and no lingering makes the kernel send RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _usage(self, now: datetime) -> dict[str, Any]:
        minute, day = self.vendor.used(now)
        return {
            "timestamp": now.strftime(LABEL),
            "current_usage": minute,
            "plan_limit": self.vendor.credits_per_minute,
            "daily_usage": day,
            "plan_daily_limit": self.vendor.credits_per_day,
            "plan_category": "basic",
        }


@contextlib.contextmanager
def deaf_address() -> Iterator[str]:
    """The address of a server that accepts no further connection: its queue is full, so connecting times out."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _error(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "status": "error"}


def _instant(text: str | None, *, zone: ZoneInfo, otherwise: datetime) -> datetime:
    return otherwise if text is None else datetime.fromisoformat(text).replace(tzinfo=zone)


def _number(value: float) -> str:
    """A price as the vendor writes it: trailing zeros dropped."""
    return f"{value:.8f}".rstrip("0").rstrip(".")
