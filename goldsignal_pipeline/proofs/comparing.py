"""Comparing: the first bar and column in which two evaluations differ, within a span of time.

Values are compared bit for bit, NaN equal to NaN, unless a tolerance is given for what two orders of floating-point operations
may leave. Rows are held as plain arrays, because hundreds of small frames are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.timeframes import Timeframe, bar_close
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.strategies.setups import Evaluation

ROW: Final = "row"
"""The column named where a whole row is in one evaluation only."""

Columns = dict[str, npt.NDArray[Any]]
_ORDER: Final = ("timestamp", "strategy", "timeframe", "direction")
_PRICES: Final = ("reference", "stop", "take_profit_1", "take_profit_2", "invalidation_price")
_OTHER_SIDE: Final = {"BUY": "SELL", "SELL": "BUY"}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two floats may lie apart: `absolute` + `relative` x the expected one."""

    relative: float = 0.0
    absolute: float = 0.0


EXACT: Final = Tolerance()


@dataclass(frozen=True, slots=True)
class Span:
    """The instants from `first` to `last`, both included."""

    first: np.datetime64
    last: np.datetime64

    def of(self, known: Instants) -> slice:
        """Where the ascending instants lie within it."""
        return slice(int(np.searchsorted(known, self.first, side="left")), int(np.searchsorted(known, self.last, side="right")))


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is not what it should be; `bar` is the open of its confirming bar."""

    bar: np.datetime64
    direction: str
    column: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        if self.column == ROW:
            return "was there, but is not" if self.expected else "is there, but was not"
        return f"was {self.expected}, is {self.found}"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of one kind as arrays, with the instants at which they became known, ascending; `key` tells rows apart."""

    columns: Columns
    known: Instants
    key: tuple[str, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, *, timeframe: Timeframe, key: tuple[str, ...]) -> Table:
        """The rows of a frame of an evaluation."""
        columns = {str(name): frame[name].to_numpy() for name in frame.columns if name != "timestamp"}
        opens = instants_of(frame["timestamp"])
        return cls({"timestamp": opens, **columns}, bar_close(opens, timeframe=timeframe), key)

    def __len__(self) -> int:
        return len(self.known)

    def take(self, where: slice | npt.NDArray[Any]) -> Table:
        """The rows of a slice, a mask or positions."""
        return Table({name: values[where] for name, values in self.columns.items()}, self.known[where], self.key)

    def told_by(self, strategy: str, *, name: str) -> Table:
        """The rows of one strategy, told as those of `name`."""
        own = self.take(self.columns["strategy"] == strategy)
        return Table(own.columns | {"strategy": np.full(len(own), name, dtype=object)}, own.known, self.key)

    def turned(self, *, around: int) -> Table:
        """Rows of a record turned upside down as those of the straight one: the other side, and prices where there are any."""
        sides = np.array([_OTHER_SIDE[side] for side in self.columns["direction"]], dtype=object)
        prices = {name: _turned(self.columns[name], around) for name in _PRICES if name in self.columns}
        other = Table(self.columns | prices | {"direction": sides}, self.known, self.key)
        return other.take(np.lexsort([other.columns[name] for name in reversed(self.key)]))


def _turned(prices: npt.NDArray[Any], around: int) -> npt.NDArray[Any]:
    return np.where(prices == 0, 0, around - prices)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Setups and conditions of an evaluation."""

    setups: Table
    conditions: Table

    @classmethod
    def of(cls, evaluation: Evaluation, *, timeframe: Timeframe) -> Rows:
        """The rows of an evaluation on one timeframe."""
        return cls(
            Table.of(evaluation.setups, timeframe=timeframe, key=_ORDER),
            Table.of(evaluation.conditions, timeframe=timeframe, key=(*_ORDER, "position")),
        )

    def by_strategy(self, strategies: Sequence[str], *, name: str) -> dict[str, Rows]:
        """The rows of each strategy apart, told as those of `name`."""
        return {each: Rows(self.setups.told_by(each, name=name), self.conditions.told_by(each, name=name)) for each in strategies}

    def turned(self, *, around: int) -> Rows:
        """Rows of a record turned upside down as those of the straight one."""
        return Rows(self.setups.turned(around=around), self.conditions.turned(around=around))


def first_difference(expected: Rows, found: Rows, *, span: Span, tolerance: Tolerance = EXACT) -> Difference | None:
    """The earliest difference of what was known within a span; a setup's before a condition's at the same bar."""
    differences = [
        _first_in(one.take(span.of(one.known)), other.take(span.of(other.known)), tolerance)
        for one, other in ((expected.setups, found.setups), (expected.conditions, found.conditions))
    ]
    return min(filter(None, differences), key=lambda difference: difference.bar, default=None)


def _first_in(expected: Table, found: Table, tolerance: Tolerance) -> Difference | None:
    together = min(len(expected), len(found))
    one, other = expected.take(slice(together)), found.take(slice(together))
    same_row = np.logical_and.reduce([np.ones(together, dtype=bool)] + [one.columns[n] == other.columns[n] for n in expected.key])
    equal = {name: _equal(values, other.columns[name], tolerance) for name, values in one.columns.items() if name not in one.key}
    agrees = np.logical_and.reduce([same_row, *equal.values()])
    if agrees.all():
        return _one_sided(expected, found, together)
    position = int(np.argmin(agrees))
    if not same_row[position]:
        return _one_sided(expected, found, position)
    name = next(name for name, where in equal.items() if not where[position])
    row = {key: values[position] for key, values in one.columns.items()}
    title = f"conditions.{name}[{row['name']}]" if "position" in one.key else name
    return Difference(row["timestamp"], row["direction"], title, row[name], other.columns[name][position])


def _one_sided(expected: Table, found: Table, position: int) -> Difference | None:
    """The row at a position from which on the keys differ: that which comes first is in one evaluation only."""
    keys = {
        is_expected: tuple(table.columns[name][position] for name in table.key)
        for is_expected, table in ((True, expected), (False, found))
        if position < len(table)
    }
    if not keys:
        return None
    is_expected, key = min(keys.items(), key=lambda item: item[1])
    named = dict(zip(expected.key, key, strict=True))
    return Difference(named["timestamp"], named["direction"], ROW, is_expected, not is_expected)


def _equal(one: npt.NDArray[Any], other: npt.NDArray[Any], tolerance: Tolerance) -> npt.NDArray[np.bool_]:
    if one.dtype.kind == "f":
        return np.asarray(np.isclose(other, one, rtol=tolerance.relative, atol=tolerance.absolute, equal_nan=True))
    return np.asarray(one == other, dtype=bool)
