"""Chosen bars: the bars a record is built from, whatever the base timeframe of each day, and the coarser bars made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from goldsignal_pipeline.market.candles import Bars, aggregate, bar_labels
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants


@dataclass(frozen=True, slots=True, eq=False)
class ChosenBars:
    """Bars with their origin, as arrays of equal length, ascending by open.

    `closes` are nominal ends; `flags` positions in `candles.FLAGS`; `parts` positions in a `DayGrid`; `sources` ranks of
    sources; `base_minutes` the length of the base bars each is made of, and `base_bars` their number.
    """

    bars: Bars
    closes: Instants
    flags: npt.NDArray[np.int8]
    parts: npt.NDArray[np.intp]
    sources: npt.NDArray[np.intp]
    base_minutes: npt.NDArray[np.int64]
    base_bars: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bars)

    def take(self, where: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> ChosenBars:
        """The bars at a mask or at positions."""
        return ChosenBars(
            bars=self.bars.take(where),
            closes=self.closes[where],
            flags=self.flags[where],
            parts=self.parts[where],
            sources=self.sources[where],
            base_minutes=self.base_minutes[where],
            base_bars=self.base_bars[where],
        )


def join(pieces: Sequence[ChosenBars]) -> ChosenBars:
    """All pieces in one, ascending by open; at equal opens the longer bar first."""
    if not pieces:
        return _nothing()
    joined = ChosenBars(
        bars=Bars(
            opens=np.concatenate([piece.bars.opens for piece in pieces]),
            open=np.concatenate([piece.bars.open for piece in pieces]),
            high=np.concatenate([piece.bars.high for piece in pieces]),
            low=np.concatenate([piece.bars.low for piece in pieces]),
            close=np.concatenate([piece.bars.close for piece in pieces]),
            volume=np.concatenate([piece.bars.volume for piece in pieces]),
        ),
        closes=np.concatenate([piece.closes for piece in pieces]),
        flags=np.concatenate([piece.flags for piece in pieces]),
        parts=np.concatenate([piece.parts for piece in pieces]),
        sources=np.concatenate([piece.sources for piece in pieces]),
        base_minutes=np.concatenate([piece.base_minutes for piece in pieces]),
        base_bars=np.concatenate([piece.base_bars for piece in pieces]),
    )
    return joined.take(np.lexsort((-joined.base_minutes, joined.bars.opens)))


def derive(base: ChosenBars, *, target: Timeframe) -> ChosenBars:
    """The `target` bars made of all base bars finer than `target`.

    A bar exists where at least one base bar in it does. Its flag is the gravest among them, its base timeframe the
    coarsest. A base bar that opens before an earlier one has closed is left out, so that no stretch of time counts twice
    where the base timeframe changes at a month end.
    """
    finer = base.take(base.base_minutes < target.minutes)
    if len(finer) == 0:
        return finer
    reach = np.maximum.accumulate(finer.closes)
    uncovered = np.concatenate([[True], finer.bars.opens[1:] >= reach[:-1]])
    members = finer.take(uncovered)
    bars, starts = aggregate(members.bars, labels=bar_labels(members.bars.opens, target=target))
    return ChosenBars(
        bars=bars,
        closes=bar_close(bars.opens, timeframe=target),
        flags=np.maximum.reduceat(members.flags, starts),
        parts=members.parts[starts],
        sources=members.sources[starts],
        base_minutes=np.maximum.reduceat(members.base_minutes, starts),
        base_bars=np.add.reduceat(members.base_bars, starts),
    )


def _nothing() -> ChosenBars:
    instants = np.array([], dtype="datetime64[us]")
    ticks, positions = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.intp)
    return ChosenBars(
        bars=Bars(instants, ticks, ticks, ticks, ticks, np.zeros(0)),
        closes=instants,
        flags=np.zeros(0, dtype=np.int8),
        parts=positions,
        sources=positions,
        base_minutes=ticks,
        base_bars=ticks,
    )
