"""The tables of strategies: what is registered, what it achieved in simulation, and how its real signals did.

Metrics follow section 5 of the domain rules: net R, undefined is NULL, never 0.
"""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.tables.base import Base, Day, Instant, Json, KeyText, Metric, one_of
from goldsignal_pipeline.storage.tables.words import (
    PERFORMANCE_WINDOWS_DAYS,
    RESULT_WINDOWS_DAYS,
    STATES,
    days_in,
    strategy_reference,
)


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
        strategy_reference(),
        days_in(RESULT_WINDOWS_DAYS),
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


class StrategyPerformance(_TradeMetrics, Base):
    """How a strategy's real signals did."""

    __tablename__ = "strategy_performance"
    __table_args__ = (
        strategy_reference(),
        days_in(PERFORMANCE_WINDOWS_DAYS),
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
