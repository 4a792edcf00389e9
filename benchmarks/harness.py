"""How a comparison is made: both sides take turns in one process order, medians of several rounds, one row of a table.

A row judges a ratio, never a time: times say more about the machine than about the program.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal, TypeVar

from rich.console import Console
from rich.table import Table

ROUNDS = 5
PACKAGES = ("dagster", "numpy", "pandas", "psycopg", "sqlalchemy")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Promise:
    """A bound on the ratio of a comparison."""

    sign: Literal["<=", ">="]
    bound: float

    def holds(self, ratio: float) -> bool:
        """Whether `ratio` keeps the promise."""
        return ratio <= self.bound if self.sign == "<=" else ratio >= self.bound


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against a peer or a floor.

    `ours` and `floor` are medians in `unit`; `ratio` is what the promise is about (ours / floor of times, floor / ours for
    speeds); `same_work` says what was compared to know that both sides did the same, or why they need not.
    """

    work: str
    against: str
    ours: float
    floor: float
    unit: Literal["s", "ms", "ns", "MB", "bytes"]
    ratio: float
    promise: Promise | None
    same_work: str

    @property
    def kept(self) -> bool:
        """False only for a promise that the ratio breaks."""
        return self.promise is None or self.promise.holds(self.ratio)


def take_turns(ways: Mapping[str, Callable[[], T]], *, rounds: int = ROUNDS) -> dict[str, list[T]]:
    """Results of `rounds` runs of each way; every round begins with another way, and one round before is not counted."""
    names = list(ways)
    results: dict[str, list[T]] = {name: [] for name in names}
    for number in range(-1, rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            result = ways[name]()
            if number >= 0:
                results[name].append(result)
    return results


def processor_seconds(way: Callable[[], object]) -> float:
    """Processor time of one call, all threads of this process: other work on the machine counts little in it."""
    started = time.process_time()
    way()
    return time.process_time() - started


def median(values: list[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def versions(*others: str) -> str:
    """Python and the packages whose speed is compared, with their versions."""
    installed = ", ".join(f"{name} {version(name)}" for name in (*PACKAGES, *others))
    return f"Python {sys.version.split()[0]}, {installed}"


def show(comparisons: list[Comparison]) -> None:
    """Print one table of all comparisons."""
    table = Table(title="Ratios are judged, times are not")
    for heading in ("work", "against", "ours", "floor", "ratio", "promise", "same work"):
        table.add_column(heading, justify="right" if heading in {"ours", "floor", "ratio"} else "left")
    for row in comparisons:
        promise = "" if row.promise is None else f"{row.promise.sign} {row.promise.bound:.2f} {'kept' if row.kept else 'BROKEN'}"
        amounts = [f"{amount:.4g} {row.unit}" for amount in (row.ours, row.floor)]
        table.add_row(row.work, row.against, *amounts, f"{row.ratio:.2f}", promise, row.same_work)
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print(table)
