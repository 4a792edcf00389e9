"""The sender: owes, claims, sends, and writes what came of it; killed at any point it loses nothing (I17).

One round (`Sender.round`):
1. What is owed since the last round is found and enlisted for the channels; what is of no use any more lapses, visibly.
2. For each channel that need not rest, the first owed message is claimed. The row stays locked until the round ends; the lock
   dies with the process.
3. That an attempt begins is committed on another connection, then the call is made. An attempt without a result was cut off: the
   message that is sent after it says that it may be a repeat.
4. The answer is committed: sent, refused (a dead letter, and an operator event), or owed again, later each time, not for a number
   of times but for as long as the message is of use (mistake 19).
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from goldsignal_pipeline.alerts.channels import Answer, Channel, Delivered, Later, Letter
from goldsignal_pipeline.alerts.messages import Message, message_id
from goldsignal_pipeline.storage import alerts, operator_events
from goldsignal_pipeline.storage.alerts import Claim
from goldsignal_pipeline.storage.database import Database, DatabaseError

logger = logging.getLogger(__name__)

PACE: Final = timedelta(seconds=1)
"""Between two messages to one chat; Telegram allows about one a second."""
_LATE: Final = timedelta(minutes=5)
_FIRST_DELAY_SECONDS: Final = 2.0
_LONGEST_DELAY_SECONDS: Final = 300.0
_LONGEST_REST_SECONDS: Final = 30.0
_LONGEST_DOUBLING: Final = 12


def owe_nothing(connection: Connection, now: datetime) -> None:
    """Nothing is owed but what runs of the graph found."""


def draw_nothing(claimed: Claim) -> bytes | None:
    """No message has a picture."""
    return None


@dataclass
class Sender:
    """Sends through `channels` what the database owes.

    `owe` finds what no run of the graph can (a run that failed), `draw` gives a message its picture.
    """

    database: Database
    channels: Sequence[Channel]
    clock: Callable[[], datetime]
    owe: Callable[[Connection, datetime], object] = owe_nothing
    draw: Callable[[Claim], bytes | None] = draw_nothing
    pace: timedelta = PACE
    chance: random.Random = field(default_factory=random.Random)

    def run(self, stop: threading.Event, *, poll: timedelta = timedelta(seconds=1)) -> None:
        """Rounds until `stop`; a database that does not answer is waited for, and no fault ends the sender."""
        while not stop.is_set():
            sent = 0
            try:
                sent = self.round()
            except DatabaseError as error:
                logger.warning("The outbox cannot be read, trying again: %s", error)
            except Exception:
                logger.exception("A round of the sender failed, trying again")
            if not sent or self.pace:
                stop.wait(poll.total_seconds())

    def round(self) -> int:
        """One message per channel at most; returns how many calls were made."""
        names = [channel.name for channel in self.channels]
        with self.database.transaction() as connection:
            now = self.clock()
            self.owe(connection, now)
            alerts.open_channels(connection, names, now=now)
            alerts.enlist(connection, names, now=now)
            for alert_id, channel, error in alerts.lapse(connection, now=now):
                _tell_dead(connection, "lapsed", what=f"{alert_id}", channel=channel, why=error, now=now)
            if alerts.muted_until(connection, now=now) is not None:
                return 0
        return sum(self._send_first(channel) for channel in self.channels)

    def _send_first(self, channel: Channel) -> int:
        with self.database.transaction() as holding:
            claimed = alerts.claim(holding, channel.name, now=self.clock(), pace=self.pace)
            if claimed is None:
                return 0
            letter = self._letter(claimed)
            with self.database.transaction() as beginning:
                alerts.begin_attempt(beginning, claimed, at=self.clock())
            answer = _sent(channel, letter)
            self._settle(holding, claimed, answer)
        return 1

    def _letter(self, claimed: Claim) -> Letter:
        message = Message.from_json(claimed.message)
        age = self.clock() - claimed.at
        if claimed.kind == "published" and age > _LATE:
            message = message.with_first_line(f"SENT LATE: known {int(age.total_seconds() // 60)} min before it could be sent.")
        if claimed.may_have_arrived:
            message = message.repeated
        return Letter(message, self._picture(claimed), claimed.replies_to, claimed.moved_to)

    def _picture(self, claimed: Claim) -> bytes | None:
        try:
            return self.draw(claimed)
        except Exception:
            logger.exception("Message %s goes without its picture", message_id(claimed.natural_key))
            return None

    def _settle(self, connection: Connection, claimed: Claim, answer: Answer) -> None:
        now = self.clock()
        match answer:
            case Delivered(reference=reference, moved_to=moved_to):
                alerts.end_attempt(connection, claimed, at=now, result="sent", state="sent", reference=reference)
                if moved_to is not None:
                    alerts.move(connection, claimed.channel, to=moved_to)
                    _tell_moved(connection, claimed.channel, now=now)
            case Later():
                self._postpone(connection, claimed, answer, now=now)
            case _:
                alerts.end_attempt(connection, claimed, at=now, result="refused", state="refused", error=answer.why)
                what = claimed.natural_key
                _tell_dead(connection, "refused", what=what, channel=claimed.channel, why=answer.why, now=now)
        logger.info("Message %s through %s: %s", message_id(claimed.natural_key), claimed.channel, type(answer).__name__)

    def _postpone(self, connection: Connection, claimed: Claim, answer: Later, *, now: datetime) -> None:
        # Jitter, so that many who were turned away together do not come back together.
        doubled = _FIRST_DELAY_SECONDS * 2 ** min(claimed.number - 1, _LONGEST_DOUBLING)
        delay = min(doubled, _LONGEST_DELAY_SECONDS) * self.chance.uniform(0.5, 1.0)
        if answer.after_seconds is None:
            rest = min(delay, _LONGEST_REST_SECONDS)
        else:
            rest = delay = answer.after_seconds
        result = "unclear" if answer.may_have_arrived else "failed"
        due_at = now + timedelta(seconds=delay)
        alerts.end_attempt(connection, claimed, at=now, result=result, state="owed", due_at=due_at, error=answer.why)
        alerts.keep_quiet(connection, claimed.channel, until=now + timedelta(seconds=rest))


def _sent(channel: Channel, letter: Letter) -> Answer:
    """The answer of a channel; a fault of the program is one too, so that one letter cannot hold up all others."""
    try:
        return channel.send(letter)
    except Exception as error:
        logger.exception("Channel %s failed", channel.name)
        return Later(f"the channel failed ({type(error).__name__})", may_have_arrived=True)


def _tell_dead(connection: Connection, how: str, *, what: str, channel: str, why: str, now: datetime) -> None:
    operator_events.append(
        connection,
        at=now,
        kind=f"alert_{how}",
        severity="warning",
        message=f"A message was not delivered through {channel}: {why}",
        cause=None,
        run_id=None,
        natural_key=f"alert_{how}:{channel}:{what}",
    )


def _tell_moved(connection: Connection, channel: str, *, now: datetime) -> None:
    operator_events.append(
        connection,
        at=now,
        kind="alert_chat_moved",
        severity="warning",
        message=f"The chat of {channel} has a new id; messages go there. Put it into GOLDSIGNAL_TELEGRAM_CHAT_ID.",
        cause=None,
        run_id=None,
        natural_key=f"alert_chat_moved:{channel}",
    )
