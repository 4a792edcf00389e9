"""Plausibility: rows of another symbol among gold's, told by their level.

1. A bar whose high or low lies more than half its open away is no bar of gold (the widest D1 bar on record spans 10 %).
2. The rest falls into stretches: a new one begins where an open lies more than half the previous close away from it.
3. The stretch that agrees with the reference is believed; without a reference, the one with the most rows.
4. From there each neighbouring stretch is believed when it joins the level of the last believed one, so a whole page of
   another symbol is turned away and does not become the measure of what follows.

After 90 days without rows any level may be right, and step 3 begins anew with the longest stretch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.candles import Bars

_LONGEST_MEMORY: Final = np.timedelta64(90, "D")

Flags = npt.NDArray[np.bool_]


def implausible_levels(bars: Bars, *, reference_close_ticks: int | None) -> Flags:
    """Where a bar stands at a level that gold cannot have had there; `bars` ascend, positive, low and high in order.

    `reference_close_ticks` is a trusted close near the first bar, or None.
    """
    strange = _is_far(bars.high, bars.open) | _is_far(bars.low, bars.open)
    kept = np.flatnonzero(~strange)
    if len(kept) == 0:
        return strange
    opens, closes = bars.open[kept], bars.close[kept]
    new_block = np.concatenate([[True], np.diff(bars.opens[kept]) > _LONGEST_MEMORY])
    new_stretch = new_block.copy()
    new_stretch[1:] |= _is_far(opens[1:], closes[:-1])
    first = np.flatnonzero(new_stretch)
    last = np.append(first[1:], len(kept)) - 1
    block = np.cumsum(new_block[first]) - 1
    believed = np.zeros(len(first), dtype=bool)
    for number in range(int(block[-1]) + 1):
        members = np.flatnonzero(block == number)
        levels = _Stretches(opens[first[members]], closes[last[members]], (last - first + 1)[members])
        believed[members] = levels.believed(reference=reference_close_ticks if number == 0 else None)
    strange[kept] = ~np.repeat(believed, last - first + 1)
    return strange


def _is_far(price: npt.NDArray[np.int64], reference: npt.NDArray[np.int64]) -> Flags:
    return np.asarray(2 * np.abs(price - reference) > reference)


class _Stretches:
    """Consecutive stretches of one block: the level at which each begins and ends, and how many rows it has."""

    def __init__(self, begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> None:
        self._begins = begins.tolist()
        self._ends = ends.tolist()
        self._longest = int(np.argmax(counts))

    def believed(self, *, reference: int | None) -> Flags:
        believed = np.zeros(len(self._begins), dtype=bool)
        if reference is not None:
            self._follow(believed, range(len(self._begins)), entry=self._begins, leave=self._ends, level=reference)
            return believed
        anchor = self._longest
        believed[anchor] = True
        later, earlier = range(anchor + 1, len(self._begins)), range(anchor - 1, -1, -1)
        self._follow(believed, later, entry=self._begins, leave=self._ends, level=self._ends[anchor])
        self._follow(believed, earlier, entry=self._ends, leave=self._begins, level=self._begins[anchor])
        return believed

    @staticmethod
    def _follow(believed: Flags, order: Iterable[int], *, entry: list[int], leave: list[int], level: int) -> None:
        for position in order:
            if 2 * abs(entry[position] - level) <= level:
                believed[position] = True
                level = leave[position]
