-- The newest version of each observation, whenever it was made.
CREATE VIEW goldsignal.raw_candles_current AS
    SELECT * FROM goldsignal.raw_candles_as_of('infinity');

COMMENT ON VIEW goldsignal.raw_candles_current IS 'The newest version of each bar of each source.';
