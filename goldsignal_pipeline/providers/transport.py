"""One HTTP GET that ends in bounded time, whatever the other side does.

`httpx` limits each read; a server that sends one byte at a time passes such a limit for hours. A watchdog therefore
shuts the socket down when the whole call has lasted `total_seconds`, be it in the headers or in the body.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from ssl import SSLContext
from typing import Any, Protocol, Self

import httpx

from goldsignal_pipeline.providers.base import VendorUnavailableError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take to connect, to stay silent, and in all."""

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    total_seconds: float = 45.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status, the body as text, and the headers by their names in small letters."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def get(
    url: str,
    *,
    timeouts: Timeouts,
    vendor: str,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    auth: httpx.Auth | None = None,
) -> Answer:
    """Fetch one address; raises `VendorUnavailableError` when no complete answer arrives in time.

    A connection is used once, so a half-dead one can never serve the next call. Redirects are not followed: they would
    carry the key to an address nobody chose.
    """
    limit = httpx.Timeout(timeouts.read_seconds, connect=timeouts.connect_seconds)
    with Watchdog(seconds=timeouts.total_seconds) as watchdog:
        try:
            with httpx.Client(verify=ssl_context(), timeout=limit, auth=auth, follow_redirects=False) as client:
                # Parameters that are given replace those of the address; none must leave them alone.
                asked = dict(params) if params is not None else None
                response = client.get(url, params=asked, headers=dict(headers or {}), extensions={"trace": watchdog.observe})
            if not watchdog.has_fired:
                text = response.content.decode("utf-8", errors="replace")
                return Answer(status=response.status_code, text=text, headers=dict(response.headers))
        except httpx.HTTPError as error:
            if not watchdog.has_fired:
                raise VendorUnavailableError(_cause(error, timeouts=timeouts, vendor=vendor), fix=_NETWORK_FIX) from error
    raise VendorUnavailableError(f"{vendor} did not complete its answer within {timeouts.total_seconds:g} s.", fix=_NETWORK_FIX)


_NETWORK_FIX = "Check the network of this machine and the vendor's status page; the next cycle asks again."


def _cause(error: httpx.HTTPError, *, timeouts: Timeouts, vendor: str) -> str:
    # Only the type is quoted: the text of a transport error may repeat what was sent.
    match error:
        case httpx.ConnectTimeout():
            return f"{vendor} accepted no connection within {timeouts.connect_seconds:g} s."
        case httpx.ConnectError():
            return f"{vendor} could not be reached (name lookup, refused connection or TLS)."
        case httpx.TimeoutException():
            return f"{vendor} fell silent for {timeouts.read_seconds:g} s."
        case _:
            return f"{vendor} broke off its answer ({type(error).__name__})."


@lru_cache(maxsize=1)
def ssl_context() -> SSLContext:
    """The certificates this machine trusts, read once: that takes longer than a call."""
    return httpx.create_ssl_context()


class _Stream(Protocol):
    def get_extra_info(self, info: str) -> Any: ...


class Watchdog:
    """Shuts down the socket of the call it observes when the time is over."""

    def __init__(self, *, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._fire)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._stream: _Stream | None = None
        self.has_fired = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def observe(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn the socket from the events of the `trace` extension (TLS wraps it into a new one)."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._stream = info["return_value"]
                if self.has_fired:
                    self._shut_down()

    def _fire(self) -> None:
        with self._lock:
            self.has_fired = True
            self._shut_down()

    def _shut_down(self) -> None:
        plain = self._stream.get_extra_info("socket") if self._stream is not None else None
        if plain is not None:
            # The method of the plain socket, because a TLS socket would drop its state under the reading thread.
            with suppress(OSError):
                socket.socket.shutdown(plain, socket.SHUT_RDWR)
