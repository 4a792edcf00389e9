"""The tables of signals: the verdict on every setup, what was accepted, what became of it, and how it ended."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.storage.tables.base import (
    Base,
    Instant,
    JsonText,
    KeyText,
    Metric,
    Money,
    Price,
    TextList,
    one_of,
)
from goldsignal_pipeline.storage.tables.setups import SetupKey
from goldsignal_pipeline.storage.tables.words import (
    DIRECTIONS,
    EVIDENCE,
    GATE_REASONS,
    ORIGINS,
    REGIMES,
    RESULTS,
    SIGNAL_EVENT_KINDS,
    levels,
    planned_risk,
    quoted,
    signal_reference,
    strategy_reference,
)


class GateDecision(SetupKey, Base):
    """The verdict of the gate on a setup."""

    __tablename__ = "gate_decisions"
    __table_args__ = (
        one_of("direction", DIRECTIONS),
        one_of("origin", ORIGINS),
        one_of("evidence", EVIDENCE),
        CheckConstraint("timestamp < decided_for AND known_at >= decided_for", name="time_order"),
        CheckConstraint("(origin = 'live') = (known_at IS NOT NULL)", name="known_at"),
        CheckConstraint(f"reasons <@ ARRAY[{quoted(GATE_REASONS)}]", name="reasons"),
        CheckConstraint("is_accepted = (cardinality(reasons) = 0)", name="is_accepted"),
        CheckConstraint("is_shadow = (reasons = ARRAY['degraded'])", name="is_shadow"),
        CheckConstraint("NOT is_accepted OR (evidence IS NOT NULL AND rank IS NOT NULL)", name="standing"),
        CheckConstraint("rank > 0", name="rank"),
        CheckConstraint("size_ounces >= 0 AND size_lots >= 0 AND risk_usd >= 0", name="size"),
        Index("ix_gate_decisions_symbol_decided_for", "symbol", "decided_for"),
        {"comment": "The verdict on every setup, with all rules that turned it away; the reason of every silence."},
    )

    decided_for: Mapped[Instant] = mapped_column(comment="Close of the confirming bar, for which was decided, UTC.")
    known_at: Mapped[Instant | None] = mapped_column(comment="When a live decision was made; NULL in a backfill.")
    is_accepted: Mapped[bool] = mapped_column(Boolean, comment="True when no rule failed and it became a signal.")
    is_shadow: Mapped[bool] = mapped_column(Boolean, comment="True when only the degradation of its strategy kept it back.")
    reasons: Mapped[TextList] = mapped_column(comment="Every rule that failed, in their order; the first is the verdict.")
    evidence: Mapped[KeyText | None] = mapped_column(comment="harmful, unproven or proven; NULL without a tested result.")
    rank: Mapped[int | None] = mapped_column(Integer, comment="Place among the strategies, 1 is best; NULL without a result.")
    rank_score: Mapped[Metric | None] = mapped_column(comment="Shrunk expectancy that ranks it; NULL while unknown.")
    size_ounces: Mapped[Money] = mapped_column(comment="Size for the account setting, troy ounces.")
    size_lots: Mapped[Money] = mapped_column(comment="Size for the account setting, lots of 100 ounces.")
    risk_usd: Mapped[Money] = mapped_column(comment="What that size loses at the planned stop, USD.")
    origin: Mapped[KeyText] = mapped_column(comment="live when a live run decided, backfill otherwise.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that decided.")


class Signal(SetupKey, Base):
    """A setup that passed the gate."""

    __tablename__ = "signals"
    __table_args__ = (
        strategy_reference(),
        one_of("direction", DIRECTIONS),
        one_of("origin", ORIGINS),
        one_of("evidence", EVIDENCE),
        one_of("regime", REGIMES),
        levels(),
        planned_risk(),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="confidence"),
        CheckConstraint("timestamp < confirmed_at AND confirmed_at < deadline", name="time_order"),
        CheckConstraint("origin <> 'live' OR (known_at IS NOT NULL AND known_at >= confirmed_at)", name="known_at"),
        CheckConstraint("size_lots >= 0.02 AND size_ounces > 0", name="size"),
        CheckConstraint("risk_usd > 0", name="risk_usd"),
        Index("ix_signals_symbol_confirmed_at", "symbol", "confirmed_at"),
        {"comment": "Accepted setups with everything that was known and decided; one per natural key (I9)."},
    )

    confirmed_at: Mapped[Instant] = mapped_column(comment="Close of the confirming bar, UTC.")
    reference: Mapped[Price] = mapped_column(comment="Close of the confirming bar, USD/oz.")
    stop: Mapped[Price] = mapped_column(comment="Stop, USD/oz.")
    take_profit_1: Mapped[Price] = mapped_column(comment="First target, half is closed there, USD/oz.")
    take_profit_2: Mapped[Price] = mapped_column(comment="Second target, the rest is closed there, USD/oz.")
    invalidation_price: Mapped[Price] = mapped_column(comment="Price at which the idea is wrong, USD/oz.")
    planned_risk: Mapped[Price] = mapped_column(comment="Planned R: distance of reference and stop, USD/oz.")
    risk_reward: Mapped[Metric] = mapped_column(comment="Distance of TP1 from the reference in planned R.")
    confidence: Mapped[int] = mapped_column(Integer, comment="Score from 50, no probability.")
    conditions: Mapped[JsonText] = mapped_column(comment="Every condition: measured value, threshold, passed.")
    evidence: Mapped[KeyText] = mapped_column(comment="What the last 365 days say of the strategy: harmful, unproven or proven.")
    rank: Mapped[int] = mapped_column(Integer, comment="Place among the strategies, 1 is best.")
    rank_score: Mapped[Metric | None] = mapped_column(comment="Shrunk expectancy that ranks it.")
    composite_score: Mapped[Metric | None] = mapped_column(
        comment="The planned composite, published beside the rank; decides nothing."
    )
    size_ounces: Mapped[Money] = mapped_column(comment="Size for the account setting, troy ounces.")
    size_lots: Mapped[Money] = mapped_column(comment="Size for the account setting, lots of 100 ounces.")
    risk_usd: Mapped[Money] = mapped_column(comment="What that size loses at the planned stop, USD.")
    session: Mapped[KeyText] = mapped_column(comment="Session of the confirming bar.")
    regime: Mapped[KeyText | None] = mapped_column(comment="Volatility regime: low, medium or high; NULL while unknown.")
    deadline: Mapped[Instant] = mapped_column(comment="When an open trade expires, UTC.")
    reasons: Mapped[TextList] = mapped_column(comment="Why it was given, in words.")
    origin: Mapped[KeyText] = mapped_column(comment="live when it was published, backfill otherwise.")
    known_at: Mapped[Instant | None] = mapped_column(comment="When a live decision was made; NULL in a backfill.")
    code_version: Mapped[str] = mapped_column(Text, comment="Version of the code that decided.")
    strategy_version: Mapped[str] = mapped_column(Text, comment="Version of the strategy's rules.")
    parameters_digest: Mapped[str] = mapped_column(Text, comment="Digest of the parameters in force.")
    calendar_version: Mapped[str] = mapped_column(Text, comment="Version of the trading calendar.")
    events_digest: Mapped[str] = mapped_column(Text, comment="Digest of the gate events in force when it was decided.")
    inputs_digest: Mapped[str] = mapped_column(Text, comment="Digest of everything the decision read.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that decided.")


class SignalEvent(SetupKey, Base):
    """A step in the life of a signal."""

    __tablename__ = "signal_events"
    __table_args__ = (
        signal_reference(),
        one_of("kind", SIGNAL_EVENT_KINDS),
        one_of("origin", ORIGINS),
        CheckConstraint("at > timestamp AND known_at >= at", name="time_order"),
        CheckConstraint("origin <> 'live' OR known_at IS NOT NULL", name="known_at"),
        CheckConstraint(
            f"(kind = 'closed' OR kind = 'corrected') = coalesce(detail ->> 'result' = ANY (ARRAY[{quoted(RESULTS)}]), false)",
            name="result",
        ),
        Index("ix_signal_events_symbol_at", "symbol", "at"),
        {"comment": "What became of each signal, step by step; its status follows from it. Live rows are never changed."},
    )

    kind: Mapped[KeyText] = mapped_column(primary_key=True, comment="published, filled, tp1_reached, closed or corrected.")
    at: Mapped[Instant] = mapped_column(primary_key=True, comment="When it happened, UTC.")
    known_at: Mapped[Instant | None] = mapped_column(comment="When a live run found it; NULL in a backfill.")
    origin: Mapped[KeyText] = mapped_column(comment="live when a live run found it, backfill otherwise.")
    detail: Mapped[JsonText] = mapped_column(comment="What belongs to it; a result for closed and corrected.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that found it.")


class Outcome(Base):
    """How a signal ended."""

    __tablename__ = "outcomes"
    __table_args__ = (
        signal_reference(),
        one_of("result", RESULTS),
        CheckConstraint("resolved_at > timestamp AND (entered_at IS NULL OR resolved_at >= entered_at)", name="time_order"),
        CheckConstraint(
            "(result = 'missed') = (entered_at IS NULL) AND (entered_at IS NULL) = (fill_price IS NULL) "
            "AND (entered_at IS NULL) = (net_r IS NULL)",
            name="missed",
        ),
        CheckConstraint("worst_r <= net_r AND net_r <= best_r", name="bounds"),
        Index("ix_outcomes_symbol_resolved_at", "symbol", "resolved_at"),
        {"comment": "The one terminal outcome of a signal, by the kernel that also tests strategies (I9, I15)."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Timeframe of the signal.")
    strategy: Mapped[KeyText] = mapped_column(primary_key=True, comment="Strategy.")
    direction: Mapped[KeyText] = mapped_column(primary_key=True, comment="BUY or SELL.")
    timestamp: Mapped[Instant] = mapped_column(primary_key=True, comment="Open of the confirming bar, UTC.")
    result: Mapped[KeyText] = mapped_column(comment="tp2_hit, tp1_hit, sl_hit, expired or missed.")
    entered_at: Mapped[Instant | None] = mapped_column(comment="Open of the entry bar, UTC; NULL when missed.")
    resolved_at: Mapped[Instant] = mapped_column(comment="Close of the bar that ended it, UTC.")
    entry_quote: Mapped[Price | None] = mapped_column(comment="Quote at entry before spread and slippage, USD/oz.")
    fill_price: Mapped[Price | None] = mapped_column(comment="Price paid or received at entry, USD/oz.")
    first_exit_at: Mapped[Instant | None] = mapped_column(comment="Close of the bar that closed the first half, UTC.")
    first_exit_price: Mapped[Price | None] = mapped_column(comment="Exit price of the first half, USD/oz.")
    second_exit_price: Mapped[Price | None] = mapped_column(comment="Exit price of the rest, USD/oz.")
    gross_usd: Mapped[Metric | None] = mapped_column(comment="Result before costs, USD/oz.")
    cost_usd: Mapped[Metric | None] = mapped_column(comment="Spread, slippage and swap, USD/oz.")
    net_usd: Mapped[Metric | None] = mapped_column(comment="Result after costs, USD/oz.")
    gross_r: Mapped[Metric | None] = mapped_column(comment="Result before costs in result R.")
    cost_r: Mapped[Metric | None] = mapped_column(comment="Costs in result R.")
    net_r: Mapped[Metric | None] = mapped_column(comment="Result after costs in result R; NULL when missed.")
    counterfactual_r: Mapped[Metric | None] = mapped_column(
        comment="What a missed signal would have made; reported, never scored."
    )
    favourable_r: Mapped[Metric | None] = mapped_column(comment="Largest open gain in R.")
    adverse_r: Mapped[Metric | None] = mapped_column(comment="Largest open loss in R.")
    bars_held: Mapped[int] = mapped_column(Integer, comment="Base bars between entry and end.")
    resolution: Mapped[KeyText] = mapped_column(comment="Timeframe of the bars that decided.")
    ambiguous: Mapped[bool] = mapped_column(Boolean, comment="True when those bars do not tell the order of events.")
    worst_r: Mapped[Metric | None] = mapped_column(comment="Net R in the worst order of events.")
    best_r: Mapped[Metric | None] = mapped_column(comment="Net R in the best order of events.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that resolved it.")
