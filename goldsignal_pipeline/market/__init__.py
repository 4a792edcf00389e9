"""The functional core: pure functions over arrays and frames, without clock, files, network, database or orchestrator.

Instants are UTC `datetime64[us]`, prices int64 ticks of 0.01 USD/oz, a bar is labelled by its open. From the ground up:
`zones` (local clocks), `timeframes` (where bars begin and end), `hours` (when gold trades), `prices` (ticks), `spread`; above
them what is done to candles. Names are imported from their modules, so that settings and help start without pandas.
"""
