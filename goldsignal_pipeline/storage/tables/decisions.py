"""The tables of decisions: strategies, their tested results, signals, outcomes and live performance.

Metrics follow section 5 of the domain rules: net R, undefined is NULL, never 0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, Integer, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.tables.base import Base, Day, Instant, Json, KeyText, Metric, Price, TextList, one_of

DIRECTIONS: Final = ("BUY", "SELL")
ORIGINS: Final = ("live", "backfill")
EVIDENCE: Final = ("harmful", "unproven", "proven")
REGIMES: Final = ("low", "medium", "high")
RESULTS: Final = ("tp2_hit", "tp1_hit", "sl_hit", "expired", "missed")
STATES: Final = ("healthy", "watch", "degraded", "probation")
RESULT_WINDOWS_DAYS: Final = (30, 60, 180, 365)
PERFORMANCE_WINDOWS_DAYS: Final = (7, 30, 90)

SIGNAL_KEY: Final = ("symbol", "timeframe", "strategy", "direction", "timestamp")


def _strategy_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(("strategy", "timeframe"), ("goldsignal.strategies.strategy", "goldsignal.strategies.timeframe"))


def _days_in(windows: tuple[int, ...]) -> CheckConstraint:
    return CheckConstraint(f"window_days IN ({', '.join(map(str, windows))})", name="window_days")


class Strategy(Base):
    """A strategy on one timeframe."""

    __tablename__ = "strategies"
    __table_args__ = (
        one_of("timeframe", Timeframe),
        {"comment": "The registry as it stands: one row per strategy and timeframe it runs on."},
    )

    strategy: Mapped[KeyText] = mapped_column(primary_key=True, comment="Name, for example liquidity_sweep.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Timeframe it runs on.")
    version: Mapped[str] = mapped_column(Text, comment="Version of its rules.")
    parameters: Mapped[Json] = mapped_column(comment="Its parameters, by name.")
    description: Mapped[str] = mapped_column(Text, comment="What it looks for, for a person.")
    is_active: Mapped[bool] = mapped_column(Boolean, comment="False once it is no longer registered.")
    changed_at: Mapped[Instant] = mapped_column(comment="When the row last changed.")


class _TradeMetrics:
    """Metrics of a list of closed trades, shared by tested and live results."""

    trades: Mapped[int] = mapped_column(Integer, comment="Closed trades in the window.")
    wins: Mapped[int] = mapped_column(Integer, comment="Trades with net R above 0.")
    win_rate: Mapped[Metric | None] = mapped_column(comment="wins / trades.")
    profit_factor: Mapped[Metric | None] = mapped_column(comment="Won R over lost R; NULL without losses.")
    expectancy: Mapped[Metric | None] = mapped_column(comment="Mean net R.")
    expectancy_error: Mapped[Metric | None] = mapped_column(comment="Standard error of the expectancy, clustered by ISO week.")
    median_r: Mapped[Metric | None] = mapped_column(comment="Median net R.")
    average_win_r: Mapped[Metric | None] = mapped_column(comment="Mean net R of the winners.")
    average_loss_r: Mapped[Metric | None] = mapped_column(comment="Mean net R of the others.")
    sharpe: Mapped[Metric | None] = mapped_column(comment="Daily Sharpe times the root of 252.")
    sortino: Mapped[Metric | None] = mapped_column(comment="Daily Sortino times the root of 252.")
    max_drawdown_r: Mapped[Metric | None] = mapped_column(comment="Deepest fall of cumulated net R from a peak.")
    calmar: Mapped[Metric | None] = mapped_column(comment="Mean daily R times 252 over the deepest fall.")
    average_hold_hours: Mapped[Metric | None] = mapped_column(comment="Mean market-open hours held.")
    exposure: Mapped[Metric | None] = mapped_column(comment="Share of market-open time with a trade open.")
    longest_losing_run: Mapped[int] = mapped_column(Integer, comment="Most losses in a row.")
    ambiguous: Mapped[int] = mapped_column(Integer, comment="Trades whose bars do not tell the order of stop and target.")
    missed: Mapped[int] = mapped_column(Integer, comment="Setups that could not be entered.")


class BacktestResult(_TradeMetrics, Base):
    """What a strategy had achieved in simulation as of a day."""

    __tablename__ = "backtest_results"
    __table_args__ = (
        _strategy_key(),
        _days_in(RESULT_WINDOWS_DAYS),
        CheckConstraint("wins >= 0 AND wins <= trades AND ambiguous >= 0 AND missed >= 0", name="counts"),
        CheckConstraint("p_value > 0 AND p_value <= 1", name="p_value"),
        {"comment": "Simulated results as of 00:00 UTC of a day; only trades that closed before it."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    day: Mapped[Day] = mapped_column(primary_key=True, comment="As of 00:00 UTC of this day.")
    strategy: Mapped[KeyText] = mapped_column(primary_key=True, comment="Strategy.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Timeframe of its setups.")
    window_days: Mapped[int] = mapped_column(Integer, primary_key=True, comment="Calendar days before the day, by exit.")
    interval_low: Mapped[Metric | None] = mapped_column(
        comment="Lower end of the 95 % interval of the expectancy; month ends only."
    )
    interval_high: Mapped[Metric | None] = mapped_column(
        comment="Upper end of the 95 % interval of the expectancy; month ends only."
    )
    p_value: Mapped[Metric | None] = mapped_column(comment="Share of random entries that did as well; month ends only.")
    trials: Mapped[int] = mapped_column(
        Integer, comment="Number of strategies and timeframes tried; belongs beside every p-value."
    )
    walk_forward_efficiency: Mapped[Metric | None] = mapped_column(comment="Out-of-sample over in-sample expectancy.")
    complete: Mapped[bool] = mapped_column(Boolean, comment="False when an input was missing; the gate never uses such a row.")
    strategy_version: Mapped[str] = mapped_column(Text, comment="Version of the strategy's rules.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that computed it.")


class Signal(Base):
    """A setup that passed the gate."""

    __tablename__ = "signals"
    __table_args__ = (
        _strategy_key(),
        one_of("direction", DIRECTIONS),
        one_of("origin", ORIGINS),
        one_of("evidence", EVIDENCE),
        one_of("regime", REGIMES),
        one_of("status", ("active", *RESULTS)),
        CheckConstraint(
            "stop > 0 AND CASE direction WHEN 'BUY' "
            "THEN stop < reference AND reference < take_profit_1 AND take_profit_1 <= take_profit_2 "
            "ELSE stop > reference AND reference > take_profit_1 AND take_profit_1 >= take_profit_2 AND take_profit_2 > 0 END",
            name="levels",
        ),
        CheckConstraint("planned_risk = abs(reference - stop)", name="planned_risk"),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="confidence"),
        CheckConstraint("timestamp < confirmed_at AND confirmed_at < deadline", name="time_order"),
        CheckConstraint("origin <> 'live' OR (known_at IS NOT NULL AND known_at >= confirmed_at)", name="known_at"),
        CheckConstraint("size_lots >= 0.02 AND size_ounces > 0", name="size"),
        Index("ix_signals_symbol_confirmed_at", "symbol", "confirmed_at"),
        {"comment": "Accepted setups with everything that was known and decided; one per natural key (I9)."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Timeframe of the setup.")
    strategy: Mapped[KeyText] = mapped_column(primary_key=True, comment="Strategy.")
    direction: Mapped[KeyText] = mapped_column(primary_key=True, comment="BUY or SELL.")
    timestamp: Mapped[Instant] = mapped_column(primary_key=True, comment="Open of the confirming bar, UTC.")
    confirmed_at: Mapped[Instant] = mapped_column(comment="Close of the confirming bar, UTC.")
    reference: Mapped[Price] = mapped_column(comment="Close of the confirming bar, USD/oz.")
    stop: Mapped[Price] = mapped_column(comment="Stop, USD/oz.")
    take_profit_1: Mapped[Price] = mapped_column(comment="First target, half is closed there, USD/oz.")
    take_profit_2: Mapped[Price] = mapped_column(comment="Second target, the rest is closed there, USD/oz.")
    invalidation_price: Mapped[Price] = mapped_column(comment="Price at which the idea is wrong, USD/oz.")
    planned_risk: Mapped[Price] = mapped_column(comment="Planned R: distance of reference and stop, USD/oz.")
    risk_reward: Mapped[Metric] = mapped_column(comment="Distance of TP1 from the reference in planned R.")
    confidence: Mapped[int] = mapped_column(Integer, comment="Score from 50, no probability.")
    conditions: Mapped[Json] = mapped_column(comment="Every condition: measured value, threshold, passed.")
    evidence: Mapped[KeyText] = mapped_column(comment="What the last 365 days say of the strategy: harmful, unproven or proven.")
    rank: Mapped[int] = mapped_column(Integer, comment="Place among the strategies, 1 is best.")
    rank_score: Mapped[Metric | None] = mapped_column(comment="Shrunk expectancy that ranks it.")
    size_ounces: Mapped[Decimal] = mapped_column(Numeric(15, 2), comment="Size for the account setting, troy ounces.")
    size_lots: Mapped[Decimal] = mapped_column(Numeric(15, 2), comment="Size for the account setting, lots of 100 ounces.")
    session: Mapped[KeyText] = mapped_column(comment="Session of the confirming bar.")
    regime: Mapped[KeyText | None] = mapped_column(comment="Volatility regime: low, medium or high; NULL while unknown.")
    deadline: Mapped[Instant] = mapped_column(comment="When an open trade expires, UTC.")
    reasons: Mapped[TextList] = mapped_column(comment="Why it was given, in words.")
    status: Mapped[KeyText] = mapped_column(comment="active, or how it ended.")
    origin: Mapped[KeyText] = mapped_column(comment="live when it was published, backfill otherwise.")
    known_at: Mapped[Instant | None] = mapped_column(comment="When a live decision was made; NULL in a backfill.")
    code_version: Mapped[str] = mapped_column(Text, comment="Version of the code that decided.")
    strategy_version: Mapped[str] = mapped_column(Text, comment="Version of the strategy's rules.")
    parameters_digest: Mapped[str] = mapped_column(Text, comment="Digest of the parameters in force.")
    calendar_version: Mapped[str] = mapped_column(Text, comment="Version of the trading calendar.")
    inputs_digest: Mapped[str] = mapped_column(Text, comment="Digest of everything the decision read.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that decided.")


class Outcome(Base):
    """How a signal ended."""

    __tablename__ = "outcomes"
    __table_args__ = (
        ForeignKeyConstraint(SIGNAL_KEY, tuple(f"goldsignal.signals.{name}" for name in SIGNAL_KEY)),
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


class StrategyPerformance(_TradeMetrics, Base):
    """How a strategy's real signals did."""

    __tablename__ = "strategy_performance"
    __table_args__ = (
        _strategy_key(),
        _days_in(PERFORMANCE_WINDOWS_DAYS),
        one_of("state", STATES),
        CheckConstraint("wins >= 0 AND wins <= trades AND ambiguous >= 0 AND missed >= 0", name="counts"),
        {"comment": "Rolling results of real signals at the end of each day, and the state of degradation."},
    )

    symbol: Mapped[KeyText] = mapped_column(primary_key=True, comment="Symbol.")
    day: Mapped[Day] = mapped_column(primary_key=True, comment="Day at whose end (UTC) the row holds.")
    strategy: Mapped[KeyText] = mapped_column(primary_key=True, comment="Strategy.")
    timeframe: Mapped[KeyText] = mapped_column(primary_key=True, comment="Timeframe of its signals.")
    window_days: Mapped[int] = mapped_column(Integer, primary_key=True, comment="Calendar days before, by exit.")
    baseline_expectancy: Mapped[Metric | None] = mapped_column(
        comment="Expectancy of the 365 days that end 90 days before; NULL while unknown."
    )
    state: Mapped[KeyText] = mapped_column(comment="healthy, watch, degraded or probation.")
    state_since: Mapped[Instant | None] = mapped_column(comment="When the state was entered; NULL when never left healthy.")
    run_id: Mapped[str | None] = mapped_column(Text, comment="Run that computed it.")
