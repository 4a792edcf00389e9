"""Simulation: what the market makes of a candidate trade, by one compiled kernel for backtest and live.

From the ground up: `costs` (slippage, swap), `bars` (the base bars a trade is resolved against), `kernel` (the compiled walk),
`trades` (candidates in, trades out). Pure: no clock, files, network, database or orchestrator; importing compiles nothing.
"""
