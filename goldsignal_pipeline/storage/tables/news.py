"""The tables of the economic calendar: its events, and what is known of the place it comes from."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.storage.tables.base import Base, Instant, KeyText, one_of

IMPACTS = ("holiday", "low", "medium", "high")


class NewsEvent(Base):
    """An event of the economic calendar."""

    __tablename__ = "news_events"
    __table_args__ = (
        one_of("impact", IMPACTS),
        CheckConstraint("first_seen_at <= changed_at AND first_seen_at <= withdrawn_at", name="time_order"),
        {"comment": "Economic events as the calendar announces them; what the gate knew of them when is in gate_events."},
    )

    at: Mapped[Instant] = mapped_column(primary_key=True, comment="When it happens, UTC.")
    currency: Mapped[KeyText] = mapped_column(primary_key=True, comment="Currency it concerns, or All.")
    title: Mapped[KeyText] = mapped_column(primary_key=True, comment="What is announced.")
    impact: Mapped[KeyText] = mapped_column(comment="holiday, low, medium or high; high USD events stop signals.")
    forecast: Mapped[str | None] = mapped_column(Text, comment="What is expected, as it was written; NULL when unknown.")
    previous: Mapped[str | None] = mapped_column(Text, comment="The figure before, as it was written; NULL when unknown.")
    source: Mapped[str] = mapped_column(Text, comment="Calendar that named it last.")
    first_seen_at: Mapped[Instant] = mapped_column(comment="When a calendar named it first.")
    changed_at: Mapped[Instant] = mapped_column(comment="When the row last changed.")
    withdrawn_at: Mapped[Instant | None] = mapped_column(comment="When the calendar no longer named it; NULL while it does.")


class NewsSource(Base):
    """A place from which the calendar was asked for."""

    __tablename__ = "news_sources"
    __table_args__ = ({"comment": "Calendars that were asked for: marks of the last answer, and until when they ask for quiet."},)

    source: Mapped[KeyText] = mapped_column(primary_key=True, comment="File, or host and path.")
    etag: Mapped[str | None] = mapped_column(Text, comment="Mark of the last answer; NULL without any.")
    last_modified: Mapped[str | None] = mapped_column(Text, comment="Date of the last answer; NULL without any.")
    answered_at: Mapped[Instant | None] = mapped_column(comment="When it last answered with a calendar, or that it is unchanged.")
    quiet_until: Mapped[Instant | None] = mapped_column(comment="It is not asked before; NULL when it may be.")
