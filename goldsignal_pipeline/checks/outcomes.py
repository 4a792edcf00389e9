"""Rules of `outcomes`: one for a signal, none before its entry, and its end told as an event."""

from typing import Final

from goldsignal_pipeline.checks.building import RowRule, row_check_of

RULES: Final = {
    "one_outcome_per_signal": RowRule(
        "Every outcome is that of one signal, and no signal has two (I9).",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, count(*) AS copies, count(signals.confirmed_at) AS signals
        FROM outcomes LEFT JOIN signals USING (symbol, timeframe, strategy, direction, timestamp)
        WHERE outcomes.resolved_at >= :start AND outcomes.resolved_at < :end
        GROUP BY symbol, timeframe, strategy, direction, timestamp HAVING count(*) > 1 OR count(signals.confirmed_at) <> count(*)
        """,
    ),
    "no_outcome_before_entry": RowRule(
        "No signal is entered before it was confirmed, and none ends before it is entered or in the future.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, signals.confirmed_at, entered_at, resolved_at
        FROM outcomes JOIN signals USING (symbol, timeframe, strategy, direction, timestamp)
        WHERE resolved_at >= :start AND resolved_at < :end
          AND (entered_at < signals.confirmed_at OR resolved_at <= entered_at OR resolved_at <= signals.confirmed_at
               OR resolved_at > :now)
        """,
    ),
    "outcome_bounds_hold": RowRule(
        "Net R lies between the worst and the best order of events.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, worst_r, net_r, best_r FROM outcomes
        WHERE resolved_at >= :start AND resolved_at < :end
          AND NOT coalesce(worst_r <= net_r AND net_r <= best_r, result = 'missed')
        """,
    ),
    "every_end_is_told": RowRule(
        "The last end that the events of a signal tell is its outcome.",
        breaking_rows="""
        SELECT symbol, timeframe, strategy, direction, timestamp, outcomes.result, states.status
        FROM outcomes LEFT JOIN signal_states AS states USING (symbol, timeframe, strategy, direction, timestamp)
        WHERE resolved_at >= :start AND resolved_at < :end AND states.status IS DISTINCT FROM outcomes.result
        """,
    ),
}

outcomes_rules: Final = row_check_of("outcomes", RULES)
