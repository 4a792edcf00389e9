"""Decisions: strategies, results, signals, outcomes, performance."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STRATEGY_KEY = ["goldsignal.strategies.strategy", "goldsignal.strategies.timeframe"]


def upgrade() -> None:
    op.create_table(
        "strategies",
        sa.Column("strategy", sa.Text(collation="C"), nullable=False, comment="Name, for example liquidity_sweep."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Timeframe it runs on."),
        sa.Column("version", sa.Text(), nullable=False, comment="Version of its rules."),
        sa.Column("parameters", postgresql.JSONB(), nullable=False, comment="Its parameters, by name."),
        sa.Column("description", sa.Text(), nullable=False, comment="What it looks for, for a person."),
        sa.Column("is_active", sa.Boolean(), nullable=False, comment="False once it is no longer registered."),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, comment="When the row last changed."),
        sa.CheckConstraint(
            "timeframe = 'M1' OR timeframe = 'M5' OR timeframe = 'M15' OR timeframe = 'M30' OR timeframe = 'H1' OR "
            "timeframe = 'H4' OR timeframe = 'D1'",
            name=op.f("ck_strategies_timeframe"),
        ),
        sa.PrimaryKeyConstraint("strategy", "timeframe", name=op.f("pk_strategies")),
        schema="goldsignal",
        comment="The registry as it stands: one row per strategy and timeframe it runs on.",
    )
    op.create_table(
        "backtest_results",
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol."),
        sa.Column("day", sa.Date(), nullable=False, comment="As of 00:00 UTC of this day."),
        sa.Column("strategy", sa.Text(collation="C"), nullable=False, comment="Strategy."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Timeframe of its setups."),
        sa.Column("window_days", sa.Integer(), nullable=False, comment="Calendar days before the day, by exit."),
        sa.Column(
            "interval_low",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Lower end of the 95 % interval of the expectancy; month ends only.",
        ),
        sa.Column(
            "interval_high",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Upper end of the 95 % interval of the expectancy; month ends only.",
        ),
        sa.Column(
            "p_value",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Share of random entries that did as well; month ends only.",
        ),
        sa.Column(
            "trials",
            sa.Integer(),
            nullable=False,
            comment="Number of strategies and timeframes tried; belongs beside every p-value.",
        ),
        sa.Column(
            "walk_forward_efficiency",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Out-of-sample over in-sample expectancy.",
        ),
        sa.Column(
            "complete", sa.Boolean(), nullable=False, comment="False when an input was missing; the gate never uses such a row."
        ),
        sa.Column("strategy_version", sa.Text(), nullable=False, comment="Version of the strategy's rules."),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run that computed it."),
        sa.Column("trades", sa.Integer(), nullable=False, comment="Closed trades in the window."),
        sa.Column("wins", sa.Integer(), nullable=False, comment="Trades with net R above 0."),
        sa.Column("win_rate", sa.Numeric(precision=10, scale=4), nullable=True, comment="wins / trades."),
        sa.Column(
            "profit_factor", sa.Numeric(precision=10, scale=4), nullable=True, comment="Won R over lost R; NULL without losses."
        ),
        sa.Column("expectancy", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean net R."),
        sa.Column(
            "expectancy_error",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Standard error of the expectancy, clustered by ISO week.",
        ),
        sa.Column("median_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Median net R."),
        sa.Column("average_win_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean net R of the winners."),
        sa.Column("average_loss_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean net R of the others."),
        sa.Column("sharpe", sa.Numeric(precision=10, scale=4), nullable=True, comment="Daily Sharpe times the root of 252."),
        sa.Column("sortino", sa.Numeric(precision=10, scale=4), nullable=True, comment="Daily Sortino times the root of 252."),
        sa.Column(
            "max_drawdown_r",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Deepest fall of cumulated net R from a peak.",
        ),
        sa.Column(
            "calmar", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean daily R times 252 over the deepest fall."
        ),
        sa.Column("average_hold_hours", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean market-open hours held."),
        sa.Column(
            "exposure", sa.Numeric(precision=10, scale=4), nullable=True, comment="Share of market-open time with a trade open."
        ),
        sa.Column("longest_losing_run", sa.Integer(), nullable=False, comment="Most losses in a row."),
        sa.Column(
            "ambiguous", sa.Integer(), nullable=False, comment="Trades whose bars do not tell the order of stop and target."
        ),
        sa.Column("missed", sa.Integer(), nullable=False, comment="Setups that could not be entered."),
        sa.CheckConstraint("p_value > 0 AND p_value <= 1", name=op.f("ck_backtest_results_p_value")),
        sa.CheckConstraint("window_days IN (30, 60, 180, 365)", name=op.f("ck_backtest_results_window_days")),
        sa.CheckConstraint(
            "wins >= 0 AND wins <= trades AND ambiguous >= 0 AND missed >= 0", name=op.f("ck_backtest_results_counts")
        ),
        sa.ForeignKeyConstraint(["strategy", "timeframe"], STRATEGY_KEY, name=op.f("fk_backtest_results_strategies")),
        sa.PrimaryKeyConstraint("symbol", "day", "strategy", "timeframe", "window_days", name=op.f("pk_backtest_results")),
        schema="goldsignal",
        comment="Simulated results as of 00:00 UTC of a day; only trades that closed before it.",
    )
    op.create_table(
        "signals",
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Timeframe of the setup."),
        sa.Column("strategy", sa.Text(collation="C"), nullable=False, comment="Strategy."),
        sa.Column("direction", sa.Text(collation="C"), nullable=False, comment="BUY or SELL."),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False, comment="Open of the confirming bar, UTC."),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False, comment="Close of the confirming bar, UTC."),
        sa.Column("reference", sa.Numeric(precision=10, scale=2), nullable=False, comment="Close of the confirming bar, USD/oz."),
        sa.Column("stop", sa.Numeric(precision=10, scale=2), nullable=False, comment="Stop, USD/oz."),
        sa.Column(
            "take_profit_1",
            sa.Numeric(precision=10, scale=2),
            nullable=False,
            comment="First target, half is closed there, USD/oz.",
        ),
        sa.Column(
            "take_profit_2",
            sa.Numeric(precision=10, scale=2),
            nullable=False,
            comment="Second target, the rest is closed there, USD/oz.",
        ),
        sa.Column(
            "invalidation_price",
            sa.Numeric(precision=10, scale=2),
            nullable=False,
            comment="Price at which the idea is wrong, USD/oz.",
        ),
        sa.Column(
            "planned_risk",
            sa.Numeric(precision=10, scale=2),
            nullable=False,
            comment="Planned R: distance of reference and stop, USD/oz.",
        ),
        sa.Column(
            "risk_reward",
            sa.Numeric(precision=10, scale=4),
            nullable=False,
            comment="Distance of TP1 from the reference in planned R.",
        ),
        sa.Column("confidence", sa.Integer(), nullable=False, comment="Score from 50, no probability."),
        sa.Column(
            "conditions", postgresql.JSONB(), nullable=False, comment="Every condition: measured value, threshold, passed."
        ),
        sa.Column(
            "evidence",
            sa.Text(collation="C"),
            nullable=False,
            comment="What the last 365 days say of the strategy: harmful, unproven or proven.",
        ),
        sa.Column("rank", sa.Integer(), nullable=False, comment="Place among the strategies, 1 is best."),
        sa.Column("rank_score", sa.Numeric(precision=10, scale=4), nullable=True, comment="Shrunk expectancy that ranks it."),
        sa.Column(
            "size_ounces", sa.Numeric(precision=15, scale=2), nullable=False, comment="Size for the account setting, troy ounces."
        ),
        sa.Column(
            "size_lots",
            sa.Numeric(precision=15, scale=2),
            nullable=False,
            comment="Size for the account setting, lots of 100 ounces.",
        ),
        sa.Column("session", sa.Text(collation="C"), nullable=False, comment="Session of the confirming bar."),
        sa.Column(
            "regime", sa.Text(collation="C"), nullable=True, comment="Volatility regime: low, medium or high; NULL while unknown."
        ),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False, comment="When an open trade expires, UTC."),
        sa.Column("reasons", sa.ARRAY(sa.Text()), nullable=False, comment="Why it was given, in words."),
        sa.Column("status", sa.Text(collation="C"), nullable=False, comment="active, or how it ended."),
        sa.Column("origin", sa.Text(collation="C"), nullable=False, comment="live when it was published, backfill otherwise."),
        sa.Column(
            "known_at", sa.DateTime(timezone=True), nullable=True, comment="When a live decision was made; NULL in a backfill."
        ),
        sa.Column("code_version", sa.Text(), nullable=False, comment="Version of the code that decided."),
        sa.Column("strategy_version", sa.Text(), nullable=False, comment="Version of the strategy's rules."),
        sa.Column("parameters_digest", sa.Text(), nullable=False, comment="Digest of the parameters in force."),
        sa.Column("calendar_version", sa.Text(), nullable=False, comment="Version of the trading calendar."),
        sa.Column("inputs_digest", sa.Text(), nullable=False, comment="Digest of everything the decision read."),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run that decided."),
        sa.CheckConstraint("direction = 'BUY' OR direction = 'SELL'", name=op.f("ck_signals_direction")),
        sa.CheckConstraint(
            "evidence = 'harmful' OR evidence = 'unproven' OR evidence = 'proven'", name=op.f("ck_signals_evidence")
        ),
        sa.CheckConstraint(
            "origin <> 'live' OR (known_at IS NOT NULL AND known_at >= confirmed_at)", name=op.f("ck_signals_known_at")
        ),
        sa.CheckConstraint("origin = 'live' OR origin = 'backfill'", name=op.f("ck_signals_origin")),
        sa.CheckConstraint("regime = 'low' OR regime = 'medium' OR regime = 'high'", name=op.f("ck_signals_regime")),
        sa.CheckConstraint(
            "status = 'active' OR status = 'tp2_hit' OR status = 'tp1_hit' OR status = 'sl_hit' OR status = 'expired' OR "
            "status = 'missed'",
            name=op.f("ck_signals_status"),
        ),
        sa.CheckConstraint(
            "stop > 0 AND CASE direction WHEN 'BUY' THEN stop < reference AND reference < take_profit_1 AND take_profit_1 "
            "<= take_profit_2 ELSE stop > reference AND reference > take_profit_1 AND take_profit_1 >= take_profit_2 AND "
            "take_profit_2 > 0 END",
            name=op.f("ck_signals_levels"),
        ),
        sa.CheckConstraint("confidence BETWEEN 0 AND 100", name=op.f("ck_signals_confidence")),
        sa.CheckConstraint("planned_risk = abs(reference - stop)", name=op.f("ck_signals_planned_risk")),
        sa.CheckConstraint("size_lots >= 0.02 AND size_ounces > 0", name=op.f("ck_signals_size")),
        sa.CheckConstraint("timestamp < confirmed_at AND confirmed_at < deadline", name=op.f("ck_signals_time_order")),
        sa.ForeignKeyConstraint(["strategy", "timeframe"], STRATEGY_KEY, name=op.f("fk_signals_strategies")),
        sa.PrimaryKeyConstraint("symbol", "timeframe", "strategy", "direction", "timestamp", name=op.f("pk_signals")),
        schema="goldsignal",
        comment="Accepted setups with everything that was known and decided; one per natural key (I9).",
    )
    op.create_index("ix_signals_symbol_confirmed_at", "signals", ["symbol", "confirmed_at"], unique=False, schema="goldsignal")
    op.create_table(
        "strategy_performance",
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol."),
        sa.Column("day", sa.Date(), nullable=False, comment="Day at whose end (UTC) the row holds."),
        sa.Column("strategy", sa.Text(collation="C"), nullable=False, comment="Strategy."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Timeframe of its signals."),
        sa.Column("window_days", sa.Integer(), nullable=False, comment="Calendar days before, by exit."),
        sa.Column(
            "baseline_expectancy",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Expectancy of the 365 days that end 90 days before; NULL while unknown.",
        ),
        sa.Column("state", sa.Text(collation="C"), nullable=False, comment="healthy, watch, degraded or probation."),
        sa.Column(
            "state_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the state was entered; NULL when never left healthy.",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run that computed it."),
        sa.Column("trades", sa.Integer(), nullable=False, comment="Closed trades in the window."),
        sa.Column("wins", sa.Integer(), nullable=False, comment="Trades with net R above 0."),
        sa.Column("win_rate", sa.Numeric(precision=10, scale=4), nullable=True, comment="wins / trades."),
        sa.Column(
            "profit_factor", sa.Numeric(precision=10, scale=4), nullable=True, comment="Won R over lost R; NULL without losses."
        ),
        sa.Column("expectancy", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean net R."),
        sa.Column(
            "expectancy_error",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Standard error of the expectancy, clustered by ISO week.",
        ),
        sa.Column("median_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Median net R."),
        sa.Column("average_win_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean net R of the winners."),
        sa.Column("average_loss_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean net R of the others."),
        sa.Column("sharpe", sa.Numeric(precision=10, scale=4), nullable=True, comment="Daily Sharpe times the root of 252."),
        sa.Column("sortino", sa.Numeric(precision=10, scale=4), nullable=True, comment="Daily Sortino times the root of 252."),
        sa.Column(
            "max_drawdown_r",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="Deepest fall of cumulated net R from a peak.",
        ),
        sa.Column(
            "calmar", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean daily R times 252 over the deepest fall."
        ),
        sa.Column("average_hold_hours", sa.Numeric(precision=10, scale=4), nullable=True, comment="Mean market-open hours held."),
        sa.Column(
            "exposure", sa.Numeric(precision=10, scale=4), nullable=True, comment="Share of market-open time with a trade open."
        ),
        sa.Column("longest_losing_run", sa.Integer(), nullable=False, comment="Most losses in a row."),
        sa.Column(
            "ambiguous", sa.Integer(), nullable=False, comment="Trades whose bars do not tell the order of stop and target."
        ),
        sa.Column("missed", sa.Integer(), nullable=False, comment="Setups that could not be entered."),
        sa.CheckConstraint(
            "state = 'healthy' OR state = 'watch' OR state = 'degraded' OR state = 'probation'",
            name=op.f("ck_strategy_performance_state"),
        ),
        sa.CheckConstraint("window_days IN (7, 30, 90)", name=op.f("ck_strategy_performance_window_days")),
        sa.CheckConstraint(
            "wins >= 0 AND wins <= trades AND ambiguous >= 0 AND missed >= 0", name=op.f("ck_strategy_performance_counts")
        ),
        sa.ForeignKeyConstraint(["strategy", "timeframe"], STRATEGY_KEY, name=op.f("fk_strategy_performance_strategies")),
        sa.PrimaryKeyConstraint("symbol", "day", "strategy", "timeframe", "window_days", name=op.f("pk_strategy_performance")),
        schema="goldsignal",
        comment="Rolling results of real signals at the end of each day, and the state of degradation.",
    )
    op.create_table(
        "outcomes",
        sa.Column("symbol", sa.Text(collation="C"), nullable=False, comment="Symbol."),
        sa.Column("timeframe", sa.Text(collation="C"), nullable=False, comment="Timeframe of the signal."),
        sa.Column("strategy", sa.Text(collation="C"), nullable=False, comment="Strategy."),
        sa.Column("direction", sa.Text(collation="C"), nullable=False, comment="BUY or SELL."),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False, comment="Open of the confirming bar, UTC."),
        sa.Column("result", sa.Text(collation="C"), nullable=False, comment="tp2_hit, tp1_hit, sl_hit, expired or missed."),
        sa.Column(
            "entered_at", sa.DateTime(timezone=True), nullable=True, comment="Open of the entry bar, UTC; NULL when missed."
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=False, comment="Close of the bar that ended it, UTC."),
        sa.Column(
            "entry_quote",
            sa.Numeric(precision=10, scale=2),
            nullable=True,
            comment="Quote at entry before spread and slippage, USD/oz.",
        ),
        sa.Column(
            "fill_price", sa.Numeric(precision=10, scale=2), nullable=True, comment="Price paid or received at entry, USD/oz."
        ),
        sa.Column(
            "first_exit_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Close of the bar that closed the first half, UTC.",
        ),
        sa.Column(
            "first_exit_price", sa.Numeric(precision=10, scale=2), nullable=True, comment="Exit price of the first half, USD/oz."
        ),
        sa.Column(
            "second_exit_price", sa.Numeric(precision=10, scale=2), nullable=True, comment="Exit price of the rest, USD/oz."
        ),
        sa.Column("gross_usd", sa.Numeric(precision=10, scale=4), nullable=True, comment="Result before costs, USD/oz."),
        sa.Column("cost_usd", sa.Numeric(precision=10, scale=4), nullable=True, comment="Spread, slippage and swap, USD/oz."),
        sa.Column("net_usd", sa.Numeric(precision=10, scale=4), nullable=True, comment="Result after costs, USD/oz."),
        sa.Column("gross_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Result before costs in result R."),
        sa.Column("cost_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Costs in result R."),
        sa.Column(
            "net_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Result after costs in result R; NULL when missed."
        ),
        sa.Column(
            "counterfactual_r",
            sa.Numeric(precision=10, scale=4),
            nullable=True,
            comment="What a missed signal would have made; reported, never scored.",
        ),
        sa.Column("favourable_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Largest open gain in R."),
        sa.Column("adverse_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Largest open loss in R."),
        sa.Column("bars_held", sa.Integer(), nullable=False, comment="Base bars between entry and end."),
        sa.Column("resolution", sa.Text(collation="C"), nullable=False, comment="Timeframe of the bars that decided."),
        sa.Column("ambiguous", sa.Boolean(), nullable=False, comment="True when those bars do not tell the order of events."),
        sa.Column("worst_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Net R in the worst order of events."),
        sa.Column("best_r", sa.Numeric(precision=10, scale=4), nullable=True, comment="Net R in the best order of events."),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Run that resolved it."),
        sa.CheckConstraint(
            "(result = 'missed') = (entered_at IS NULL) AND (entered_at IS NULL) = (fill_price IS NULL) AND (entered_at IS "
            "NULL) = (net_r IS NULL)",
            name=op.f("ck_outcomes_missed"),
        ),
        sa.CheckConstraint(
            "result = 'tp2_hit' OR result = 'tp1_hit' OR result = 'sl_hit' OR result = 'expired' OR result = 'missed'",
            name=op.f("ck_outcomes_result"),
        ),
        sa.CheckConstraint(
            "resolved_at > timestamp AND (entered_at IS NULL OR resolved_at >= entered_at)", name=op.f("ck_outcomes_time_order")
        ),
        sa.CheckConstraint("worst_r <= net_r AND net_r <= best_r", name=op.f("ck_outcomes_bounds")),
        sa.ForeignKeyConstraint(
            ["symbol", "timeframe", "strategy", "direction", "timestamp"],
            [
                "goldsignal.signals.symbol",
                "goldsignal.signals.timeframe",
                "goldsignal.signals.strategy",
                "goldsignal.signals.direction",
                "goldsignal.signals.timestamp",
            ],
            name=op.f("fk_outcomes_signals"),
        ),
        sa.PrimaryKeyConstraint("symbol", "timeframe", "strategy", "direction", "timestamp", name=op.f("pk_outcomes")),
        schema="goldsignal",
        comment="The one terminal outcome of a signal, by the kernel that also tests strategies (I9, I15).",
    )
    op.create_index("ix_outcomes_symbol_resolved_at", "outcomes", ["symbol", "resolved_at"], unique=False, schema="goldsignal")


def downgrade() -> None:
    op.drop_index("ix_outcomes_symbol_resolved_at", table_name="outcomes", schema="goldsignal")
    op.drop_table("outcomes", schema="goldsignal")
    op.drop_table("strategy_performance", schema="goldsignal")
    op.drop_index("ix_signals_symbol_confirmed_at", table_name="signals", schema="goldsignal")
    op.drop_table("signals", schema="goldsignal")
    op.drop_table("backtest_results", schema="goldsignal")
    op.drop_table("strategies", schema="goldsignal")
