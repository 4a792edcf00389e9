"""The inputs of some months in a scratch database, from which each run of a proof begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.storage.scratch import Scratch


@dataclass(frozen=True, slots=True)
class Prepared:
    """A database that holds what the graph of some months follows from and nothing else; `scratch` makes copies of it."""

    scratch: Scratch
    database: Database
    symbol: str
    months: tuple[str, ...]
    observations: int


@contextmanager
def prepared(
    source: Database, settings: Settings, *, symbol: str, now: datetime, first: str = "", last: str = "9999-12"
) -> Iterator[Prepared]:
    """Copy the observations from `first` to `last` (months), gate events and live signals of a symbol.

    The months are those of the record: bars of the last close in the one after it, too. Raises `UsageError` where nothing was
    observed.
    """
    from goldsignal_pipeline.assets.lineage import record_months
    from goldsignal_pipeline.assets.partitions import month_start, next_month
    from goldsignal_pipeline.cli.prove.copying import Inputs, copy_inputs
    from goldsignal_pipeline.storage import digests
    from goldsignal_pipeline.storage.scratch import scratch_databases

    with source.transaction(read_only=True) as connection:
        observed = digests.by_month(connection, asset="raw_candles", symbol=symbol)
    asked = [month for month in observed if first <= month <= last]
    if not asked:
        raise UsageError(
            f"Nothing was observed of {symbol} in these months.",
            done="Nothing was proved.",
            fix="Name others, or another --symbol.",
        )
    inputs = Inputs(symbol, month_start(asked[0]), month_start(next_month(asked[-1])))
    with scratch_databases(source) as scratch, scratch.empty() as target:
        observations = copy_inputs(source, target, inputs, settings=settings, now=now)
        yield Prepared(scratch, target, symbol, tuple(record_months(asked, now=now)), observations)
