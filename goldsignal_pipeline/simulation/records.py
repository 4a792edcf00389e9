"""Records of the compiled kernel: base bars and candidates as plain arrays, a trade as one structured element, its steps."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

Trades = npt.NDArray[Any]
"""A structured array of `TRADE_DTYPE`."""

TRADE_DTYPE: Final = np.dtype(
    [
        ("result", np.int8),
        ("miss", np.int8),
        ("coarse_entry", np.bool_),
        ("ambiguous", np.bool_),
        ("first_exit", np.int8),
        ("second_exit", np.int8),
        ("entry_bar", np.int64),
        ("first_bar", np.int64),
        ("second_bar", np.int64),
        ("quote", np.int64),
        ("entry_fill", np.int64),
        ("first_fill", np.int64),
        ("second_fill", np.int64),
        ("risk", np.int64),
        ("favourable", np.int64),
        ("adverse", np.int64),
        ("gross", np.int64),
        ("swap", np.int64),
        ("cost", np.int64),
        ("net", np.int64),
        ("worst", np.int64),
        ("best", np.int64),
        ("deadline", np.int64),
        ("resolved_at", np.int64),
        ("resolution_minutes", np.int64),
    ],
    align=True,
)
"""One trade: bars by position (-1: none yet), prices and excursions in ticks, instants in microseconds, gross to best in units
(0 while open)."""


class BarArrays(NamedTuple):
    """Base bars as int64 arrays; see `BaseBars`."""

    opens: Integers
    closes: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    bid_below: Integers
    ask_above: Integers
    rolls: Integers


Blocks = npt.NDArray[np.int64]
"""Stretches of bars by side (bid, ask) and number: highest, lowest, and closes before rolls + 1 (0: not known yet)."""


class CandidateArrays(NamedTuple):
    """Candidates as int64 arrays: direction is +1 (BUY) or -1 (SELL), `entries` a bar or -1, `deadlines` microseconds."""

    direction: Integers
    reference: Integers
    stop: Integers
    target_one: Integers
    target_two: Integers
    entries: Integers
    deadlines: Integers


class Terms(NamedTuple):
    """What holds for all candidates: how far the record is complete (microseconds), ticks, and basis points a year."""

    known_until: int
    slippage: int
    swap_long: int
    swap_short: int


class Plan(NamedTuple):
    """One filled trade, turned so that up is gain; `quote` is the entry before spread and slippage, `fill` after both.

    `end` is the first bar that is not held, because it closes after the deadline.
    """

    sign: int
    stop: int
    target_one: int
    target_two: int
    quote: int
    fill: int
    end: int
    slippage: int
    swap_rate: int


class Leaving(NamedTuple):
    """An exit at a quoted price, and how far the quote lies from the source's price."""

    bar: int
    how: int
    price: int
    offset: int
