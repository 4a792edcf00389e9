"""What needs the optional extra `peers` is skipped where it is absent, with a reason that is counted and printed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

NEEDED = ("backtesting", "pandas_ta_classic", "vectorbt", "vectorbt_rust")
ABSENT = [name for name in NEEDED if find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the marked tests without the peers."""
    if not ABSENT:
        return
    skip = pytest.mark.skip(reason="the peers are not installed (make peers)")
    for item in items:
        if item.get_closest_marker("peers"):
            item.add_marker(skip)
