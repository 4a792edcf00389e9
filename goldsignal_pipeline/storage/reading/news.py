"""Events of the economic calendar, as it stands or as it was known at an instant."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from psycopg import sql

from goldsignal_pipeline.storage.reading.queries import Order, Query
from goldsignal_pipeline.storage.tables.news import IMPACTS

NEWS_ORDER: Final = Order(("at", "currency", "title"), descending=False)

_EVENTS: Final = """
    SELECT at, currency, title, impact, forecast, previous, impact = 'high' AND currency = 'USD' AS stops_signals, first_seen_at
    FROM goldsignal.news_events
    WHERE at >= %(start)s AND at < %(end)s AND impact = ANY (%(impacts)s) AND {known} {currency}
"""


def events(
    *, start: datetime, end: datetime, least_impact: str = IMPACTS[0], currency: str | None = None, as_of: datetime | None = None
) -> Query:
    """Events in [start, end) of at least an impact; those known at `as_of` when given, with the wording of today."""
    known = "first_seen_at <= %(as_of)s AND coalesce(withdrawn_at > %(as_of)s, true)" if as_of else "withdrawn_at IS NULL"
    statement = sql.SQL(_EVENTS).format(
        known=sql.SQL(known), currency=sql.SQL("AND currency = %(currency)s" if currency is not None else "")
    )
    impacts = list(IMPACTS[IMPACTS.index(least_impact) :])
    return Query(statement, {"start": start, "end": end, "impacts": impacts, "currency": currency, "as_of": as_of})
