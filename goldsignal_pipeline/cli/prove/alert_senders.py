"""Real senders as processes of their own, to be killed: two at once on one chat, until as many kills as asked for were made.

1. Processes are forked from a clean one that has imported everything, so that a start costs little and holds nothing of ours.
2. Messages are owed faster than they are sent; at random instants one of the two senders is ended by SIGKILL and replaced.
3. Afterwards the rest is sent. `Killed` says what the reader has: nothing may be lost, and of several copies of a message all but
   one say that they may be repeats.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr
from sqlalchemy import text

from goldsignal_pipeline.alerts.messages import REPEAT_MARK, Message, message_id
from goldsignal_pipeline.alerts.sender import Sender
from goldsignal_pipeline.alerts.telegram import Telegram
from goldsignal_pipeline.cli.prove.telegram_server import Call, Reply, TelegramServer
from goldsignal_pipeline.providers.transport import ssl_context
from goldsignal_pipeline.storage import alerts
from goldsignal_pipeline.storage.alerts import Owed
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.scratch import address

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

SENDERS: Final = 2
TOKEN: Final = "1:made-up"  # noqa: S105  # of a server on this machine
CHAT: Final = "1"
_BACKLOG: Final = 12
_LONGEST_AFTER_CALL_SECONDS: Final = 0.03
_LONGEST_WAIT_SECONDS: Final = 5.0
_LATENCY_SECONDS: Final = 0.008
_DRAIN_SECONDS: Final = 60.0
# Read once, in the clean process: it would take most of a short life.
ssl_context()
_ID: Final = re.compile(r"message ([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class Killed:
    """What came of killing senders: messages owed and delivered, copies, and what must not be."""

    kills: int
    owed: int
    cut_off: int
    copies: int
    repeats: int
    lost: tuple[str, ...] = ()
    unmarked: tuple[str, ...] = ()
    seconds: float = field(default=0.0, kw_only=True)

    @property
    def passed(self) -> bool:
        """Nothing was lost, and no copy but one kept silent."""
        return not self.lost and not self.unmarked


def send_until_killed(database_url: str, telegram_url: str, seed: int) -> None:
    """The work of a process: a sender without pace."""
    database = Database(database_url, connections=2)
    channel = Telegram(SecretStr(TOKEN), chat=CHAT, base_url=telegram_url)
    chance = random.Random(seed)  # noqa: S311  # jitter, no secret
    sender = Sender(database, [channel], lambda: datetime.now(UTC), pace=timedelta(0), chance=chance)
    sender.run(threading.Event(), poll=timedelta(milliseconds=5))


def owe(database: Database, keys: range) -> None:
    """Owe a message for each number."""
    now = datetime.now(UTC)
    with database.transaction() as connection:
        for number in keys:
            key = f"made up:{number}"
            message = Message(f"Message {number}", (), f"message {message_id(key)}").to_json()
            owed = Owed(key, "operator", None, None, now, now + timedelta(days=1), message)
            alerts.owe(connection, owed, now=now, run_id=None)


def kill_senders(database: Database, *, kills: int, seed: int, note: Callable[[str], None] = lambda _: None) -> Killed:
    """Kill senders on an empty database until it was done `kills` times, then let the rest be sent."""
    begin, chance = time.monotonic(), random.Random(seed)  # noqa: S311  # when to kill, no secret
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])

    def slow(call: Call) -> Reply:
        time.sleep(chance.uniform(0, _LATENCY_SECONDS))
        return Reply(200, accepts=True, seconds=chance.uniform(0, _LATENCY_SECONDS))

    with TelegramServer(slow) as server:
        started, owed = 0, 0

        def start() -> BaseProcess:
            nonlocal started
            started += 1
            process = context.Process(target=send_until_killed, args=(address(database), server.url, seed + started), daemon=True)
            process.start()
            return process

        senders = [start() for _ in range(SENDERS)]
        try:
            for kill in range(kills):
                missing = _BACKLOG - (owed - _sent(database))
                owe(database, range(owed, owed + max(0, missing)))
                owed += max(0, missing)
                _wait_for_call(server)
                time.sleep(chance.uniform(0, _LONGEST_AFTER_CALL_SECONDS))
                place = chance.randrange(SENDERS)
                _end(senders[place])
                senders[place] = start()
                if (kill + 1) % 100 == 0:
                    note(f"{kill + 1} kills, {len(server.accepted)} messages arrived.")
            _drain(database, owed)
        finally:
            for process in senders:
                _end(process)
        return _verdict(database, server, kills=kills, owed=owed, seconds=time.monotonic() - begin)


def _verdict(database: Database, server: TelegramServer, *, kills: int, owed: int, seconds: float) -> Killed:
    ids = [message_id(f"made up:{number}") for number in range(owed)]
    copies, silent = Counter[str](), Counter[str]()
    for call in server.accepted.values():
        found = _ID.search(call.text)
        own = found.group(1) if found else ""
        copies[own] += 1
        silent[own] += REPEAT_MARK not in call.text
    with database.transaction(read_only=True) as connection:
        cut_off = connection.execute(text("SELECT count(*) FROM alert_attempts WHERE result IS NULL")).scalar_one()
        not_sent = connection.execute(text("SELECT count(*) FROM alert_deliveries WHERE state <> 'sent'")).scalar_one()
    lost = [one for one in ids if not copies[one]] + [f"{not_sent} not marked as sent"] * bool(not_sent)
    return Killed(
        kills,
        owed,
        cut_off,
        sum(copies.values()),
        sum(count - 1 for count in copies.values()),
        tuple(lost),
        tuple(one for one, count in silent.items() if count > 1),
        seconds=seconds,
    )


def _wait_for_call(server: TelegramServer) -> None:
    """Wait until something is sent, so that kills hit senders at work and not only their starts."""
    calls, deadline = len(server.calls), time.monotonic() + _LONGEST_WAIT_SECONDS
    while len(server.calls) == calls and time.monotonic() < deadline:
        time.sleep(0.002)


def _sent(database: Database) -> int:
    with database.transaction(read_only=True) as connection:
        sent: Any = connection.execute(text("SELECT count(*) FROM alert_deliveries WHERE state = 'sent'")).scalar_one()
    return int(sent)


def _drain(database: Database, owed: int) -> None:
    deadline = time.monotonic() + _DRAIN_SECONDS
    while _sent(database) < owed and time.monotonic() < deadline:
        time.sleep(0.02)


def _end(process: BaseProcess) -> None:
    process.kill()
    process.join()
