"""The read-only HTTP API and the chart page; nothing here writes to the business tables.

`create_app` makes the application from settings; `goldsignal serve` (which `up` starts) runs it.
"""
