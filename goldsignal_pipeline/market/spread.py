"""Spread: what a trade pays between bid and ask, and which quotes lie behind a candle.

A record holds one side only. The other follows from a table of full spreads by session, the defaults being medians of
thirteen years of real bid and ask; a source that knows better declares its own table. A table holds from an instant on, and a
bar has the spread of the one in force at its open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from goldsignal_pipeline.market.hours import Session, sessions
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.zones import Instants

Ticks = npt.NDArray[np.int64]


class SpreadTable(BaseModel):
    """Full spreads in ticks of 0.01 USD/oz, by session, and outside all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asia_ticks: NonNegativeInt = 40
    london_ticks: NonNegativeInt = 35
    new_york_ticks: NonNegativeInt = 35
    overlap_ticks: NonNegativeInt = 35
    otherwise_ticks: NonNegativeInt = 100


BEGINNING: Final = np.datetime64("1970-01-01", "us")


@dataclass(frozen=True, slots=True)
class SpreadHistory:
    """Tables by the instant from which each holds (UTC `datetime64[us]`); before the first the default holds."""

    changes: Mapping[np.datetime64, SpreadTable]

    def in_force(self, *, until: np.datetime64) -> dict[np.datetime64, SpreadTable]:
        """The tables that hold before `until`, in the order of their instants, the default among them as the first."""
        told = {BEGINNING: SpreadTable(), **self.changes}
        return {since: told[since] for since in sorted(told) if since < until}

    def ticks(self, opens: Instants) -> Ticks:
        """The full spread of the bars that open at `opens`, each by the table in force at its open."""
        spreads = np.zeros(np.shape(opens), dtype=np.int64)
        for since, table in self.in_force(until=np.datetime64("9999-01-01", "us")).items():
            later = opens >= since
            spreads[later] = spread_ticks(opens[later], table=table)
        return spreads


def spread_ticks(opens: Instants, *, table: SpreadTable) -> Ticks:
    """The full spread of the bars that open at `opens` (UTC `datetime64[us]`), as int64 ticks.

    A bar belongs to the sessions of its open, whatever its length; of several sessions the smallest spread holds.
    """
    by_session = {
        Session.ASIA: table.asia_ticks,
        Session.LONDON: table.london_ticks,
        Session.NEW_YORK: table.new_york_ticks,
        Session.OVERLAP: table.overlap_ticks,
    }
    unknown = np.iinfo(np.int64).max
    spreads = np.full(np.shape(opens), unknown, dtype=np.int64)
    for session, within in sessions(opens).items():
        spreads[within] = np.minimum(spreads[within], by_session[session])
    spreads[spreads == unknown] = table.otherwise_ticks
    return spreads


def bid_ask(prices: Ticks, *, spreads: Ticks, side: Side) -> tuple[Ticks, Ticks]:
    """Bid and ask (int64 ticks) behind prices of one side, `spreads` apart; of an odd spread around mid the ask takes more."""
    if side is Side.BID:
        return prices, prices + spreads
    if side is Side.ASK:
        return prices - spreads, prices
    bid = prices - spreads // 2
    return bid, bid + spreads
