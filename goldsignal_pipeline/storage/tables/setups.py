"""The tables of setups and of what they would have made: candidates as found, and their simulated trades, ungated."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.tables.base import Base, Instant, JsonText, KeyText, Metric, Price, one_of
from goldsignal_pipeline.storage.tables.words import (
    DIRECTIONS,
    EXITS,
    MISSES,
    REFUSALS,
    REGIMES,
    RESULTS,
    SETUP_KINDS,
    levels,
    planned_risk,
)


class SetupKey:
    """Who saw what, and when: the key of a setup and of everything that follows from it."""

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, sort_order=-1, comment="Symbol.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, sort_order=-1, comment="Timeframe of the setup.")
    strategy: Mapped[KeyText] = mapped_column(primary_key=True, sort_order=-1, comment="Strategy.")
    direction: Mapped[KeyText] = mapped_column(primary_key=True, sort_order=-1, comment="BUY or SELL.")
    timestamp: Mapped[Instant] = mapped_column(primary_key=True, sort_order=-1, comment="Open of the confirming bar, UTC.")


class Setup(SetupKey, Base):
    """A candidate for a trade."""

    __tablename__ = "setups"
    __table_args__ = (
        one_of("timeframe", Timeframe),
        one_of("direction", DIRECTIONS),
        one_of("kind", SETUP_KINDS),
        one_of("refusal", REFUSALS),
        one_of("regime", REGIMES),
        levels(),
        planned_risk(),
        CheckConstraint(
            "num_nulls(stop, take_profit_1, take_profit_2, planned_risk) = CASE kind WHEN 'setup' THEN 0 ELSE 4 END",
            name="levels_given",
        ),
        CheckConstraint("(kind = 'refused') = (refusal IS NOT NULL)", name="refused"),
        CheckConstraint("reference > 0", name="reference"),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="confidence"),
        CheckConstraint("timestamp < confirmed_at", name="time_order"),
        Index("ix_setups_symbol_confirmed_at", "symbol", "confirmed_at"),
        {"comment": "Candidate trades by the closed bar that confirmed them, refused ones and near misses marked."},
    )

    confirmed_at: Mapped[Instant] = mapped_column(comment="Close of the confirming bar, UTC.")
    kind: Mapped[KeyText] = mapped_column(comment="setup, refused (planned R out of bounds) or near_miss (no trigger).")
    refusal: Mapped[KeyText | None] = mapped_column(comment="Why it was refused; NULL otherwise.")
    reference: Mapped[Price] = mapped_column(comment="Close of the confirming bar, USD/oz.")
    stop: Mapped[Price | None] = mapped_column(comment="Stop, USD/oz; NULL unless it is a setup, like the next three.")
    take_profit_1: Mapped[Price | None] = mapped_column(comment="First target, half is closed there, USD/oz.")
    take_profit_2: Mapped[Price | None] = mapped_column(comment="Second target, the rest is closed there, USD/oz.")
    planned_risk: Mapped[Price | None] = mapped_column(comment="Planned R: distance of reference and stop, USD/oz.")
    invalidation_price: Mapped[Price] = mapped_column(comment="Price at which the idea is wrong, USD/oz.")
    confidence: Mapped[int] = mapped_column(Integer, comment="Score from 50, no probability.")
    session: Mapped[KeyText] = mapped_column(comment="Session of the confirming bar.")
    regime: Mapped[KeyText | None] = mapped_column(comment="Volatility regime: low, medium or high; NULL while unknown.")
    measures: Mapped[JsonText] = mapped_column(comment="ATR and volatility when it confirmed, exact, in ticks; null for unknown.")
    conditions: Mapped[JsonText] = mapped_column(comment="Every condition in order: measured value, threshold, passed.")
    strategy_version: Mapped[str] = mapped_column(Text, comment="Version of the strategy's rules.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that found it.")


class BacktestTrade(SetupKey, Base):
    """The simulated trade of a setup."""

    __tablename__ = "backtest_trades"
    __table_args__ = (
        one_of("direction", DIRECTIONS),
        one_of("result", RESULTS),
        one_of("missed_because", MISSES),
        one_of("first_exit", EXITS),
        one_of("second_exit", EXITS),
        CheckConstraint(
            "num_nulls(first_exit, first_exit_at, first_fill, second_exit, second_exit_at, second_fill, gross, swap, cost, net, "
            "worst, best, gross_r, cost_r, net_r, worst_r, best_r) = CASE result WHEN 'missed' THEN 17 ELSE 0 END",
            name="filled",
        ),
        CheckConstraint(
            "num_nulls(missed_because, counterfactual_net, counterfactual_r) = CASE result WHEN 'missed' THEN 0 ELSE 3 END",
            name="missed",
        ),
        CheckConstraint(
            "timestamp < confirmed_at AND confirmed_at <= entry_at AND entry_at < entry_known_at AND entry_at < deadline "
            "AND entry_known_at <= resolved_at AND first_exit_at >= entry_known_at AND second_exit_at >= first_exit_at "
            "AND resolved_at >= second_exit_at",
            name="time_order",
        ),
        CheckConstraint("net = gross - cost", name="net"),
        CheckConstraint("worst <= net AND net <= best", name="bounds"),
        CheckConstraint("risk > 0 AND entry_quote > 0 AND entry_fill > 0", name="entry"),
        CheckConstraint("bars_held >= 0 AND hold_minutes >= 0 AND resolution_minutes > 0", name="counts"),
        Index("ix_backtest_trades_symbol_resolved_at", "symbol", "resolved_at"),
        {"comment": "Simulated trades of setups whose result is known; by the kernel that also resolves signals (I15)."},
    )

    confirmed_at: Mapped[Instant] = mapped_column(comment="Close of the confirming bar, UTC.")
    result: Mapped[KeyText] = mapped_column(comment="tp2_hit, tp1_hit, sl_hit, expired or missed.")
    missed_because: Mapped[KeyText | None] = mapped_column(comment="beyond_stop, beyond_target or too_far; NULL unless missed.")
    entry_at: Mapped[Instant] = mapped_column(comment="Open of the entry bar, UTC; of a missed one, where it would have been.")
    entry_known_at: Mapped[Instant] = mapped_column(comment="Close of the entry bar, UTC.")
    deadline: Mapped[Instant] = mapped_column(comment="When it expires, UTC.")
    resolved_at: Mapped[Instant] = mapped_column(comment="When its result was known, UTC; it belongs to this month.")
    entry_quote: Mapped[Price] = mapped_column(
        comment="Quote at entry before spread and slippage, USD/oz; if missed the reference."
    )
    entry_fill: Mapped[Price] = mapped_column(comment="Price paid or received at entry, USD/oz.")
    risk: Mapped[Price] = mapped_column(comment="Result R: distance of fill and stop, USD/oz.")
    first_exit: Mapped[KeyText | None] = mapped_column(comment="What closed the first half; NULL when missed, like all exits.")
    first_exit_at: Mapped[Instant | None] = mapped_column(comment="Close of the bar that closed the first half, UTC.")
    first_fill: Mapped[Price | None] = mapped_column(comment="Exit price of the first half, USD/oz.")
    second_exit: Mapped[KeyText | None] = mapped_column(comment="What closed the rest.")
    second_exit_at: Mapped[Instant | None] = mapped_column(comment="Close of the bar that closed the rest, UTC.")
    second_fill: Mapped[Price | None] = mapped_column(comment="Exit price of the rest, USD/oz.")
    favourable: Mapped[Price] = mapped_column(comment="Largest open gain, USD/oz; 0 when missed.")
    adverse: Mapped[Price] = mapped_column(comment="Largest open loss, USD/oz; 0 when missed.")
    gross: Mapped[Metric | None] = mapped_column(comment="Result before costs, USD/oz; NULL when missed, like the next five.")
    swap: Mapped[Metric | None] = mapped_column(comment="Swap, part of the costs, USD/oz.")
    cost: Mapped[Metric | None] = mapped_column(comment="Spread, slippage and swap, USD/oz.")
    net: Mapped[Metric | None] = mapped_column(comment="Result after costs, USD/oz; over risk it is the exact net R.")
    worst: Mapped[Metric | None] = mapped_column(comment="Net in the worst order of events, USD/oz.")
    best: Mapped[Metric | None] = mapped_column(comment="Net in the best order of events, USD/oz.")
    counterfactual_net: Mapped[Metric | None] = mapped_column(
        comment="What a missed trade would have made, USD/oz; reported, never scored."
    )
    gross_r: Mapped[Metric | None] = mapped_column(comment="Result before costs in result R.")
    cost_r: Mapped[Metric | None] = mapped_column(comment="Costs in result R.")
    net_r: Mapped[Metric | None] = mapped_column(comment="Result after costs in result R.")
    worst_r: Mapped[Metric | None] = mapped_column(comment="Net R in the worst order of events.")
    best_r: Mapped[Metric | None] = mapped_column(comment="Net R in the best order of events.")
    counterfactual_r: Mapped[Metric | None] = mapped_column(comment="What a missed trade would have made in result R.")
    bars_held: Mapped[int] = mapped_column(Integer, comment="Base bars from entry to the last exit; 0 when missed.")
    hold_minutes: Mapped[int] = mapped_column(Integer, comment="Market-open minutes from entry to the last exit; 0 when missed.")
    resolution_minutes: Mapped[int] = mapped_column(Integer, comment="Longest base bar it was walked through, minutes.")
    coarse_entry: Mapped[bool] = mapped_column(Boolean, comment="True when the entry bar is longer than M15.")
    ambiguous: Mapped[bool] = mapped_column(Boolean, comment="True when bars do not tell the order of stop and target.")
    strategy_version: Mapped[str] = mapped_column(Text, comment="Version of the strategy's rules.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that simulated it.")
