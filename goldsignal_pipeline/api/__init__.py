"""The read-only HTTP API and the pages; nothing here writes to the business tables.

`app.create_app` makes the application of some settings; `goldsignal up` runs it as a process of its own.
"""
