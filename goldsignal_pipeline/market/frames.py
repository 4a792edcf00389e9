"""Frames: the order of their rows and the dtypes of their columns, at the cost of the values alone.

A live cycle handles some hundred small frames, for which pandas' general ways (`sort_values`, `astype` of every column) cost more
than all the rest.

1. `order_of` and `ordered` sort rows by several columns.
2. `typed` makes a frame of exactly given columns and dtypes, converting only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import instants_of

Positions = npt.NDArray[np.intp]


def order_of(frame: pd.DataFrame, names: Sequence[str]) -> Positions:
    """The positions of the rows in ascending order of these columns, the first first; rows that are equal keep theirs.

    Numbers, instants, days and texts without a missing one; texts by code point.
    """
    return np.lexsort([_sortable(frame[name]) for name in reversed(names)])


def ordered(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows in that order, counted from 0."""
    sorted_rows = frame.take(order_of(frame, names)) if len(frame) > 1 else frame
    return sorted_rows.reset_index(drop=True)


def typed(columns: Mapping[str, Any] | pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """A frame of the columns that `dtypes` names, in its order and of its dtypes, counted from 0; others are left out."""
    return pd.DataFrame({name: _typed(columns[name], _dtype(dtype)) for name, dtype in dtypes.items()})


def _sortable(values: pd.Series) -> npt.NDArray[Any]:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind != "O":
        return values.to_numpy()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return instants_of(values)
    return pd.factorize(values.to_numpy(dtype=object), sort=True)[0]


def _typed(values: Any, dtype: Any) -> Any:
    array = getattr(values, "array", values)
    return array if getattr(array, "dtype", None) == dtype else pd.Series(array).astype(dtype).array


@cache
def _dtype(name: str) -> Any:
    return pd.api.types.pandas_dtype(name)
