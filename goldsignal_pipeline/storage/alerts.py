"""The outbox of messages: owing, enlisting for channels, claiming, telling how an attempt ended.

1. `owe` stores a message once. `enlist` makes every message owed by a channel; `lapse` ends what is of no use any more.
2. `claim` takes, in the caller's transaction, a channel nobody else sends through and the message it owes first
   (FOR NO KEY UPDATE SKIP LOCKED): one sender at a time per chat, and a dead one holds nothing.
3. `begin_attempt` is committed on a connection of its own before the call. An attempt that never got a result was cut off: the
   message may have arrived, and the claim after it says so (`may_have_arrived`).
4. `end_attempt` writes what came of it, in the transaction of the claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

SEPARATOR: Final = "|"
"""Between the parts of a natural key."""
_OWE: Final = text("""
    INSERT INTO alerts (natural_key, kind, symbol, thread, at, owed_at, useful_until, message, run_id)
    VALUES (:natural_key, :kind, :symbol, :thread, :at, :owed_at, :useful_until, CAST(:message AS json), :run_id)
    ON CONFLICT (natural_key) DO NOTHING RETURNING id
""")
_ENLIST: Final = text("""
    INSERT INTO alert_deliveries (alert_id, channel, state, due_at)
    SELECT owed.id, channel.channel, 'owed', CAST(:now AS timestamptz)
    FROM alerts AS owed JOIN alert_channels AS channel ON channel.channel = ANY (:channels)
    WHERE (owed.useful_until > CAST(:now AS timestamptz) OR owed.at >= channel.since)
      AND NOT EXISTS (
        SELECT FROM alert_deliveries AS held WHERE held.alert_id = owed.id AND held.channel = channel.channel)
    ON CONFLICT (alert_id, channel) DO NOTHING
""")
_LAPSE: Final = text("""
    UPDATE alert_deliveries AS delivery SET state = 'lapsed', ended_at = :now,
        error = coalesce(delivery.error, 'no longer of use when it could be sent')
    FROM (
        SELECT held.alert_id, held.channel FROM alert_deliveries AS held JOIN alerts AS owed ON owed.id = held.alert_id
        WHERE held.state = 'owed' AND owed.useful_until <= :now FOR NO KEY UPDATE OF held SKIP LOCKED
    ) AS useless
    WHERE delivery.alert_id = useless.alert_id AND delivery.channel = useless.channel
    RETURNING delivery.alert_id, delivery.channel, delivery.error
""")
_FREE_CHANNEL: Final = text("""
    SELECT channel.moved_to, channel.quiet_until, (
        SELECT max(started_at) FROM alert_attempts AS attempt WHERE attempt.channel = channel.channel) AS last_attempt
    FROM alert_channels AS channel WHERE channel.channel = :channel FOR NO KEY UPDATE SKIP LOCKED
""")
_FIRST_OWED: Final = text("""
    SELECT delivery.alert_id, owed.natural_key, owed.kind, owed.symbol, owed.at, owed.message::text AS message,
        (SELECT told.reference FROM alerts AS signal JOIN alert_deliveries AS told ON told.alert_id = signal.id
         WHERE signal.natural_key = owed.thread AND told.channel = delivery.channel) AS replies_to
    FROM alert_deliveries AS delivery JOIN alerts AS owed ON owed.id = delivery.alert_id
    WHERE delivery.channel = :channel AND delivery.state = 'owed' AND delivery.due_at <= :now
    ORDER BY delivery.alert_id LIMIT 1 FOR NO KEY UPDATE OF delivery SKIP LOCKED
""")
_ATTEMPTS: Final = text("""
    SELECT count(*) AS attempts, coalesce(bool_or(result IS NULL OR result = 'unclear'), false) AS may_have_arrived
    FROM alert_attempts WHERE alert_id = :alert_id AND channel = :channel
""")
_BEGIN: Final = text("""
    INSERT INTO alert_attempts (alert_id, channel, number, started_at) VALUES (:alert_id, :channel, :number, :at)
""")
_END: Final = text("""
    UPDATE alert_attempts SET result = :result, error = :error
    WHERE alert_id = :alert_id AND channel = :channel AND number = :number
