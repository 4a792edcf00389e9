"""A digest of a frame: equal rows give equal digests, in any order and on any machine.

1. `frame_digest` sorts the rows by their key columns.
2. Every column becomes little-endian bytes: integers and instants as int64, volumes as hundredths, text with its length.
3. SHA-256 over the column names and bytes, shown as 64 hexadecimal digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.frames import ordered

if TYPE_CHECKING:
    import pandas as pd

_NO_VOLUME: Final = np.iinfo(np.int64).min


def frame_digest(frame: pd.DataFrame, *, key: Sequence[str]) -> str:
    """SHA-256 of the rows of `frame`, whatever their order.

    `key` names the columns that make a row unique. Integer, instant, float (taken as hundredths) and text columns are
    understood; a missing text equals the empty text.
    """
    rows = ordered(frame, key)
    sha = hashlib.sha256()
    for name in sorted(rows.columns):
        sha.update(name.encode() + b"\x00")
        sha.update(_column_bytes(rows[name]))
    return sha.hexdigest()


def combine(digests: Iterable[str]) -> str:
    """One digest of an ordered list of digests."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _column_bytes(column: pd.Series) -> bytes:
    kind = column.dtype.kind
    if kind == "M":
        instants = instants_of(column) if column.dt.tz is not None else column.to_numpy().astype("datetime64[us]")
        return instants.astype("<i8").tobytes()
    if kind in "iub":
        return column.to_numpy().astype("<i8").tobytes()
    if kind == "f":
        values = column.to_numpy(dtype=np.float64)
        hundredths = np.full(len(values), _NO_VOLUME, dtype=np.int64)
        known = ~np.isnan(values)
        hundredths[known] = np.rint(values[known] * 100).astype(np.int64)
        return hundredths.astype("<i8").tobytes()
    # Text columns hold a few names over and over: each is encoded once; code -1, a missing text, takes the last.
    codes, names = column.factorize()
    encoded = [*map(_text_bytes, names), _text_bytes(None)]
    return b"".join([encoded[code] for code in codes])


def _text_bytes(value: object) -> bytes:
    # A missing text arrives as None or as a float NaN, depending on how the frame was made.
    text = value.encode() if isinstance(value, str) else b""
    return len(text).to_bytes(4, "little") + text
