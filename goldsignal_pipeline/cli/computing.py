"""What is behind, computed again: the first year from the earliest month that has a cause of its own, until none has.

Looking again after every run is what makes it short: months that only follow are not computed when what they read came out the
same as before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType

from goldsignal_pipeline.cli.months import behind, months_to_compute, ranges_text
from goldsignal_pipeline.cli.output import table
from goldsignal_pipeline.errors import ServiceError

if TYPE_CHECKING:
    from goldsignal_pipeline.assets.staleness import Behind
    from goldsignal_pipeline.cli.launch import RunReport
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database


@dataclass(frozen=True, slots=True)
class Held:
    """How many rows an asset has of a symbol, and of how many months."""

    symbol: str
    asset: str
    months: int
    rows: int


def compute(
    database: Database,
    settings: Settings,
    *,
    assets: Sequence[str],
    first_month: str,
    last_month: str,
    progress: Callable[[RunReport], None] | None = None,
) -> list[RunReport]:
    """Run `assets`, which ask no vendor, over the months of them that are behind; stops at the first run that fails.

    Raises `ServiceError` when a month stays behind although it was computed.
    """
    from goldsignal_pipeline.assets.staleness import first_range
    from goldsignal_pipeline.cli.launch import MONTHS_PER_RUN, materialize_range

    reports: list[RunReport] = []
    before: tuple[str, ...] = ()
    while True:
        found = behind(database, settings)
        months = months_to_compute(found, assets=assets, first_month=first_month, last_month=last_month)
        if not months or (reports and not reports[-1].succeeded):
            return reports
        reasons = (months[0], *(one.reasons for one in found))
        if reasons == before:
            raise ServiceError(
                f"{months[0]} is still behind after it was computed.",
                done="What was computed is stored.",
                fix="`goldsignal status` names the asset; report it, because computing must bring a month in line.",
            )
        before = reasons
        first, last = first_range(months, longest=MONTHS_PER_RUN)
        reports += materialize_range(assets=assets, first_month=first, last_month=last, progress=progress)


def held_rows(database: Database, *, first_month: str, last_month: str) -> list[Held]:
    """What the assets hold of the months, in the order of the graph."""
    from goldsignal_pipeline.assets.keeping import ASSETS
    from goldsignal_pipeline.storage import digests

    found = []
    with database.transaction(read_only=True) as connection:
        for symbol in digests.symbols(connection, asset="raw_candles"):
            held = digests.by_asset(connection, symbol=symbol)
            for asset in ASSETS:
                rows = [one.rows for month, one in held.get(asset, {}).items() if first_month <= month <= last_month]
                if rows:
                    found.append(Held(symbol, asset, len(rows), sum(rows)))
    return found


def behind_dict(found: Sequence[Behind]) -> list[dict[str, Any]]:
    """What is behind as plain values."""
    return [
        {"symbol": one.symbol, "asset": asset, "months": {month: str(cause) for month, cause in months.items()}}
        for one in found
        for asset, months in one.assets.items()
    ]


def render_behind(found: Sequence[Behind], *, months: Sequence[str], runs: int) -> RenderableType:
    """What is behind and why, and what computing it takes."""
    if not months:
        return "Nothing is behind: every month is computed from what is held."
    rows = []
    for one in found:
        for asset, causes in one.assets.items():
            why = ", ".join(f"{count} {cause}" for cause, count in sorted(_counted(causes.values()).items()))
            rows.append((one.symbol, asset, ranges_text(sorted(causes)), why))
    told = f"{len(months)} months to compute at most, in {runs} {'run' if runs == 1 else 'runs'}; no vendor is asked."
    return Group(table("symbol", "asset", "months behind", "why", rows=rows), told)


def render_held(console: Console, held: Sequence[Held]) -> None:
    """The rows as a table."""
    what = {"signals": "signals (verdicts)"}
    rows = [(one.symbol, what.get(one.asset, one.asset), str(one.months), f"{one.rows:,}") for one in held]
    console.print(table("symbol", "asset", ("months", "right"), ("rows", "right"), rows=rows))


def held_dicts(held: Sequence[Held]) -> list[dict[str, Any]]:
    """The rows as plain values."""
    return [asdict(one) for one in held]


def _counted(causes: Any) -> dict[str, int]:
    from collections import Counter

    return Counter(str(cause) for cause in causes)
