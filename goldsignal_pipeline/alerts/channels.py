"""What a channel is: it sends one letter and says what came of it.

A channel never retries and never sleeps; the sender decides that from the answer. Errors are answers, without secrets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from goldsignal_pipeline.alerts.messages import Message


@dataclass(frozen=True, slots=True)
class Letter:
    """A message with what belongs to it: a picture (PNG), the message it answers, where the chat has moved to."""

    message: Message
    picture: bytes | None = None
    replies_to: str | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The service took it; `reference` is its name of the message, `moved_to` where the chat is now when it has moved."""

    reference: str | None = None
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """It may succeed later; `after_seconds` is what the service asked for, None when it was not reached or failed."""

    why: str
    may_have_arrived: bool
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The service will never take it as it is."""

    why: str


Answer = Delivered | Later | Refused


class Channel(Protocol):
    """A service and an address of it."""

    @property
    def name(self) -> str:
        """A name for tables and people: the service and a digest of the address, no secret."""

    def send(self, letter: Letter) -> Answer:
        """Make one call, in bounded time."""


def channel_name(service: str, address: str) -> str:
    """The name of a channel, which tells two addresses of one service apart and reveals neither."""
    return f"{service}-{hashlib.sha256(address.encode()).hexdigest()[:6]}"
