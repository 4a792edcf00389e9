"""Revisions: what was observed only after a live run had decided, or had told of a trade, and what it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

READ_BACK: Final = timedelta(days=430)
"""The results that a verdict reads are those of 365 days, and their trades read bars of up to two months before."""

_LATER: Final = text(
    "SELECT number - 1 FROM unnest(CAST(:at AS timestamptz[]), CAST(:decided_at AS timestamptz[])) WITH ORDINALITY"
    " AS told (at, decided_at, number) WHERE EXISTS ("
    " SELECT FROM goldsignal.raw_candles WHERE symbol = :symbol"
    " AND timestamp >= told.at - CAST(:reach AS interval) AND timestamp < told.at AND observed_at > told.decided_at"
    ") OR EXISTS ("
    " SELECT FROM goldsignal.gate_events AS events WHERE (events.symbol = :symbol OR events.symbol IS NULL)"
    " AND events.kind NOT IN ('decided', 'live_since') AND events.at <= told.at AND events.recorded_at > told.decided_at)"
)
_RETOLD: Final = text(
    "SELECT DISTINCT timeframe, strategy, direction, timestamp FROM goldsignal.signal_events AS events"
    " JOIN goldsignal.signals AS signals USING (symbol, timeframe, strategy, direction, timestamp)"
    " WHERE symbol = :symbol AND events.origin = 'live' AND EXISTS ("
    " SELECT FROM goldsignal.raw_candles AS raw WHERE raw.symbol = events.symbol AND raw.observed_at > events.known_at"
    " AND raw.timestamp >= signals.confirmed_at AND raw.timestamp < events.at)"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a live verdict was for, and when it was given."""

    at: datetime
    decided_at: datetime


def known_later(connection: Connection, moments: Sequence[Moment], *, symbol: str) -> list[bool]:
    """For each verdict whether a bar it read was observed, or a gate event in force was recorded, only after it was given."""
    parameters = {
        "symbol": symbol,
        "at": [one.at for one in moments],
        "decided_at": [one.decided_at for one in moments],
        "reach": READ_BACK,
    }
    found = set(connection.execute(_LATER, parameters).scalars())
    return [number in found for number in range(len(moments))]


def retold_trades(connection: Connection, *, symbol: str) -> set[tuple[str, str, str, datetime]]:
    """The signals (timeframe, strategy, direction, timestamp) with a live event that a later observation may have changed."""
    return {tuple(row) for row in connection.execute(_RETOLD, {"symbol": symbol})}
