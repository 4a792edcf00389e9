"""Rules of `signals`: levels in order, no decision from the future, a verdict on every setup, and what was published stands."""

from typing import Final

from goldsignal_pipeline.checks.building import RowRule, row_check_of

RULES: Final = {
    "signal_levels_are_in_order": RowRule(
        "Stop, reference, TP1 and TP2 of every signal follow one another in its direction.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, stop, reference, take_profit_1, take_profit_2 FROM signals
        WHERE confirmed_at >= :start AND confirmed_at < :end AND NOT CASE direction
            WHEN 'BUY' THEN stop < reference AND reference < take_profit_1 AND take_profit_1 <= take_profit_2
            ELSE stop > reference AND reference > take_profit_1 AND take_profit_1 >= take_profit_2 END
        """,
    ),
    "signal_keys_are_unique": RowRule(
        "One signal per natural key (I9).",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, count(*) AS copies FROM signals
        WHERE confirmed_at >= :start AND confirmed_at < :end
        GROUP BY symbol, timeframe, strategy, direction, timestamp HAVING count(*) > 1
        """,
    ),
    "no_decision_from_the_future": RowRule(
        "Nothing is decided before its bar has closed, nor known later than now (I5).",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, decided_for, known_at FROM gate_decisions
        WHERE decided_for >= :start AND decided_for < :end
          AND (decided_for > :now OR known_at < decided_for OR known_at > :now OR timestamp >= decided_for)
        """,
    ),
    "every_setup_has_a_verdict": RowRule(
        "Every setup that is held was judged.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, setups.confirmed_at
        FROM setups LEFT JOIN gate_decisions AS verdicts USING (symbol, timeframe, strategy, direction, timestamp)
        WHERE setups.kind = 'setup' AND setups.confirmed_at >= :start AND setups.confirmed_at < :end
          AND verdicts.decided_for IS NULL
        """,
    ),
    "verdicts_and_signals_agree": RowRule(
        "What was accepted is a signal, and nothing else is.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, verdicts.is_accepted, signals.confirmed_at
        FROM (SELECT * FROM gate_decisions WHERE decided_for >= :start AND decided_for < :end) AS verdicts
        FULL JOIN (SELECT * FROM signals WHERE confirmed_at >= :start AND confirmed_at < :end) AS signals
        USING (symbol, timeframe, strategy, direction, timestamp)
        WHERE coalesce(verdicts.is_accepted, false) <> (signals.confirmed_at IS NOT NULL)
        """,
    ),
    "published_signals_follow_from_candles": RowRule(
        "The candles held now give every published signal as it was published; a later revision makes them differ.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, signals.reference AS published_reference,
               setups.reference AS reference_now, signals.stop AS published_stop, setups.stop AS stop_now
        FROM signals LEFT JOIN setups USING (symbol, timeframe, strategy, direction, timestamp)
        WHERE signals.origin = 'live' AND signals.confirmed_at >= :start AND signals.confirmed_at < :end
          AND (setups.kind IS DISTINCT FROM 'setup' OR setups.reference <> signals.reference OR setups.stop <> signals.stop
               OR setups.take_profit_1 <> signals.take_profit_1 OR setups.take_profit_2 <> signals.take_profit_2)
        """,
        is_blocking=False,
    ),
}

signals_rules: Final = row_check_of("signals", RULES)
