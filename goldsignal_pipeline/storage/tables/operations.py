"""What running the pipeline leaves behind: vendor credits, digests of months, events for the operator."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Identity, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.storage.tables.base import Base, Instant, KeyText, month_form, one_of

CREDIT_EVENTS = ("use", "minute_exhausted", "day_exhausted")
SEVERITIES = ("info", "warning", "error")


class CreditUse(Base):
    """A call that was granted, or the vendor's word that a limit is used up."""

    __tablename__ = "credit_uses"
    __table_args__ = (
        one_of("event", CREDIT_EVENTS),
        CheckConstraint("credits >= 0", name="credits"),
        Index("ix_credit_uses_vendor_at", "vendor", "at"),
        {"comment": "Vendor credits granted to any process, and limits the vendor itself reported; the shared budget."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the entry.")
    vendor: Mapped[KeyText] = mapped_column(comment="Vendor whose credits are meant.")
    at: Mapped[Instant] = mapped_column(comment="When they were granted, or the limit was reported.")
    event: Mapped[KeyText] = mapped_column(comment="use, minute_exhausted or day_exhausted.")
    credits: Mapped[int] = mapped_column(Integer, comment="Credits granted; 0 for a reported limit.")


class PartitionDigest(Base):
    """What a month of an asset contained, and what it was made of."""

    __tablename__ = "partition_digests"
    __table_args__ = (
        month_form(),
        CheckConstraint("rows >= 0", name="rows"),
        {"comment": "Digest per asset, symbol and month: tells which months are missing, incomplete or older than their inputs."},
    )

    asset: Mapped[KeyText] = mapped_column(primary_key=True, comment="Asset, named as its table.")
    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    month: Mapped[KeyText] = mapped_column(primary_key=True, comment="Partition, UTC month YYYY-MM.")
    rows: Mapped[int] = mapped_column(BigInteger, comment="Rows the month holds.")
    digest: Mapped[str] = mapped_column(Text, comment="Digest of those rows.")
    inputs_digest: Mapped[str] = mapped_column(Text, comment="Digest of the months it was made from, versions included.")
    complete: Mapped[bool] = mapped_column(Boolean, comment="False while an input is missing or older than its own digest says.")
    code_version: Mapped[str] = mapped_column(Text, comment="Code version of the asset.")
    computed_at: Mapped[Instant] = mapped_column(comment="When the month last changed.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that computed it.")


class OperatorEvent(Base):
    """Something a person should know."""

    __tablename__ = "operator_events"
    __table_args__ = (
        one_of("severity", SEVERITIES),
        Index("uq_operator_events_natural_key", "natural_key", unique=True),
        Index("ix_operator_events_at", "at"),
        {"comment": "Append-only events for the operator: failed runs and checks, repairs, exhausted limits. Each is told once."},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the event.")
    at: Mapped[Instant] = mapped_column(comment="When it happened.")
    kind: Mapped[KeyText] = mapped_column(comment="What kind of event, for example run_failed.")
    severity: Mapped[KeyText] = mapped_column(comment="info, warning or error.")
    message: Mapped[str] = mapped_column(Text, comment="One sentence for a person.")
    cause: Mapped[str | None] = mapped_column(Text, comment="The error behind it, secrets removed.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run it concerns.")
    natural_key: Mapped[KeyText] = mapped_column(comment="Identity of the occurrence; the same occurrence is stored once.")
