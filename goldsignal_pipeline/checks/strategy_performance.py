"""Rules of `strategy_performance`: windows hold only outcomes that were known, and rates lie within their bounds."""

from typing import Final

from goldsignal_pipeline.checks.backtest_results import RATES
from goldsignal_pipeline.checks.building import RowRule, row_check_of

RULES: Final = {
    "performance_windows_hold_only_outcomes": RowRule(
        "A window of a day counts exactly the outcomes of signals that became known in it, up to the end of the day.",
        breaking_rows="""
        SELECT measured.symbol, measured.day, measured.strategy, measured.timeframe, measured.window_days, measured.trades,
               counted.trades AS outcomes_held
        FROM strategy_performance AS measured, LATERAL (
            SELECT count(*) AS trades FROM outcomes AS held
            WHERE held.symbol = measured.symbol AND held.strategy = measured.strategy AND held.timeframe = measured.timeframe
              AND held.result <> 'missed' AND held.resolved_at < (measured.day + 1)::timestamp AT TIME ZONE 'UTC'
              AND held.resolved_at >= (measured.day + 1 - measured.window_days)::timestamp AT TIME ZONE 'UTC'
        ) AS counted
        WHERE measured.day >= CAST(:start AS timestamptz) AT TIME ZONE 'UTC'
          AND measured.day < CAST(:end AS timestamptz) AT TIME ZONE 'UTC'
          AND measured.trades <> counted.trades
        """,
    ),
    "performance_rates_are_within_bounds": RowRule(
        "Shares lie between 0 and 1, and counts below the number of outcomes.",
        breaking_rows=f"""
        SELECT symbol, day, strategy, timeframe, window_days, trades, wins, win_rate, exposure FROM strategy_performance
        WHERE day >= CAST(:start AS timestamptz) AT TIME ZONE 'UTC' AND day < CAST(:end AS timestamptz) AT TIME ZONE 'UTC'
          AND {RATES}
        """,  # noqa: S608  # constants
    ),
    "health_moves_by_one_step": RowRule(
        "A strategy leaves degradation only through probation.",
        breaking_rows="""
        SELECT symbol, strategy, timeframe, day, before, state FROM (
            SELECT symbol, strategy, timeframe, day, state,
                   lag(state) OVER (PARTITION BY symbol, strategy, timeframe ORDER BY day) AS before
            FROM strategy_performance WHERE window_days = 90
              AND day >= CAST(:start AS timestamptz) AT TIME ZONE 'UTC' AND day < CAST(:end AS timestamptz) AT TIME ZONE 'UTC'
        ) AS days
        WHERE (before = 'degraded' AND state NOT IN ('degraded', 'probation'))
           OR (state = 'probation' AND before NOT IN ('degraded', 'probation'))
        """,
    ),
}

strategy_performance_rules: Final = row_check_of("strategy_performance", RULES)
