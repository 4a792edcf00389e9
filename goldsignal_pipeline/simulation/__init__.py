"""Simulation: what the market makes of a candidate trade, by one compiled kernel for backtest and live.

Fills, from the ground up: `costs` (slippage, swap), `bars` (the base bars a trade is resolved against), `kernel` (the compiled
walk) over `records`, `trades` (candidates in, trades out). Then what is measured on them: `scored_trades`, `metrics`, `rolling`.
Pure: no clock, files, network, database or orchestrator; importing compiles nothing.
"""
