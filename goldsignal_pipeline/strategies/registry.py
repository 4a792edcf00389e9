"""Registry: the strategies of every installed package, found through the entry-point group `goldsignal.strategies`.

An entry's name is the strategy's name and its value the class; a third party adds one by installing a package.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from goldsignal_pipeline.errors import GoldSignalError
from goldsignal_pipeline.strategies.base import Strategy

ENTRY_POINT_GROUP: Final = "goldsignal.strategies"


class StrategyError(GoldSignalError):
    """A registered strategy cannot be used."""

    exit_code = 2


def load_strategies() -> dict[str, Strategy]:
    """Every registered strategy with its default parameters, by name in alphabetical order.

    Raises StrategyError when an entry cannot be loaded, is no strategy, bears another name, or a name is registered twice.
    """
    loaded: dict[str, Strategy] = {}
    for entry in _entries(tuple(sys.path)):
        if entry.name in loaded:
            raise _refused(entry, "another package registers the same name")
        loaded[entry.name] = _load(entry)
    return loaded


@cache
def _entries(_search_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entries of the group, found once for a search path: the metadata of every package on it is read."""
    return tuple(sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: (entry.name, entry.value)))


def _load(entry: EntryPoint) -> Strategy:
    try:
        made = entry.load()()
    except Exception as error:
        raise _refused(entry, f"it cannot be loaded: {error}") from error
    if not isinstance(made, Strategy):
        raise _refused(entry, f"expected a Strategy, was {type(made).__name__}")
    if made.name != entry.name:
        raise _refused(entry, f"its class is named {made.name!r}")
    return made


def _refused(entry: EntryPoint, why: str) -> StrategyError:
    package = entry.dist.name if entry.dist else "an unknown package"
    return StrategyError(
        f"strategy {entry.name!r} ({entry.value}, of {package}): {why}",
        done="no strategy was loaded",
        fix=f"correct or uninstall {package}",
    )
