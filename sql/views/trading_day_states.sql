-- A trading day as a whole: a day is blocked when more than 2 % of the bars expected so far are missing.
CREATE VIEW goldsignal.trading_day_states AS
    SELECT
        symbol,
        trading_day,
        sum(expected_bars)::integer AS expected_bars,
        sum(present_bars)::integer AS present_bars,
        sum(missing_bars)::integer AS missing_bars,
        sum(missing_bars) * 50 > sum(expected_bars) AS data_blocked
    FROM goldsignal.trading_day_parts
    GROUP BY symbol, trading_day;

COMMENT ON VIEW goldsignal.trading_day_states IS
    'Completeness of each trading day; data_blocked when more than 2 % of the bars expected so far are missing.';
