"""Differences of tables: rows as they are kept beside the same rows computed again, matched by key, compared value by value.

Pure: frames go in with their values in a form in which equal means equal in the database; what differs comes out as data, the
earliest row first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

ROW: Final = "row"
"""The column named where a whole row is on one side only."""

_EXCERPT: Final = 60
_LEAD: Final = 20


@dataclass(frozen=True, slots=True)
class Keyed:
    """Which columns tell the rows of a table apart, and which instant they belong to."""

    table: str
    key: tuple[str, ...]
    time: str


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A value that is kept otherwise than it is computed; for `ROW` the side that has the row holds True."""

    table: str
    key: Mapping[str, Any]
    column: str
    kept: Any
    computed: Any


@dataclass(frozen=True, slots=True)
class TableComparison:
    """How many rows were compared and how many differ, and the first of them."""

    table: str
    rows: int
    differing: int
    first: RowDifference | None

    @property
    def is_equal(self) -> bool:
        """No row differs, and none is on one side only."""
        return not self.differing


def compare(keyed: Keyed, *, kept: pd.DataFrame, computed: pd.DataFrame, columns: Sequence[str]) -> TableComparison:
    """Compare the `columns` of rows with the same key; both frames hold key, time and columns in comparable form."""
    names = list(keyed.key)
    sides = {"kept": kept.reset_index(drop=True), "computed": computed.reset_index(drop=True)}
    numbered = [frame[names].assign(**{side: np.arange(len(frame))}) for side, frame in sides.items()]
    pairs = numbered[0].merge(numbered[1], on=names, how="outer")
    is_kept, is_computed = pairs["kept"].notna().to_numpy(), pairs["computed"].notna().to_numpy()
    both = is_kept & is_computed
    differs = ~both
    differs[both] = _differs(sides, pairs[both], columns=columns).any(axis=1)
    if not differs.any():
        return TableComparison(keyed.table, len(pairs), 0, None)
    at = _times(sides, pairs, time=keyed.time)
    order = np.lexsort([np.arange(len(pairs)), at])
    first = int(order[differs[order]][0])
    row = pairs.iloc[first]
    key = {name: row[name] for name in names}
    found = RowDifference(keyed.table, key, ROW, kept=bool(is_kept[first]), computed=bool(is_computed[first]))
    if both[first]:
        column = columns[int(_differs(sides, pairs.iloc[[first]], columns=columns)[0].argmax())]
        values = {side: frame[column].iloc[int(row[side])] for side, frame in sides.items()}
        found = RowDifference(keyed.table, key, column, **values)
    return TableComparison(keyed.table, len(pairs), int(differs.sum()), found)


def excerpts(kept: str, computed: str) -> tuple[str, str]:
    """Both texts, or, where they are too long to read, of each the part in which they begin to differ."""
    if max(len(kept), len(computed)) <= _LEAD + _EXCERPT:
        return kept, computed
    alike = next((at for at, pair in enumerate(zip(kept, computed, strict=False)) if pair[0] != pair[1]), 0)
    begin = max(0, alike - _LEAD)
    return _excerpt(kept, begin), _excerpt(computed, begin)


def _excerpt(text: str, begin: int) -> str:
    end = begin + _LEAD + _EXCERPT
    return f"{'...' if begin else ''}{text[begin:end]}{'...' if end < len(text) else ''}"


def _differs(sides: Mapping[str, pd.DataFrame], pairs: pd.DataFrame, *, columns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """For each pair of rows and each column whether the values differ."""
    rows = {side: pairs[side].to_numpy(dtype=np.intp) for side in sides}
    differs = np.zeros((len(pairs), len(columns)), dtype=bool)
    for number, name in enumerate(columns):
        ours, theirs = (sides[side][name].to_numpy()[rows[side]] for side in ("kept", "computed"))
        differs[:, number] = ours != theirs
    return differs


def _times(sides: Mapping[str, pd.DataFrame], pairs: pd.DataFrame, *, time: str) -> npt.NDArray[np.int64]:
    """The instant of each pair, from whichever side has it."""
    at = np.zeros(len(pairs), dtype=np.int64)
    for side, frame in sides.items():
        has = pairs[side].notna().to_numpy()
        at[has] = frame[time].to_numpy(dtype=np.int64)[pairs.loc[has, side].to_numpy(dtype=np.intp)]
    return at
