"""The graph: setups, their trades, verdicts, events of signals, and what deciding is told and remembers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from goldsignal_pipeline.storage.migrations import apply_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "goldsignal"
KEY = ("symbol", "timeframe", "strategy", "direction", "timestamp")
WORD, TEXT, TEXTS, JSON = sa.Text(collation="C"), sa.Text(), sa.ARRAY(sa.Text()), sa.JSON()
INSTANT, INTEGER, BOOLEAN = sa.DateTime(timezone=True), sa.Integer(), sa.Boolean()
PRICE, METRIC, MONEY = sa.Numeric(10, 2), sa.Numeric(10, 4), sa.Numeric(15, 2)
TIMEFRAMES = ("M1", "M5", "M15", "M30", "H1", "H4", "D1")
RESULTS = ("tp2_hit", "tp1_hit", "sl_hit", "expired", "missed")
EXITS = ("target_one", "target_two", "stop", "breakeven", "expiry")


def column(name, kind, comment):
    return sa.Column(name, kind, nullable=False, comment=comment)


def optional(name, kind, comment):
    return sa.Column(name, kind, nullable=True, comment=comment)


def setup_key():
    return (
        column("symbol", WORD, "Symbol."),
        column("timeframe", WORD, "Timeframe of the setup."),
        column("strategy", WORD, "Strategy."),
        column("direction", WORD, "BUY or SELL."),
        column("timestamp", INSTANT, "Open of the confirming bar, UTC."),
    )


def setup_key_constraint(table):
    return sa.PrimaryKeyConstraint(*KEY, name=op.f(f"pk_{table}"))


def rule(table, name, condition):
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def one_of(table, name, words):
    return rule(table, name, " OR ".join(f"{name} = '{word}'" for word in words))


def upgrade() -> None:
    change_signals()
    create_setups()
    create_backtest_trades()
    create_gate_decisions()
    create_signal_events()
    create_gate_events_and_states()
    for script in ("functions/refuse_live_change.sql", "views/signal_states.sql", "roles/grants.sql"):
        apply_script(op.get_bind(), script)


def change_signals() -> None:
    """Status follows from events now; conditions are kept as they were written; risk, composite and events are added."""
    op.drop_constraint("ck_signals_status", "signals", schema=SCHEMA)
    op.drop_column("signals", "status", schema=SCHEMA)
    op.alter_column("signals", "conditions", type_=JSON, postgresql_using="conditions::json", schema=SCHEMA)
    op.add_column("signals", optional("risk_usd", MONEY, "What that size loses at the planned stop, USD."), schema=SCHEMA)
    op.add_column(
        "signals",
        optional("composite_score", METRIC, "The planned composite, published beside the rank; decides nothing."),
        schema=SCHEMA,
    )
    op.add_column(
        "signals",
        optional("events_digest", TEXT, "Digest of the gate events in force when it was decided."),
        schema=SCHEMA,
    )
    # The earlier release stored no signal; whoever has one all the same keeps it.
    op.execute("UPDATE goldsignal.signals SET risk_usd = size_ounces * planned_risk, events_digest = 'unknown'")
    op.alter_column("signals", "risk_usd", nullable=False, schema=SCHEMA)
    op.alter_column("signals", "events_digest", nullable=False, schema=SCHEMA)
    op.create_check_constraint(op.f("ck_signals_risk_usd"), "signals", "risk_usd > 0", schema=SCHEMA)
    op.drop_constraint("fk_outcomes_signals", "outcomes", schema=SCHEMA)
    reference("outcomes", ondelete="CASCADE")


def reference(table, *, ondelete=None) -> None:
    op.create_foreign_key(
        op.f(f"fk_{table}_signals"),
        table,
        "signals",
        list(KEY),
        list(KEY),
        source_schema=SCHEMA,
        referent_schema=SCHEMA,
        ondelete=ondelete,
    )


def create_setups() -> None:
    op.create_table(
        "setups",
        *setup_key(),
        column("confirmed_at", INSTANT, "Close of the confirming bar, UTC."),
        column("kind", WORD, "setup, refused (planned R out of bounds) or near_miss (no trigger)."),
        optional("refusal", WORD, "Why it was refused; NULL otherwise."),
        column("reference", PRICE, "Close of the confirming bar, USD/oz."),
        optional("stop", PRICE, "Stop, USD/oz; NULL unless it is a setup, like the next three."),
        optional("take_profit_1", PRICE, "First target, half is closed there, USD/oz."),
        optional("take_profit_2", PRICE, "Second target, the rest is closed there, USD/oz."),
        optional("planned_risk", PRICE, "Planned R: distance of reference and stop, USD/oz."),
        column("invalidation_price", PRICE, "Price at which the idea is wrong, USD/oz."),
        column("confidence", INTEGER, "Score from 50, no probability."),
        column("session", WORD, "Session of the confirming bar."),
        optional("regime", WORD, "Volatility regime: low, medium or high; NULL while unknown."),
        column("measures", JSON, "ATR and volatility when it confirmed, exact, in ticks; null for unknown."),
        column("conditions", JSON, "Every condition in order: measured value, threshold, passed."),
        column("strategy_version", TEXT, "Version of the strategy's rules."),
        optional("run_id", TEXT, "Run that found it."),
        rule("setups", "confidence", "confidence BETWEEN 0 AND 100"),
        one_of("setups", "direction", ("BUY", "SELL")),
        one_of("setups", "kind", ("setup", "refused", "near_miss")),
        rule(
            "setups",
            "levels",
            "stop > 0 AND CASE direction WHEN 'BUY' THEN stop < reference AND reference < "
            "take_profit_1 AND take_profit_1 <= take_profit_2 ELSE stop > reference AND reference > "
            "take_profit_1 AND take_profit_1 >= take_profit_2 AND take_profit_2 > 0 END",
        ),
        rule(
            "setups",
            "levels_given",
            "num_nulls(stop, take_profit_1, take_profit_2, planned_risk) = CASE kind WHEN 'setup' THEN 0 ELSE 4 END",
        ),
        rule("setups", "planned_risk", "planned_risk = abs(reference - stop)"),
        rule("setups", "reference", "reference > 0"),
        one_of("setups", "refusal", ("stop_on_wrong_side", "risk_too_small", "risk_too_large")),
        rule("setups", "refused", "(kind = 'refused') = (refusal IS NOT NULL)"),
        one_of("setups", "regime", ("low", "medium", "high")),
        rule("setups", "time_order", "timestamp < confirmed_at"),
        one_of("setups", "timeframe", TIMEFRAMES),
        setup_key_constraint("setups"),
        schema=SCHEMA,
        comment="Candidate trades by the closed bar that confirmed them, refused ones and near misses marked.",
    )
    op.create_index("ix_setups_symbol_confirmed_at", "setups", ["symbol", "confirmed_at"], unique=False, schema=SCHEMA)


def create_backtest_trades() -> None:
    op.create_table(
        "backtest_trades",
        *setup_key(),
        column("confirmed_at", INSTANT, "Close of the confirming bar, UTC."),
        column("result", WORD, "tp2_hit, tp1_hit, sl_hit, expired or missed."),
        optional("missed_because", WORD, "beyond_stop, beyond_target or too_far; NULL unless missed."),
        column("entry_at", INSTANT, "Open of the entry bar, UTC; of a missed one, where it would have been."),
        column("entry_known_at", INSTANT, "Close of the entry bar, UTC."),
        column("deadline", INSTANT, "When it expires, UTC."),
        column("resolved_at", INSTANT, "When its result was known, UTC; it belongs to this month."),
        column("entry_quote", PRICE, "Quote at entry before spread and slippage, USD/oz; if missed the reference."),
        column("entry_fill", PRICE, "Price paid or received at entry, USD/oz."),
        column("risk", PRICE, "Result R: distance of fill and stop, USD/oz."),
        optional("first_exit", WORD, "What closed the first half; NULL when missed, like all exits."),
        optional("first_exit_at", INSTANT, "Close of the bar that closed the first half, UTC."),
        optional("first_fill", PRICE, "Exit price of the first half, USD/oz."),
        optional("second_exit", WORD, "What closed the rest."),
        optional("second_exit_at", INSTANT, "Close of the bar that closed the rest, UTC."),
        optional("second_fill", PRICE, "Exit price of the rest, USD/oz."),
        column("favourable", PRICE, "Largest open gain, USD/oz; 0 when missed."),
        column("adverse", PRICE, "Largest open loss, USD/oz; 0 when missed."),
        optional("gross", METRIC, "Result before costs, USD/oz; NULL when missed, like the next five."),
        optional("swap", METRIC, "Swap, part of the costs, USD/oz."),
        optional("cost", METRIC, "Spread, slippage and swap, USD/oz."),
        optional("net", METRIC, "Result after costs, USD/oz; over risk it is the exact net R."),
        optional("worst", METRIC, "Net in the worst order of events, USD/oz."),
        optional("best", METRIC, "Net in the best order of events, USD/oz."),
        optional("counterfactual_net", METRIC, "What a missed trade would have made, USD/oz; reported, never scored."),
        optional("gross_r", METRIC, "Result before costs in result R."),
        optional("cost_r", METRIC, "Costs in result R."),
        optional("net_r", METRIC, "Result after costs in result R."),
        optional("worst_r", METRIC, "Net R in the worst order of events."),
        optional("best_r", METRIC, "Net R in the best order of events."),
        optional("counterfactual_r", METRIC, "What a missed trade would have made in result R."),
        column("bars_held", INTEGER, "Base bars from entry to the last exit; 0 when missed."),
        column("hold_minutes", INTEGER, "Market-open minutes from entry to the last exit; 0 when missed."),
        column("resolution_minutes", INTEGER, "Longest base bar it was walked through, minutes."),
        column("coarse_entry", BOOLEAN, "True when the entry bar is longer than M15."),
        column("ambiguous", BOOLEAN, "True when bars do not tell the order of stop and target."),
        column("strategy_version", TEXT, "Version of the strategy's rules."),
        optional("run_id", TEXT, "Run that simulated it."),
        rule("backtest_trades", "bounds", "worst <= net AND net <= best"),
        rule("backtest_trades", "counts", "bars_held >= 0 AND hold_minutes >= 0 AND resolution_minutes > 0"),
        one_of("backtest_trades", "direction", ("BUY", "SELL")),
        rule("backtest_trades", "entry", "risk > 0 AND entry_quote > 0 AND entry_fill > 0"),
        rule(
            "backtest_trades",
            "filled",
            "num_nulls(first_exit, first_exit_at, first_fill, second_exit, second_exit_at, "
            "second_fill, gross, swap, cost, net, worst, best, gross_r, cost_r, net_r, worst_r, "
            "best_r) = CASE result WHEN 'missed' THEN 17 ELSE 0 END",
        ),
        one_of("backtest_trades", "first_exit", EXITS),
        rule(
            "backtest_trades",
            "missed",
            "num_nulls(missed_because, counterfactual_net, counterfactual_r) = CASE result WHEN 'missed' THEN 0 ELSE 3 END",
        ),
        one_of("backtest_trades", "missed_because", ("beyond_stop", "beyond_target", "too_far")),
        rule("backtest_trades", "net", "net = gross - cost"),
        one_of("backtest_trades", "result", RESULTS),
        one_of("backtest_trades", "second_exit", EXITS),
        rule(
            "backtest_trades",
            "time_order",
            "timestamp < confirmed_at AND confirmed_at <= entry_at AND entry_at < entry_known_at AND "
            "entry_at < deadline AND entry_known_at <= resolved_at AND first_exit_at >= "
            "entry_known_at AND second_exit_at >= first_exit_at AND resolved_at >= second_exit_at",
        ),
        setup_key_constraint("backtest_trades"),
        schema=SCHEMA,
        comment="Simulated trades of setups whose result is known; by the kernel that also resolves signals (I15).",
    )
    op.create_index(
        "ix_backtest_trades_symbol_resolved_at", "backtest_trades", ["symbol", "resolved_at"], unique=False, schema=SCHEMA
    )


def create_gate_decisions() -> None:
    op.create_table(
        "gate_decisions",
        *setup_key(),
        column("decided_for", INSTANT, "Close of the confirming bar, for which was decided, UTC."),
        optional("known_at", INSTANT, "When a live decision was made; NULL in a backfill."),
        column("is_accepted", BOOLEAN, "True when no rule failed and it became a signal."),
        column("is_shadow", BOOLEAN, "True when only the degradation of its strategy kept it back."),
        column("reasons", TEXTS, "Every rule that failed, in their order; the first is the verdict."),
        optional("evidence", WORD, "harmful, unproven or proven; NULL without a tested result."),
        optional("rank", INTEGER, "Place among the strategies, 1 is best; NULL without a result."),
        optional("rank_score", METRIC, "Shrunk expectancy that ranks it; NULL while unknown."),
        column("size_ounces", MONEY, "Size for the account setting, troy ounces."),
        column("size_lots", MONEY, "Size for the account setting, lots of 100 ounces."),
        column("risk_usd", MONEY, "What that size loses at the planned stop, USD."),
        column("origin", WORD, "live when a live run decided, backfill otherwise."),
        optional("run_id", TEXT, "Run that decided."),
        one_of("gate_decisions", "direction", ("BUY", "SELL")),
        one_of("gate_decisions", "evidence", ("harmful", "unproven", "proven")),
        rule("gate_decisions", "is_accepted", "is_accepted = (cardinality(reasons) = 0)"),
        rule("gate_decisions", "is_shadow", "is_shadow = (reasons = ARRAY['degraded'])"),
        rule("gate_decisions", "known_at", "(origin = 'live') = (known_at IS NOT NULL)"),
        one_of("gate_decisions", "origin", ("live", "backfill")),
        rule("gate_decisions", "rank", "rank > 0"),
        rule(
            "gate_decisions",
            "reasons",
            "reasons <@ ARRAY['late', 'paused', 'data_blocked', 'market_closing', 'low_liquidity', "
            "'not_eligible', 'degraded', 'risk_reward', 'confidence', 'duplicate', 'opposite_open', "
            "'max_open', 'daily_loss', 'circuit_breaker', 'news_blackout', 'too_small']",
        ),
        rule("gate_decisions", "size", "size_ounces >= 0 AND size_lots >= 0 AND risk_usd >= 0"),
        rule("gate_decisions", "standing", "NOT is_accepted OR (evidence IS NOT NULL AND rank IS NOT NULL)"),
        rule("gate_decisions", "time_order", "timestamp < decided_for AND known_at >= decided_for"),
        setup_key_constraint("gate_decisions"),
        schema=SCHEMA,
        comment="The verdict on every setup, with all rules that turned it away; the reason of every silence.",
    )
    op.create_index(
        "ix_gate_decisions_symbol_decided_for", "gate_decisions", ["symbol", "decided_for"], unique=False, schema=SCHEMA
    )


def create_signal_events() -> None:
    op.create_table(
        "signal_events",
        *setup_key(),
        column("kind", WORD, "published, filled, tp1_reached, closed or corrected."),
        column("at", INSTANT, "When it happened, UTC."),
        optional("known_at", INSTANT, "When a live run found it; NULL in a backfill."),
        column("origin", WORD, "live when a live run found it, backfill otherwise."),
        column("detail", JSON, "What belongs to it; a result for closed and corrected."),
        optional("run_id", TEXT, "Run that found it."),
        one_of("signal_events", "kind", ("published", "filled", "tp1_reached", "closed", "corrected")),
        rule("signal_events", "known_at", "origin <> 'live' OR known_at IS NOT NULL"),
        one_of("signal_events", "origin", ("live", "backfill")),
        rule(
            "signal_events",
            "result",
            "(kind = 'closed' OR kind = 'corrected') = coalesce(detail ->> 'result' = ANY "
            "(ARRAY['tp2_hit', 'tp1_hit', 'sl_hit', 'expired', 'missed']), false)",
        ),
        rule("signal_events", "time_order", "at > timestamp AND known_at >= at"),
        sa.PrimaryKeyConstraint(
            "symbol", "timeframe", "strategy", "direction", "timestamp", "kind", "at", name="pk_signal_events"
        ),
        schema=SCHEMA,
        comment="What became of each signal, step by step; its status follows from it. Live rows are never changed.",
    )
    reference("signal_events", ondelete="CASCADE")
    op.create_index("ix_signal_events_symbol_at", "signal_events", ["symbol", "at"], unique=False, schema=SCHEMA)


def create_gate_events_and_states() -> None:
    op.create_table(
        "gate_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Number of the event."),
        column("natural_key", WORD, "Identity of the event; the same event is stored once."),
        column("at", INSTANT, "Instant from which it holds, UTC."),
        column("recorded_at", INSTANT, "Wall clock when it was recorded."),
        column("kind", WORD, "live_since, decided, pause, resume, enable, disable, settings or news."),
        optional("symbol", WORD, "Symbol it concerns; NULL for all."),
        optional("strategy", WORD, "Strategy it concerns; NULL for all."),
        column("detail", JSON, "What belongs to it: a verdict, settings, an instant of news."),
        one_of("gate_events", "kind", ("live_since", "decided", "pause", "resume", "enable", "disable", "settings", "news")),
        rule("gate_events", "strategy", "strategy IS NOT NULL OR (kind <> 'enable' AND kind <> 'disable')"),
        rule("gate_events", "symbol", "symbol IS NOT NULL OR (kind <> 'live_since' AND kind <> 'decided')"),
        sa.PrimaryKeyConstraint("id", name="pk_gate_events"),
        schema=SCHEMA,
        comment="Append-only inputs of deciding: live verdicts, pauses, settings, news as it was known. UPDATE, DELETE and "
        "TRUNCATE are refused.",
    )
    op.create_table(
        "gate_states",
        column("symbol", WORD, "Symbol."),
        column("month", WORD, "UTC month YYYY-MM at whose end it holds."),
        column("state", JSON, "The state, canonical."),
        column("digest", TEXT, "Digest of the state."),
        optional("run_id", TEXT, "Run that folded it."),
        rule("gate_states", "month", "month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'"),
        sa.PrimaryKeyConstraint("symbol", "month", name="pk_gate_states"),
        schema=SCHEMA,
        comment="All that deciding remembers at the end of each month, so that the next begins there.",
    )
    op.create_index("uq_gate_events_natural_key", "gate_events", ["natural_key"], unique=True, schema=SCHEMA)
    op.create_index("ix_gate_events_at", "gate_events", ["at"], unique=False, schema=SCHEMA)


def downgrade() -> None:
    op.add_column("signals", optional("status", WORD, "active, or how it ended."), schema=SCHEMA)
    for table in ("signals", "signal_events"):
        op.execute(f"DROP TRIGGER published_stays ON {SCHEMA}.{table}")
        op.execute(f"DROP TRIGGER published_stays_whole ON {SCHEMA}.{table}")
    op.execute(
        "UPDATE goldsignal.signals AS held SET status = told.status FROM goldsignal.signal_states AS told"
        " WHERE (held.symbol, held.timeframe, held.strategy, held.direction, held.timestamp)"
        " = (told.symbol, told.timeframe, told.strategy, told.direction, told.timestamp)"
    )
    op.alter_column("signals", "status", nullable=False, schema=SCHEMA)
    statuses = " OR ".join(f"status = '{status}'" for status in ("active", *RESULTS))
    op.create_check_constraint(op.f("ck_signals_status"), "signals", statuses, schema=SCHEMA)
    op.execute(f"DROP VIEW {SCHEMA}.signal_states")
    op.execute(f"DROP FUNCTION {SCHEMA}.refuse_live_change()")
    for table in ("gate_states", "gate_events", "signal_events", "gate_decisions", "backtest_trades", "setups"):
        op.drop_table(table, schema=SCHEMA)
    op.drop_constraint("fk_outcomes_signals", "outcomes", schema=SCHEMA)
    reference("outcomes")
    op.drop_constraint("ck_signals_risk_usd", "signals", schema=SCHEMA)
    for name in ("events_digest", "composite_score", "risk_usd"):
        op.drop_column("signals", name, schema=SCHEMA)
    op.alter_column("signals", "conditions", type_=postgresql.JSONB(), postgresql_using="conditions::jsonb", schema=SCHEMA)
