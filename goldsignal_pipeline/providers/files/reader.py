"""What every format family promises: facts that the file states about itself, and its rows in chunks of bounded size.

A reader only takes apart; it neither converts prices nor decides zone, timeframe or plausibility.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.providers.files.zones import Zone

Flags = npt.NDArray[np.bool_]
QUOTE_COLUMNS: Final = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says about itself, by its format, its header or its name; None or () where it is silent.

    `zone_reason` tells where the zone comes from; `states_instants`: its times are instants whatever zone is claimed.
    `points_per_usd` is set where the format stores integer points. `side_assumed`: the side is the usual one, nothing says it.
    """

    format: str
    vendor: str
    sides: tuple[Side, ...] = ()
    timeframe: Timeframe | None = None
    zone: Zone | None = None
    zone_reason: str = ""
    states_instants: bool = False
    points_per_usd: int | None = None
    side_assumed: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file as written.

    `stamps`: `datetime64[us]` wall times (UTC where the file states instants), NaT where unreadable. `quotes`: per side a
    frame of QUOTE_COLUMNS, text or numbers, row by row with `stamps`. `forming`: rows the vendor itself marks as not
    closed. `unreadable`: lines that have no columns at all. `payload(rows)` gives those rows as text. `position`: bytes
    of the file on disk read so far.
    """

    stamps: Instants
    quotes: Mapping[Side, pd.DataFrame]
    payload: Callable[[npt.NDArray[np.int64]], list[str]]
    position: int
    forming: Flags | None = None
    unreadable: tuple[str, ...] = ()


class Reader(Protocol):
    """One file of one format family, readable any number of times."""

    @property
    def facts(self) -> Facts:
        """What the file says about itself."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """All rows in file order."""
        ...


def to_floats(column: pd.Series) -> npt.NDArray[np.float64]:
    """A column of text or numbers as floats, NaN where it is no number; for judging, never for prices that are stored."""
    exact = nearest_floats(column)
    return np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64) if exact is None else exact


def nearest_floats(column: pd.Series) -> npt.NDArray[np.float64] | None:
    """The floats nearest to a column of decimal texts, correctly rounded; None when one of them is no number."""
    if not isinstance(column.dtype, pd.StringDtype):
        return None
    try:
        return np.asarray(pa.array(column).cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        return None


def joined_payload(frame: pd.DataFrame, *, separator: str) -> Callable[[npt.NDArray[np.int64]], list[str]]:
    """A `Chunk.payload` that writes the columns of `frame` one after the other."""

    def payload(rows: npt.NDArray[np.int64]) -> list[str]:
        return [separator.join("" if value is None else str(value) for value in row) for row in frame.iloc[rows].to_numpy()]

    return payload
