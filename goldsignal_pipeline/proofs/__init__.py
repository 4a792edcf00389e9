"""Proofs: what a strategy must not do, tried out on candles and reported as data.

From the ground up: `reports` (what is found), `comparing` (the first difference of two evaluations), `record` (candles to try
on), `poisoning` (other futures and pasts), `ban` (clock, randomness and I/O), `bias` (all of it, for one strategy), `simulated`
(candles of the simulated market). Pure but for `ban`, which watches the interpreter while a strategy is evaluated.
"""
