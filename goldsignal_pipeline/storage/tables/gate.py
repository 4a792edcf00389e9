"""The tables of deciding: what no candle can tell it, and what it remembers from month to month."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.storage.tables.base import Base, Instant, JsonText, KeyText, month_form, one_of
from goldsignal_pipeline.storage.tables.words import GATE_EVENT_KINDS


class GateEvent(Base):
    """Something the gate is told besides candles."""

    __tablename__ = "gate_events"
    __table_args__ = (
        one_of("kind", GATE_EVENT_KINDS),
        CheckConstraint("symbol IS NOT NULL OR (kind <> 'live_since' AND kind <> 'decided')", name="symbol"),
        CheckConstraint("strategy IS NOT NULL OR (kind <> 'enable' AND kind <> 'disable')", name="strategy"),
        Index("uq_gate_events_natural_key", "natural_key", unique=True),
        Index("ix_gate_events_at", "at"),
        {
            "comment": "Append-only inputs of deciding: live verdicts, pauses, settings, news as it was known. UPDATE, DELETE "
            "and TRUNCATE are refused."
        },
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the event.")
    natural_key: Mapped[KeyText] = mapped_column(comment="Identity of the event; the same event is stored once.")
    at: Mapped[Instant] = mapped_column(comment="Instant from which it holds, UTC.")
    recorded_at: Mapped[Instant] = mapped_column(comment="Wall clock when it was recorded.")
    kind: Mapped[KeyText] = mapped_column(comment="live_since, decided, pause, resume, enable, disable, settings or news.")
    symbol: Mapped[KeyText | None] = mapped_column(comment="Symbol it concerns; NULL for all.")
    strategy: Mapped[KeyText | None] = mapped_column(comment="Strategy it concerns; NULL for all.")
    detail: Mapped[JsonText] = mapped_column(comment="What belongs to it: a verdict, settings, an instant of news.")


class GateState(Base):
    """What deciding remembers at the end of a month."""

    __tablename__ = "gate_states"
    __table_args__ = (
        month_form(),
        {"comment": "All that deciding remembers at the end of each month, so that the next begins there."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    month: Mapped[KeyText] = mapped_column(primary_key=True, comment="UTC month YYYY-MM at whose end it holds.")
    state: Mapped[JsonText] = mapped_column(comment="The state, canonical.")
    digest: Mapped[str] = mapped_column(Text, comment="Digest of the state.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that folded it.")