""")
_SETTLE: Final = text("""
    UPDATE alert_deliveries SET state = :state, ended_at = CASE WHEN :state = 'owed' THEN NULL ELSE CAST(:at AS timestamptz) END,
        due_at = coalesce(CAST(:due_at AS timestamptz), due_at), reference = coalesce(:reference, reference), error = :error
    WHERE alert_id = :alert_id AND channel = :channel
""")
_OUTBOX: Final = text("""
    SELECT channel.channel, channel.quiet_until,
        count(*) FILTER (WHERE state = 'owed') AS owed, count(*) FILTER (WHERE state = 'sent') AS sent,
        count(*) FILTER (WHERE state = 'refused') AS refused, count(*) FILTER (WHERE state = 'lapsed') AS lapsed,
        count(*) FILTER (WHERE state IN ('refused', 'lapsed') AND ended_at >= :since) AS dead_since,
        min(owed.owed_at) FILTER (WHERE state = 'owed') AS oldest_owed, max(ended_at) FILTER (WHERE state = 'sent') AS last_sent
    FROM alert_channels AS channel LEFT JOIN alert_deliveries AS delivery USING (channel)
    LEFT JOIN alerts AS owed ON owed.id = delivery.alert_id
    GROUP BY channel.channel, channel.quiet_until ORDER BY channel.channel
""")
_NEWEST: Final = text("""
    SELECT owed.natural_key, owed.kind, owed.at, owed.useful_until, owed.message ->> 'headline' AS headline, delivery.channel,
        delivery.state, delivery.ended_at, delivery.error, (
            SELECT count(*) FROM alert_attempts AS attempt
            WHERE attempt.alert_id = delivery.alert_id AND attempt.channel = delivery.channel) AS attempts
    FROM alerts AS owed LEFT JOIN alert_deliveries AS delivery ON delivery.alert_id = owed.id
    WHERE :only_dead = false OR delivery.state IN ('refused', 'lapsed')
    ORDER BY owed.id DESC, delivery.channel LIMIT :limit
""")
_RETRY: Final = text("""
    UPDATE alert_deliveries AS delivery SET state = 'owed', ended_at = NULL, due_at = :now FROM alerts AS owed
    WHERE owed.id = delivery.alert_id AND delivery.state = 'refused' AND owed.useful_until > :now RETURNING delivery.alert_id
""")


@dataclass(frozen=True, slots=True)
class Owed:
    """A message to be owed; `message` is its JSON text."""

    natural_key: str
    kind: str
    symbol: str | None
    thread: str | None
    at: datetime
    useful_until: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is the caller's to send until its transaction ends; `number` is that of the attempt it may make."""

    alert_id: int
    channel: str
    natural_key: str
    kind: str
    symbol: str | None
    at: datetime
    message: str
    replies_to: str | None
    moved_to: str | None
    number: int
    may_have_arrived: bool


@dataclass(frozen=True, slots=True)
class Outbox:
    """What a channel did and owes."""

    channel: str
    quiet_until: datetime | None
    owed: int
    sent: int
    refused: int
    lapsed: int
    dead_since: int
    oldest_owed: datetime | None
    last_sent: datetime | None


def owe(connection: Connection, owed: Owed, *, now: datetime, run_id: str | None) -> bool:
    """Owe a message; returns False when it is owed already."""
    parameters = {name: getattr(owed, name) for name in Owed.__slots__}
    return connection.execute(_OWE, {**parameters, "owed_at": now, "run_id": run_id}).first() is not None


