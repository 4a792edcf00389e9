"""The outbox: messages that are owed, what each channel did about them, every attempt, and when all of them were muted."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Identity, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.storage.tables.base import Base, Instant, JsonText, KeyText, one_of

ALERT_KINDS = (
    "published",
    "filled",
    "tp1_reached",
    "closed",
    "corrected",
    "health",
    "breaker",
    "data_blocked",
    "operator",
    "digest",
)
DELIVERY_STATES = ("owed", "sent", "refused", "lapsed")
ATTEMPT_RESULTS = ("sent", "failed", "unclear", "refused")


class Alert(Base):
    """A message that is owed."""

    __tablename__ = "alerts"
    __table_args__ = (
        one_of("kind", ALERT_KINDS),
        CheckConstraint("useful_until > at", name="useful_until"),
        Index("uq_alerts_natural_key", "natural_key", unique=True),
        Index("ix_alerts_at", "at"),
        {
            "comment": "Append-only messages owed for what happened live, each once; channels deliver them. UPDATE, DELETE and "
            "TRUNCATE are refused."
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the message.")
    natural_key: Mapped[KeyText] = mapped_column(comment="What it is about; the same is owed once.")
    kind: Mapped[KeyText] = mapped_column(
        comment="published, filled, tp1_reached, closed, corrected, health, breaker, data_blocked, operator or digest."
    )
    symbol: Mapped[KeyText | None] = mapped_column(comment="Symbol it concerns; NULL for the system.")
    thread: Mapped[KeyText | None] = mapped_column(comment="Natural key of the message it answers: that of its signal.")
    at: Mapped[Instant] = mapped_column(comment="When what it tells became known, UTC.")
    owed_at: Mapped[Instant] = mapped_column(comment="When it was found to be owed, UTC.")
    useful_until: Mapped[Instant] = mapped_column(comment="When it is of no use any more and is not sent, UTC.")
    message: Mapped[JsonText] = mapped_column(comment="Headline, body and foot, without markup.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that found it; NULL for the sender.")


class AlertChannel(Base):
    """A channel that messages go through."""

    __tablename__ = "alert_channels"
    __table_args__ = ({"comment": "Channels that were ever configured; a sender holds the row of the one it sends through."},)

    channel: Mapped[KeyText] = mapped_column(primary_key=True, comment="Service and a digest of its address.")
    since: Mapped[Instant] = mapped_column(comment="When it was first configured; older messages are owed only while of use.")
    quiet_until: Mapped[Instant | None] = mapped_column(comment="Nothing is sent before: the service asked for it, or fails.")
    moved_to: Mapped[str | None] = mapped_column(Text, comment="Where the service says that the chat is now.")


class AlertDelivery(Base):
    """What a channel owes or did for a message."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        one_of("state", DELIVERY_STATES),
        ForeignKeyConstraint(("alert_id",), ("goldsignal.alerts.id",)),
        ForeignKeyConstraint(("channel",), ("goldsignal.alert_channels.channel",)),
        CheckConstraint("(state = 'owed') = (ended_at IS NULL)", name="ended_at"),
        Index("ix_alert_deliveries_owed", "channel", "alert_id", postgresql_where=text("state = 'owed'")),
        {"comment": "Each message per channel: owed, sent, refused by the service, or lapsed unsent (I17)."},
    )

    alert_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, comment="Message.")
    channel: Mapped[KeyText] = mapped_column(primary_key=True, comment="Channel.")
    state: Mapped[KeyText] = mapped_column(comment="owed, sent, refused or lapsed.")
    due_at: Mapped[Instant] = mapped_column(comment="When it may be tried next, UTC.")
    ended_at: Mapped[Instant | None] = mapped_column(comment="When it left the state owed; NULL while owed.")
    reference: Mapped[str | None] = mapped_column(Text, comment="The service's own name of the message; answers refer to it.")
    error: Mapped[str | None] = mapped_column(Text, comment="Why it was not delivered, secrets removed.")


class AlertAttempt(Base):
    """A call to a service."""

    __tablename__ = "alert_attempts"
    __table_args__ = (
        one_of("result", ATTEMPT_RESULTS),
        ForeignKeyConstraint(
            ("alert_id", "channel"), ("goldsignal.alert_deliveries.alert_id", "goldsignal.alert_deliveries.channel")
        ),
        CheckConstraint("number > 0", name="number"),
        Index("ix_alert_attempts_channel_started_at", "channel", "started_at"),
        {"comment": "Every call to a service, written before it is made: one without a result was cut off and may have arrived."},
    )

    alert_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, comment="Message.")
    channel: Mapped[KeyText] = mapped_column(primary_key=True, comment="Channel.")
    number: Mapped[int] = mapped_column(Integer, primary_key=True, comment="Which attempt, from 1.")
    started_at: Mapped[Instant] = mapped_column(comment="When the call began, UTC.")
    result: Mapped[KeyText | None] = mapped_column(comment="sent, failed, unclear or refused; NULL when it was cut off.")
    error: Mapped[str | None] = mapped_column(Text, comment="What went wrong, secrets removed.")


class AlertMute(Base):
    """A time in which nothing is sent."""

    __tablename__ = "alert_mutes"
    __table_args__ = (
        {"comment": "Times in which the user wanted no messages; the newest row holds. What is useful afterwards is sent then."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the wish.")
    at: Mapped[Instant] = mapped_column(comment="When it was uttered, UTC.")
    until: Mapped[Instant] = mapped_column(comment="Until when nothing is sent, UTC; not after `at` ends it.")
