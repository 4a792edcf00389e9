"""Time columns of text files: many spellings, several of them in one file, to `datetime64[us]`.

Wall times stay wall times; times that state their offset become UTC. A time that does not exist (30 February) is NaT.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.zones import Instants

_OFFSET: Final = r"\s*(?:Z|UTC|GMT|(?:GMT)?[+-]\d{2}:?\d{2})$"
_OFFSET_PARTS: Final = r"([+-])(\d{2}):?(\d{2})$"
_CLOCKS: Final = (" %H:%M:%S", " %H:%M", "", "T%H:%M:%S", "T%H:%M")
_DATES: Final = ("%Y-%m-%d", "%Y.%m.%d", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d")
_FORMATS: Final = (*(date + clock for date in _DATES for clock in _CLOCKS), "%Y%m%d %H%M%S")
_EPOCH_UNITS: Final = ((11, "s"), (14, "ms"), (17, "us"), (20, "ns"))
_TIME_OF_DAY: Final = r"\d{1,2}:\d{2}"


def states_offset(sample: pd.Series) -> bool:
    """True when most times of the sample end in Z or an offset from UTC."""
    text = sample.astype("str").str.strip()
    return bool((text.str.contains(_TIME_OF_DAY) & text.str.contains(_OFFSET)).mean() > 0.5)


def parse_stamps(column: pd.Series, *, with_offset: bool) -> Instants:
    """Read times as text, epochs (s, ms, us, ns) included; what cannot be read is NaT.

    `with_offset`: times carry Z or an offset and become UTC; one without is unreadable, since it means something else.
    """
    text = column.astype("str").str.strip()
    stamps = np.full(len(text), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    if text.empty:
        return stamps
    if with_offset:
        return _parse_offset_times(text, stamps)
    if str(text.iloc[0]).isdigit() and len(str(text.iloc[0])) >= 9:
        return _parse_epochs(text)
    return _parse_wall(_plain(text), stamps)


def parse_epoch_or_text(column: pd.Series, *, with_offset: bool) -> Instants:
    """As `parse_stamps`, for columns that may hold numbers."""
    if pd.api.types.is_numeric_dtype(column):
        return _parse_epochs(column.astype("Int64").astype("str"))
    return parse_stamps(column, with_offset=with_offset)


def _plain(text: pd.Series) -> pd.Series:
    """Without fractions of a second that are zero."""
    if text.head(1000).str.contains(r":\d{2}\.0+$").any():
        text = text.str.replace(r"(:\d{2})\.0+$", r"\1", regex=True)
    return text


def _parse_wall(text: pd.Series, stamps: Instants) -> Instants:
    """Try the spellings one after the other on what is left, the first row's first; a file holds one or two."""
    first = text.iloc[[0]]
    patterns = sorted(_FORMATS, key=lambda pattern: pd.to_datetime(first, format=pattern, errors="coerce").isna().iloc[0])
    left = np.arange(len(text))
    for pattern in patterns:
        if not len(left):
            break
        read = pd.to_datetime(text.iloc[left], format=pattern, errors="coerce").to_numpy().astype("datetime64[us]")
        good = ~np.isnat(read)
        stamps[left[good]] = read[good]
        left = left[~good]
    return stamps


def _parse_offset_times(text: pd.Series, stamps: Instants) -> Instants:
    if text.str.endswith("Z").all():
        return _parse_wall(_plain(text.str.slice(stop=-1)), stamps)
    marked = text.str.contains(_OFFSET).to_numpy(dtype=bool)
    wall = _parse_wall(_plain(text.str.replace(_OFFSET, "", regex=True)), stamps)
    wall[~marked] = np.datetime64("NaT", "us")
    parts = text.str.extract(_OFFSET_PARTS)
    hours, minutes = (pd.to_numeric(parts[column]).fillna(0).to_numpy(dtype=np.int64) for column in (1, 2))
    offset = np.where(parts[0].to_numpy() == "-", -1, 1) * (hours * 60 + minutes)
    return np.asarray(wall - offset.astype("timedelta64[m]"))


def _parse_epochs(text: pd.Series) -> Instants:
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    stamps = np.full(len(text), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    digits = text.str.replace(r"\.0+$", "", regex=True).str.len().to_numpy(dtype=np.float64)
    whole = np.isfinite(numbers)
    lower = 8
    for upper, unit in _EPOCH_UNITS:
        rows = whole & (digits > lower) & (digits <= upper)
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        stamps[rows] = (numbers[rows] / per_second).round().astype(np.int64).astype("datetime64[s]").astype("datetime64[us]")
        lower = upper
    return stamps
