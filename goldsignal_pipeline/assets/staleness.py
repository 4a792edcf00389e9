"""Staleness: which months of which assets are missing, incomplete, or older than what they are made of.

1. Candles are behind where `assets.derive` says so: their observations or rules are others than those they were derived from.
2. A month of any other asset is behind when it is missing, when its stored inputs digest is not that of the digests and rules
   of now, or when it was marked incomplete and would be complete now (`_own_cause`).
3. A month that reads one that is behind follows it: whether it differs will be known once that one was computed again.

Months are those of the record (`lineage.record_months`); what lies before it is not missing. Nothing here asks a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from goldsignal_pipeline.assets import derive
from goldsignal_pipeline.assets.gate_record import read_digested
from goldsignal_pipeline.assets.keeping import held_digests
from goldsignal_pipeline.assets.lineage import LINEAGE, Held, inputs_digest, is_complete, record_months
from goldsignal_pipeline.assets.rules import graph_rules
from goldsignal_pipeline.market.digests import combine
from goldsignal_pipeline.storage import digests
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.storage.digests import Digest
    from goldsignal_pipeline.strategies.base import Strategy


class Cause(StrEnum):
    """Why a month is behind."""

    MISSING = "missing"
    INCOMPLETE = "incomplete"
    OUTDATED = "outdated"
    FOLLOWS = "follows"


@dataclass(frozen=True, slots=True)
class Basis:
    """What staleness depends on besides the digests that are stored."""

    strategies: tuple[Strategy, ...]
    grace: timedelta
    source_order: tuple[str, ...]
    now: datetime

    @classmethod
    def of(cls, settings: Settings, *, now: datetime) -> Basis:
        """That of a deployment."""
        return cls(tuple(load_strategies().values()), settings.grace, settings.source_order, now)


@dataclass(frozen=True, slots=True)
class Behind:
    """What of a symbol is behind: by asset in the order of the graph, by month, why.

    `reasons` is a digest of what put the first months behind; it stays while nothing changes about them.
    """

    symbol: str
    assets: Mapping[str, Mapping[str, Cause]]
    reasons: str
    observed: Mapping[str, Digest]

    @property
    def months(self) -> tuple[str, ...]:
        """Every month of which something is behind, ascending."""
        return tuple(sorted({month for months in self.assets.values() for month in months}))

    @property
    def causes(self) -> dict[str, dict[str, Cause]]:
        """The same without what only follows: where computing has to begin, and why."""
        found: dict[str, dict[str, Cause]] = {}
        for asset, months in self.assets.items():
            for month, cause in months.items():
                if cause is not Cause.FOLLOWS:
                    found.setdefault(asset, {})[month] = cause
        return found

    def unsettled(self, *, since: datetime) -> set[str]:
        """Those of the months in which something was observed since then: it has a run of its own still."""
        return {month for month in self.months if month in self.observed and self.observed[month].computed_at >= since}


def everything_behind(database: Database, basis: Basis) -> list[Behind]:
    """What is behind, of each symbol of which anything is."""
    with database.transaction(read_only=True) as connection:
        found = [behind(connection, basis, symbol=symbol) for symbol in digests.symbols(connection, asset="raw_candles")]
    return [one for one in found if one.assets]


def behind(connection: Connection, basis: Basis, *, symbol: str) -> Behind:
    """What is behind of a symbol."""
    held = held_digests(connection, symbol=symbol)
    rules = derive.Rules.of(connection, symbol=symbol, grace=basis.grace, source_order=basis.source_order)
    candles = {
        month: Cause.OUTDATED if month in held["candles"] else Cause.MISSING
        for month in derive.stale_months(connection, symbol=symbol, rules=rules)
    }
    months = record_months({*held["candles"], *candles}, now=basis.now)
    found, expected = {"candles": candles}, [f"{month} {_digest(held, month)}" for month in candles]
    told = graph_rules(basis.strategies, grace=basis.grace, now=basis.now, record=read_digested(connection, symbol=symbol))
    for asset in LINEAGE:
        own = found.setdefault(asset, {})
        for month in months:
            inputs = inputs_digest(asset, month, held=held, rules=told[asset](month))
            cause = _own_cause(asset, month, held=held, inputs=inputs, first_month=months[0])
            if cause is not None:
                expected.append(f"{asset} {month} {inputs}")
            elif _reads_any(asset, month, found):
                cause = Cause.FOLLOWS
            if cause is not None:
                own[month] = cause
    assets = {asset: own for asset, own in found.items() if own}
    return Behind(symbol, assets, combine([symbol, rules.inputs_digest([]), *expected]), held["raw_candles"])


def _own_cause(asset: str, month: str, *, held: Held, inputs: str, first_month: str) -> Cause | None:
    stored = held[asset].get(month)
    if stored is None:
        return Cause.MISSING
    if stored.inputs_digest != inputs:
        return Cause.OUTDATED
    return Cause.INCOMPLETE if stored.complete != is_complete(asset, month, held=held, first_month=first_month) else None


def _reads_any(asset: str, month: str, found: Mapping[str, Mapping[str, Cause]]) -> bool:
    return any(needed in found.get(one.asset, ()) for one in LINEAGE[asset].reads for needed in one.months(month))


def _digest(held: Held, month: str) -> str:
    observed = held["raw_candles"].get(month)
    return "" if observed is None else observed.digest


def first_range(months: Sequence[str], *, longest: int) -> tuple[str, str]:
    """The first of sorted months, and the last that lies at most `longest` months from it, itself included."""
    from goldsignal_pipeline.assets.partitions import next_month

    beyond = next_month(months[0], steps=longest)
    return months[0], max(month for month in months if month < beyond)
