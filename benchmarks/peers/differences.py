"""Why a peer's answer differs from ours: events in the life of a trade for which the models have different rules.

A trade without such an event must be filled alike, to the last tick; `count` tells how many have one, and what it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.peers.given import Given, Made, quoted
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.kernel import Exit
from goldsignal_pipeline.simulation.records import Trades

CENT_FRACTION: Final = 1e-6
"""Prices closer than this (USD/oz) are the same: peers compute with floats, the grid is 0.01."""

EVENTS: Final = ("expiry", "gap", "entry_bar", "exact_touch")
BACKTESTING_EVENTS: Final = ("expiry", "gap")
VECTORBT_EVENTS: Final = ("gap", "entry_bar", "exact_touch")


@dataclass(frozen=True, slots=True)
class Count:
    """Trades with an event, how many of them are filled otherwise, and what that is worth to the peer on average (USD/oz)."""

    event: str
    trades: int
    filled_otherwise: int
    mean_gain_of_peer: float
    largest_gap: float


def events(trades: Given, resolved: Trades, bars: BaseBars) -> pd.DataFrame:
    """Which events each trade saw, one column of flags each.

    `expiry`: closed at the close of its last bar. `gap`: a bar opened beyond a target. `entry_bar`: stop or first target was
    touched in the bar of the entry. `exact_touch`: an extreme or an open met a level to the tick.
    """
    sides = {
        direction: {
            name: np.rint(direction * TICKS_PER_USD * prices).astype(np.int64)
            for name, prices in quoted(bars, direction=direction).items()
        }
        for direction in (1, -1)
    }
    rows = [_events_of(number, trades, resolved, sides[int(trades.direction[number])]) for number in range(len(trades))]
    return pd.DataFrame(rows, columns=list(EVENTS))


def _events_of(number: int, trades: Given, resolved: Trades, side: dict[str, np.ndarray]) -> tuple[bool, bool, bool, bool]:
    """Events of one trade on prices turned so that up is gain (high and low then trade places for a SELL)."""
    direction = int(trades.direction[number])
    entry, first, second = (int(bars[number]) for bars in (trades.entry, resolved["first_bar"], resolved["second_bar"]))
    stop, one, two = (direction * int(levels[number]) for levels in (trades.stop, trades.target_one, trades.target_two))
    quote = direction * int(resolved["quote"][number])
    life = slice(entry, second + 1)
    open_, high, low = (side[name][life] for name in ("open", *(("high", "low") if direction > 0 else ("low", "high"))))
    until_first = first - entry + 1
    gap = bool((open_[1:until_first] > one).any() or (open_[1:] > two).any())
    expires = Exit.EXPIRY in (resolved["first_exit"][number], resolved["second_exit"][number])
    touched = np.isin(np.concatenate([open_[1:], high, low]), [stop, one, two, quote])
    return bool(expires), gap, bool(low[0] <= stop or high[0] >= one), bool(touched.any())


def filled_otherwise(one: Made, other: Made) -> np.ndarray:
    """Where a price or the bar of an exit differs."""
    prices = ("entry_price", "first_price", "second_price")
    differs = [np.abs(getattr(one, name) - getattr(other, name)) > CENT_FRACTION for name in prices]
    differs += [getattr(one, name) != getattr(other, name) for name in ("first_bar", "second_bar")]
    return np.logical_or.reduce(differs)


def count(trades: Given, ours: Made, peer: Made, seen: pd.DataFrame, *, explained_by: tuple[str, ...]) -> list[Count]:
    """A row for each event in the order of `explained_by` (a trade counts with the first it saw), and one for the rest."""
    differs = filled_otherwise(ours, peer)
    worth = peer.gain(trades.direction) - ours.gain(trades.direction)
    flags = np.column_stack([seen[list(explained_by)].to_numpy(dtype=bool), np.ones(len(trades), dtype=bool)])
    which = flags.argmax(axis=1)
    rows = []
    for number, event in enumerate((*explained_by, "none of these")):
        where = which == number
        values = worth[where]
        mean, largest = (float(values.mean()), float(np.abs(values).max())) if len(values) else (0.0, 0.0)
        rows.append(Count(event, int(where.sum()), int(differs[where].sum()), mean, largest))
    return rows
