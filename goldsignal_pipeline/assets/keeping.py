"""How the rows of an asset are kept: by difference within their months, with a digest for each month.

One `Writing` says for which months, as of when and for which run; `keep` writes the rows of one symbol in the transaction of its
connection, and a second time changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from goldsignal_pipeline.assets.lineage import LINEAGE, Held, inputs_digest, is_complete, record_months
from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.frames import ordered
from goldsignal_pipeline.storage import digests, keyed_rows, kinds
from goldsignal_pipeline.storage.digests import Digest
from goldsignal_pipeline.storage.keyed_rows import MergeResult, Scope, TableShape
from goldsignal_pipeline.storage.kinds import Kind

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd
    from sqlalchemy import Connection

ASSETS: Final = ("raw_candles", "candles", *LINEAGE)

Rules = Callable[[str], Sequence[str]]
"""What a month depends on besides other months."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Consecutive months to bring in line, as of `now`, by a run.

    `held` are the digests as they stood before anything else of a symbol was read (`by_symbol`).
    """

    months: tuple[str, ...]
    now: datetime
    grace: timedelta
    run_id: str | None
    held: Held = field(default_factory=dict, repr=False)

    @classmethod
    def of_run(cls, context: dg.AssetExecutionContext, *, now: datetime, grace: timedelta) -> Writing:
        """The months of a run."""
        return cls(tuple(context.partition_keys), now, grace, context.run.run_id)

    @property
    def start(self) -> datetime:
        """The first instant of the months."""
        return month_start(self.months[0])

    @property
    def end(self) -> datetime:
        """The first instant after the months."""
        return month_start(next_month(self.months[-1]))

    def earlier(self, count: int) -> datetime:
        """The first instant of the month `count` months before the first."""
        return month_start(next_month(self.months[0], steps=-count))


@dataclass(frozen=True, slots=True)
class Kept:
    """What writing changed, summed over months, by symbol."""

    by_symbol: dict[str, MergeResult] = field(default_factory=dict)

    def with_symbol(self, symbol: str, merged: MergeResult) -> Kept:
        """The same with what was done for one more symbol."""
        return replace(self, by_symbol={**self.by_symbol, symbol: merged})

    def sentence(self, what: str) -> str:
        """The figures of the whole range for the run's log; each month's own are its metadata."""
        told = [
            f"{symbol}: {one.inserted} inserted, {one.updated} updated, {one.deleted} deleted, {one.unchanged} unchanged"
            for symbol, one in self.by_symbol.items()
        ]
        return f"{what} of {'; '.join(told) or 'no symbol'}."


def by_symbol(connection: Connection, writing: Writing) -> Iterator[tuple[str, Writing]]:
    """Each symbol with a record in the months, and those of them that its record has: any cut of a range gives the same.

    Digests are read first: should another run write what this one reads, the month is found outdated and computed again. Read
    afterwards, they would vouch for rows that were never seen.
    """
    for symbol in digests.symbols(connection, asset="candles"):
        held = held_digests(connection, symbol=symbol)
        own = set(record_months(held["candles"], now=writing.now)) & set(writing.months)
        if own:
            yield symbol, replace(writing, months=tuple(sorted(own)), held=held)


def held_digests(connection: Connection, *, symbol: str) -> dict[str, dict[str, Digest]]:
    """The digests of every asset of a symbol, by asset and month."""
    held = digests.by_asset(connection, symbol=symbol)
    return {asset: held.get(asset, {}) for asset in ASSETS}


def keep(
    connection: Connection,
    writing: Writing,
    *,
    asset: str,
    symbol: str,
    shape: TableShape,
    time: str,
    rows: pd.DataFrame,
    rules: Rules,
) -> MergeResult:
    """Make the asset's rows of the months equal to `rows` and store a digest of each month."""
    scope = Scope({"symbol": symbol}, time, writing.start, writing.end)
    merged = keyed_rows.replace(connection, shape, scope, rows.assign(run_id=writing.run_id or ""))
    contents = digests_by_month(rows, shape=shape, time=time, months=writing.months)
    keep_digests(connection, writing, asset=asset, symbol=symbol, contents=contents, rules=rules)
    return merged


def keep_digests(
    connection: Connection,
    writing: Writing,
    *,
    asset: str,
    symbol: str,
    contents: Sequence[tuple[int, str]],
    rules: Rules,
) -> None:
    """Store for each month how many rows it has, their digest, and that of what they were made of."""
    held = {name: dict(months) for name, months in writing.held.items()}
    first_month = min(held["candles"], default=writing.months[0])
    for month, (rows, content) in zip(writing.months, contents, strict=True):
        made = Digest(
            rows=rows,
            digest=content,
            inputs_digest=inputs_digest(asset, month, held=held, rules=rules(month)),
            complete=is_complete(asset, month, held=held, first_month=first_month),
            code_version=LINEAGE[asset].version,
            computed_at=writing.now,
            run_id=writing.run_id,
        )
        digests.upsert(connection, asset=asset, symbol=symbol, month=month, **asdict(made))
        # The next month may read this one.
        held[asset][month] = made


def digests_by_month(rows: pd.DataFrame, *, shape: TableShape, time: str, months: Sequence[str]) -> list[tuple[int, str]]:
    """Of each month the number of rows whose `time` lies in it, and their digest."""
    rows = ordered(rows, [name for name in shape.key if name in rows])
    moments = instants_of if shape.columns[time] is Kind.INSTANT else kinds.days
    of_month = moments(rows[time]).astype("datetime64[M]")
    names = sorted(name for name in shape.columns if name not in shape.uncompared and name in rows)
    arrays = {name: kinds.comparable(rows[name], kind=shape.columns[name]) for name in names}
    found = []
    for month in months:
        chosen = of_month == np.datetime64(month, "M")
        sha = hashlib.sha256()
        for name, values in arrays.items():
            own = values[chosen]
            sha.update(name.encode() + b"\x00")
            sha.update("\x1f".join(own).encode() if own.dtype == object else own.astype("<i8").tobytes())
        found.append((int(chosen.sum()), sha.hexdigest()))
    return found
