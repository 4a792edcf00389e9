"""Rules of `backtest_results`: windows hold only trades whose result was known, and rates lie within their bounds."""

from typing import Final

from goldsignal_pipeline.checks.building import RowRule, row_check_of

RATES: Final = """
    NOT (wins BETWEEN 0 AND trades AND coalesce(win_rate BETWEEN 0 AND 1, trades = 0) AND coalesce(profit_factor >= 0, true)
         AND coalesce(exposure BETWEEN 0 AND 1, true) AND coalesce(max_drawdown_r >= 0, true)
         AND coalesce(expectancy_error >= 0, true) AND longest_losing_run BETWEEN 0 AND trades)
"""
"""What a row of metrics breaks when a rate lies outside its bounds."""

RULES: Final = {
    "result_windows_hold_only_closed_trades": RowRule(
        "A window of a day counts exactly the trades whose result was known in it, before the day began.",
        breaking_rows="""
        SELECT results.symbol, results.day, results.strategy, results.timeframe, results.window_days, results.trades,
               counted.trades AS trades_held
        FROM backtest_results AS results, LATERAL (
            SELECT count(*) AS trades FROM backtest_trades AS held
            WHERE held.symbol = results.symbol AND held.strategy = results.strategy AND held.timeframe = results.timeframe
              AND held.result <> 'missed' AND held.resolved_at < results.day::timestamp AT TIME ZONE 'UTC'
              AND held.resolved_at >= (results.day - results.window_days)::timestamp AT TIME ZONE 'UTC'
        ) AS counted
        WHERE results.day >= CAST(:start AS timestamptz) AT TIME ZONE 'UTC'
          AND results.day < CAST(:end AS timestamptz) AT TIME ZONE 'UTC'
          AND results.trades <> counted.trades
        """,
    ),
    "result_rates_are_within_bounds": RowRule(
        "Shares lie between 0 and 1, counts below the number of trades, an interval has its ends in order, a p-value is above 0.",
        breaking_rows=f"""
        SELECT symbol, day, strategy, timeframe, window_days, trades, wins, win_rate, exposure, p_value FROM backtest_results
        WHERE day >= CAST(:start AS timestamptz) AT TIME ZONE 'UTC' AND day < CAST(:end AS timestamptz) AT TIME ZONE 'UTC'
          AND ({RATES} OR interval_low > interval_high OR NOT coalesce(p_value > 0 AND p_value <= 1, true))
        """,  # noqa: S608  # constants
    ),
    "no_result_from_the_future": RowRule(
        "A day has results only once it has begun (I5).",
        breaking_rows="""
        SELECT symbol, day, strategy, timeframe, window_days FROM backtest_results
        WHERE day >= CAST(:start AS timestamptz) AT TIME ZONE 'UTC' AND day < CAST(:end AS timestamptz) AT TIME ZONE 'UTC'
          AND day::timestamp AT TIME ZONE 'UTC' > :now
        """,
    ),
}

backtest_results_rules: Final = row_check_of("backtest_results", RULES)
