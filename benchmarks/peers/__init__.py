"""Two other backtesters asked the same question, so that our answer does not stand alone.

`given` says what every side is told (entries, levels, the last bar held) and what it makes of that; `vectorbt_trades` and
`backtesting_trades` put it to the peers, `differences` explains where they answer otherwise. The peers are the optional extra
`peers`; backtesting.py is AGPL, so nothing of the product imports it.
"""
