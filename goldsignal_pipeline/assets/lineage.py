"""Lineage: which months of which assets a month is made of; one table for Dagster's dependencies, digests and staleness.

1. `LINEAGE` names for each asset its code version and the windows it reads, in months before its own.
2. `record_months` are the months that the assets of a symbol have.
3. `dependencies` gives the windows to Dagster.
4. `inputs_digest` is the digest of a month's inputs: version, rules, and the digests of the months read. A month whose stored
   inputs digest is another is stale (`is_stale`); `is_complete` says whether everything it reads was there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.assets import versions
from goldsignal_pipeline.assets.partitions import month_of, months_between, next_month

if TYPE_CHECKING:
    from goldsignal_pipeline.storage.digests import Digest

Held = Mapping[str, Mapping[str, "Digest"]]
"""Digests that are stored of a symbol: by asset, then by month."""


@dataclass(frozen=True, slots=True)
class Reads:
    """The months [m + first, m + last] of an asset that month m reads; offsets are not positive."""

    asset: str
    first: int = 0
    last: int = 0

    def months(self, month: str) -> Iterator[str]:
        """The months read for `month`, ascending."""
        return (next_month(month, steps=offset) for offset in range(self.first, self.last + 1))


@dataclass(frozen=True, slots=True)
class Lineage:
    """The code version of an asset, and what it reads."""

    version: str
    reads: tuple[Reads, ...]


# Ascending: what an asset reads stands above it.
LINEAGE: Final[Mapping[str, Lineage]] = {
    "setups": Lineage(versions.SETUPS_VERSION, (Reads("candles", -9),)),
    "backtest_trades": Lineage(versions.BACKTEST_TRADES_VERSION, (Reads("setups", -1), Reads("candles", -1))),
    "backtest_results": Lineage(
        versions.BACKTEST_RESULTS_VERSION, (Reads("setups", -13), Reads("backtest_trades", -13), Reads("candles", -14))
    ),
    "signals": Lineage(
        versions.SIGNALS_VERSION,
        (Reads("setups", -1), Reads("backtest_results"), Reads("candles", -1), Reads("signals", -1, -1)),
    ),
    "outcomes": Lineage(versions.OUTCOMES_VERSION, (Reads("signals", -1), Reads("candles", -1))),
    "strategy_performance": Lineage(
        versions.STRATEGY_PERFORMANCE_VERSION,
        (Reads("setups", -1), Reads("candles", -1), Reads("signals", -1), Reads("outcomes", -4)),
    ),
}
TOLD: Final[Mapping[str, Lineage]] = {
    "alerts": Lineage(versions.ALERTS_VERSION, (Reads("signals"), Reads("outcomes"), Reads("strategy_performance"))),
}
"""Assets that tell people what happened live. Made of events, not of months, they have no digests and are never stale."""


def record_months(with_candles: Collection[str], *, now: datetime) -> list[str]:
    """The months of a record that has these months of candles: from the first to the newest, holes included, and the one after.

    In the month after the newest candle trades may still end. None lies in the future.
    """
    if not with_candles:
        return []
    return months_between(min(with_candles), min(next_month(max(with_candles)), month_of(now)))


def inputs_digest(asset: str, month: str, *, held: Held, rules: Sequence[str]) -> str:
    """The digest of what `month` of `asset` is made of, by the digests that are `held`."""
    from goldsignal_pipeline.market.digests import combine

    lineage = LINEAGE[asset]
    upstream = [
        held[one.asset][needed].digest if needed in held.get(one.asset, {}) else ""
        for one in lineage.reads
        for needed in one.months(month)
    ]
    return combine([lineage.version, *rules, *upstream])


def is_complete(asset: str, month: str, *, held: Held, first_month: str) -> bool:
    """Whether every month that `month` reads, from the first of the record on, is there and complete itself.

    Candles count once they were derived: which of their days are too incomplete is another question, asked of each day. Where
    nothing was observed there is nothing to derive, and a hole of the record keeps no month incomplete for ever.
    """
    observed, none = held.get("raw_candles", {}), dict[str, "Digest"]()
    return all(
        needed in held.get("candles", none) or needed not in observed
        if one.asset == "candles"
        else needed in held.get(one.asset, none) and held[one.asset][needed].complete
        for one in LINEAGE[asset].reads
        for needed in one.months(month)
        if needed >= first_month
    )
