"""Strategies: pure rules from candles to setups, each on one screen, and what they share.

From the ground up: `indicators`, `context` (sessions, H4 trend, volatility), `directed` (bars as one direction sees them),
`base` (what a strategy is), one module per strategy, `judging` (setup, refused or near miss), `setups` (the frames),
`evaluation` (months from their fixed origins), `registry` (installed strategies). Names are imported from their modules.
"""
