-- The observations known at an instant: of each bar of each source the newest version observed by then.
-- Plain SQL and not strict, so that the planner inlines it and conditions on symbol and timestamp use the primary key.
CREATE FUNCTION goldsignal.raw_candles_as_of(t timestamptz)
RETURNS SETOF goldsignal.raw_candles
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT DISTINCT ON (symbol, timestamp, timeframe, source) *
    FROM goldsignal.raw_candles
    WHERE observed_at <= t
    ORDER BY symbol DESC, timestamp DESC, timeframe DESC, source DESC, observed_at DESC
$$;

COMMENT ON FUNCTION goldsignal.raw_candles_as_of(timestamptz) IS
    'The newest version of each observation that was known at t; the same projection on top gives the candles known at t.';
