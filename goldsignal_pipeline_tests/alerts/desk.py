"""A sender on a real database with a clock that the test moves, and a channel to a server on this machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text

from goldsignal_pipeline.alerts.messages import Message, message_id
from goldsignal_pipeline.alerts.sender import Sender
from goldsignal_pipeline.alerts.telegram import Telegram
from goldsignal_pipeline.cli.prove.telegram_server import Call, Reply, TelegramServer
from goldsignal_pipeline.providers.transport import Timeouts
from goldsignal_pipeline.storage import alerts
from goldsignal_pipeline.storage.alerts import Owed
from goldsignal_pipeline.storage.database import Database

START = datetime(2026, 3, 2, 14, tzinfo=UTC)
TOKEN = "123456789:AAE-secret-part-of-the-token"
CHAT = "-42"
PATIENT = Timeouts(connect_seconds=30.0, read_seconds=30.0, total_seconds=60.0)
QUICK = Timeouts(connect_seconds=30.0, read_seconds=0.3, total_seconds=0.6)


@dataclass
class Script:
    """Answers to the calls in their order; None and what comes after the last one is the acceptance."""

    replies: Sequence[Reply | None] = ()

    def __call__(self, call: Call) -> Reply | None:
        return self.replies[call.number - 1] if call.number <= len(self.replies) else None


@dataclass
class Desk:
    database: Database
    server: TelegramServer
    now: datetime = START
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        channel = self.telegram(PATIENT)
        self.channel = channel.name
        self.sender = Sender(self.database, [channel], lambda: self.now, chance=random.Random(1), **self.options)

    def telegram(self, timeouts: Timeouts) -> Telegram:
        return Telegram(SecretStr(TOKEN), chat=CHAT, base_url=self.server.url, timeouts=timeouts)

    def owe(self, key: str, *, kind: str = "closed", useful: timedelta = timedelta(days=3), **message: Any) -> None:
        told = Message(message.get("headline", f"about {key}"), message.get("body", ()), f"message {message_id(key)}")
        owed = Owed(key, kind, "XAUUSD", message.get("thread"), self.now, self.now + useful, told.to_json())
        with self.database.transaction() as connection:
            alerts.owe(connection, owed, now=self.now, run_id=None)

    def round(self, *, after: float = 1.0) -> int:
        """One round, `after` seconds later."""
        self.now += timedelta(seconds=after)
        return self.sender.round()

    def rounds(self, count: int, *, after: float = 1.0) -> None:
        for _ in range(count):
            self.round(after=after)

    def rows(self, query: str) -> list[Any]:
        with self.database.transaction(read_only=True) as connection:
            return list(connection.execute(text(query)).all())

    def states(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT state FROM alert_deliveries ORDER BY alert_id")]

    @property
    def texts(self) -> list[str]:
        """What a reader has, in the order of arrival."""
        return [call.text for _, call in sorted(self.server.accepted.items())]