def known_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Those of the natural keys that are owed already."""
    query = text("SELECT natural_key FROM alerts WHERE natural_key = ANY (:keys)")
    return set(connection.execute(query, {"keys": list(keys)}).scalars())


def open_channels(connection: Connection, channels: Sequence[str], *, now: datetime) -> None:
    """Know the channels that are configured."""
    query = text("INSERT INTO alert_channels (channel, since) VALUES (:channel, :now) ON CONFLICT (channel) DO NOTHING")
    for channel in channels:
        connection.execute(query, {"channel": channel, "now": now})


def enlist(connection: Connection, channels: Sequence[str], *, now: datetime) -> int:
    """Make every message owed by the channels; returns how many are new.

    What was known before a channel was configured is owed to it only while it is of use.
    """
    return connection.execute(_ENLIST, {"channels": list(channels), "now": now}).rowcount


def lapse(connection: Connection, *, now: datetime) -> list[tuple[int, str, str]]:
    """End what is of no use any more, of any channel; returns message, channel and the last error of each."""
    return [(row.alert_id, row.channel, row.error) for row in connection.execute(_LAPSE, {"now": now})]


def claim(connection: Connection, channel: str, *, now: datetime, pace: timedelta) -> Claim | None:
    """The message that the channel owes first, unless it must rest or another sender uses it."""
    free = connection.execute(_FREE_CHANNEL, {"channel": channel}).one_or_none()
    if free is None or (free.quiet_until is not None and free.quiet_until > now):
        return None
    # A clock that was set back must not silence the channel.
    if free.last_attempt is not None and timedelta(0) <= now - free.last_attempt < pace:
        return None
    owed = connection.execute(_FIRST_OWED, {"channel": channel, "now": now}).mappings().one_or_none()
    if owed is None:
        return None
    tried = connection.execute(_ATTEMPTS, {"alert_id": owed["alert_id"], "channel": channel}).one()
    return Claim(
        **owed,
        channel=channel,
        moved_to=free.moved_to,
        number=tried.attempts + 1,
        may_have_arrived=tried.may_have_arrived,
    )


def begin_attempt(connection: Connection, claimed: Claim, *, at: datetime) -> None:
    """Write that the call is about to be made; to be committed before it is."""
    connection.execute(_BEGIN, {**_key(claimed), "at": at})


def end_attempt(
    connection: Connection,
    claimed: Claim,
    *,
    at: datetime,
    result: str,
    state: str,
    due_at: datetime | None = None,
    reference: str | None = None,
    error: str | None = None,
) -> None:
    """Write what came of the call, and the state of the delivery from now on."""
    connection.execute(_END, {**_key(claimed), "result": result, "error": error})
    settled: dict[str, Any] = {"state": state, "at": at, "due_at": due_at, "reference": reference, "error": error}
    connection.execute(_SETTLE, {**_key(claimed), **settled})


def keep_quiet(connection: Connection, channel: str, *, until: datetime) -> None:
    """Send nothing through the channel before `until`."""
    query = text("UPDATE alert_channels SET quiet_until = :until WHERE channel = :channel")
    connection.execute(query, {"channel": channel, "until": until})


def move(connection: Connection, channel: str, *, to: str) -> None:
    """Remember where the service says that the chat is now."""
    query = text("UPDATE alert_channels SET moved_to = :to WHERE channel = :channel")
    connection.execute(query, {"channel": channel, "to": to})


def retry_refused(connection: Connection, *, now: datetime) -> int:
    """Owe again what services refused and what is still of use; returns how many."""
    return len(connection.execute(_RETRY, {"now": now}).all())


def mute(connection: Connection, *, at: datetime, until: datetime) -> None:
    """Send nothing until then; `until` not after `at` ends it."""
    query = text("INSERT INTO alert_mutes (at, until) VALUES (:at, :until)")
    connection.execute(query, {"at": at, "until": until})


def muted_until(connection: Connection, *, now: datetime) -> datetime | None:
    """Until when nothing is sent; None when it is not muted."""
    until: datetime | None = connection.execute(text("SELECT until FROM alert_mutes ORDER BY id DESC LIMIT 1")).scalar()
    return until if until is not None and until > now else None


def outboxes(connection: Connection, *, since: datetime) -> list[Outbox]:
    """What every channel did and owes; `dead_since` counts what was refused or lapsed from then on."""
    return [Outbox(**row) for row in connection.execute(_OUTBOX, {"since": since}).mappings()]


def newest(connection: Connection, *, limit: int, only_dead: bool = False) -> list[dict[str, Any]]:
    """The newest messages with what each channel did, newest first; only those that were never delivered when asked."""
    return [dict(row) for row in connection.execute(_NEWEST, {"limit": limit, "only_dead": only_dead}).mappings()]


def _key(claimed: Claim) -> dict[str, Any]:
    return {"alert_id": claimed.alert_id, "channel": claimed.channel, "number": claimed.number}
