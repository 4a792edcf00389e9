"""The functional core: pure functions over arrays and frames, without clock, files, network, database or orchestrator.

Instants are UTC `datetime64[us]`, prices int64 ticks of 0.01 USD/oz, a bar is labelled by its open.
"""
