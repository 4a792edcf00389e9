"""Rules of `setups`: levels in order, one setup per key, and a confirming bar that is held and closes at the reference."""

from typing import Final

from goldsignal_pipeline.checks.building import RowRule, row_check_of

RULES: Final = {
    "setup_levels_are_in_order": RowRule(
        "Stop, reference, TP1 and TP2 follow one another in the direction, and planned R is the distance of stop and reference.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, stop, reference, take_profit_1, take_profit_2 FROM setups
        WHERE kind = 'setup' AND confirmed_at >= :start AND confirmed_at < :end AND (
            planned_risk IS DISTINCT FROM abs(reference - stop)
            OR NOT CASE direction
                WHEN 'BUY' THEN stop < reference AND reference < take_profit_1 AND take_profit_1 <= take_profit_2
                ELSE stop > reference AND reference > take_profit_1 AND take_profit_1 >= take_profit_2 END)
        """,
    ),
    "setup_keys_are_unique": RowRule(
        "One setup per symbol, timeframe, strategy, direction and confirming bar.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, count(*) AS copies FROM setups
        WHERE confirmed_at >= :start AND confirmed_at < :end
        GROUP BY symbol, timeframe, strategy, direction, timestamp HAVING count(*) > 1
        """,
    ),
    "no_setup_from_the_future": RowRule(
        "The confirming bar of every setup is held or was pruned, has closed, and closes at the setup's reference (I5).",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, confirmed_at, reference, candles.close AS close_held
        FROM setups LEFT JOIN candles USING (symbol, timeframe, timestamp)
        WHERE confirmed_at >= :start AND confirmed_at < :end
          AND (candles.close IS DISTINCT FROM reference OR confirmed_at > :now)
          AND (confirmed_at > :now OR NOT EXISTS (
              SELECT FROM pruned_candles AS gone WHERE gone.symbol = setups.symbol AND gone.timeframe = setups.timeframe
              AND gone.month = to_char(confirmed_at AT TIME ZONE 'UTC', 'YYYY-MM')))
        """,
    ),
}

setups_rules: Final = row_check_of("setups", RULES)
