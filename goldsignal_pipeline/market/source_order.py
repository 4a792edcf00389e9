"""Order of sources: which one a trading day is preferably taken from, and from when on.

An order names the sources it knows, most trusted first; those it does not name follow by name. Orders change: a trading day has
the order in force when it begins, so that no day is a mix of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.zones import Instants

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceOrders:
    """`first` holds until the first of `changes`, which are instants (UTC `datetime64[us]`, ascending) with their orders."""

    first: Names = ()
    changes: tuple[tuple[np.datetime64, Names], ...] = ()

    def between(self, start: np.datetime64, end: np.datetime64) -> SourceOrders:
        """What concerns instants in [start, end): the order in force at `start`, and the changes to another before `end`."""
        orders = [(at, names) for at, names in self.changes if at < end]
        first = [self.first, *(names for at, names in orders if at <= start)][-1]
        later = [(at, names) for at, names in orders if at > start]
        before = [first, *(names for _, names in later)]
        return SourceOrders(first, tuple(one for one, earlier in zip(later, before, strict=False) if one[1] != earlier))

    def told(self) -> list[str]:
        """The orders as words, for digests; without changes the names and nothing else."""
        return [*self.first, *(word for at, names in self.changes for word in (f"from {at}", *names))]


@dataclass(frozen=True, slots=True, eq=False)
class DayOrders:
    """The sources that a range has, each in the order of each of its day parts: `rankings[number[part]]` is that of a part."""

    rankings: tuple[Names, ...]
    number: npt.NDArray[np.intp]

    @classmethod
    def of(cls, orders: SourceOrders, *, sources: Sequence[str], trading_days: npt.NDArray[np.datetime64]) -> DayOrders:
        """Rank `sources` by the order in force at the beginning of each of the trading days."""
        begins: Instants = TradingCalendar.trading_day_bounds(trading_days)[0]
        changed = np.array([at for at, _ in orders.changes], dtype="datetime64[us]")
        used, number = np.unique(np.searchsorted(changed, begins, side="right"), return_inverse=True)
        told = [orders.first, *(names for _, names in orders.changes)]
        rankings = [ranked(sources, order=told[position]) for position in used.tolist()]
        return cls(tuple(rankings or [ranked(sources, order=orders.first)]), number.astype(np.intp))


def ranked(sources: Sequence[str], *, order: Sequence[str]) -> Names:
    """Each of the sources once, most trusted first."""
    named = [source for source in order if source in sources]
    return (*named, *sorted(set(sources) - set(named)))
