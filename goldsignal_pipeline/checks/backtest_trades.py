"""Rules of `backtest_trades`: each is the trade of a setup, ends after it began, and its money adds up."""

from typing import Final

from goldsignal_pipeline.checks.building import RowRule, row_check_of

RULES: Final = {
    "trades_belong_to_setups": RowRule(
        "Every simulated trade is that of a setup that is held.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, setups.kind
        FROM backtest_trades LEFT JOIN setups USING (symbol, timeframe, strategy, direction, timestamp)
        WHERE resolved_at >= :start AND resolved_at < :end AND setups.kind IS DISTINCT FROM 'setup'
        """,
    ),
    "trade_keys_are_unique": RowRule(
        "A setup is traded once.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, count(*) AS copies FROM backtest_trades
        WHERE resolved_at >= :start AND resolved_at < :end
        GROUP BY symbol, timeframe, strategy, direction, timestamp HAVING count(*) > 1
        """,
    ),
    "trades_end_after_they_begin": RowRule(
        "No trade is entered before its setup was confirmed, and no result is known before the entry or in the future.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, confirmed_at, entry_at, resolved_at FROM backtest_trades
        WHERE resolved_at >= :start AND resolved_at < :end
          AND NOT (confirmed_at <= entry_at AND entry_at < resolved_at AND resolved_at <= :now)
        """,
    ),
    "trade_results_add_up": RowRule(
        "Net is gross less cost, lies between worst and best, and over the risk it is net R.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, gross, cost, net, worst, best, risk, net_r FROM backtest_trades
        WHERE resolved_at >= :start AND resolved_at < :end AND result <> 'missed'
          AND NOT (net = gross - cost AND worst <= net AND net <= best AND abs(net_r - net / risk) <= 0.0001)
        """,
    ),
}

backtest_trades_rules: Final = row_check_of("backtest_trades", RULES)
