"""The graph without Dagster: the functions that the assets call, in their order, over months of one database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from goldsignal_pipeline.errors import DataError

if TYPE_CHECKING:
    from goldsignal_pipeline.assets.keeping import Writing
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

MONTHS_PER_RUN: Final = 12
_MOST_ROUNDS: Final = 20

Between = Callable[[str], None]
"""Called with the name of each asset that was just computed."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run over a database, as of `now`; `live_symbol` is the symbol that it decides live."""

    database: Database
    settings: Settings
    now: datetime
    run_id: str
    live_symbol: str | None = None

    def writing(self, months: Sequence[str]) -> Writing:
        """Some months of this run."""
        from goldsignal_pipeline.assets.keeping import Writing

        return Writing(tuple(months), self.now, self.settings.grace, self.run_id)


def steps() -> dict[str, Callable[[Run, Sequence[str]], object]]:
    """What computes each asset, by name, in the order of the graph."""
    from goldsignal_pipeline.assets.decide import decide
    from goldsignal_pipeline.assets.derive import derive
    from goldsignal_pipeline.assets.find_setups import find_setups
    from goldsignal_pipeline.assets.measure_performance import measure_performance
    from goldsignal_pipeline.assets.resolve_signals import resolve_signals
    from goldsignal_pipeline.assets.score_trades import score_trades
    from goldsignal_pipeline.assets.trade_setups import trade_setups

    def candles(run: Run, months: Sequence[str]) -> object:
        chosen = run.settings
        return derive(
            run.database, months=months, now=run.now, grace=chosen.grace, source_order=chosen.source_order, run_id=run.run_id
        )

    return {
        "candles": candles,
        "setups": lambda run, months: find_setups(run.database, run.writing(months)),
        "backtest_trades": lambda run, months: trade_setups(run.database, run.writing(months)),
        "backtest_results": lambda run, months: score_trades(run.database, run.writing(months)),
        "signals": lambda run, months: decide(run.database, run.settings, run.writing(months), live_symbol=run.live_symbol),
        "outcomes": lambda run, months: resolve_signals(run.database, run.writing(months)),
        "strategy_performance": lambda run, months: measure_performance(run.database, run.settings, run.writing(months)),
    }


def run_graph(run: Run, months: Sequence[str], *, between: Between = lambda _: None) -> None:
    """Compute every asset of consecutive months."""
    for name, compute in steps().items():
        compute(run, months)
        between(name)


def run_in_chunks(run: Run, months: Sequence[str], *, length: int = MONTHS_PER_RUN) -> None:
    """The same, some months at a time from the first on."""
    for position in range(0, len(months), length):
        run_graph(run, months[position : position + length])


def run_missing(run: Run, *, symbol: str) -> int:
    """Compute what is missing, incomplete or outdated until nothing is left; returns how many months that took.

    Raises `DataError` when something stays behind however often it is computed.
    """
    from goldsignal_pipeline.assets.partitions import months_between
    from goldsignal_pipeline.assets.staleness import Basis, behind, first_range

    computed = 0
    for _ in range(_MOST_ROUNDS):
        with run.database.transaction(read_only=True) as connection:
            found = behind(connection, Basis.of(run.settings, now=run.now), symbol=symbol)
        todo = list(found.months)
        if not todo:
            return computed
        while todo:
            months = months_between(*first_range(todo, longest=MONTHS_PER_RUN))
            run_graph(run, months)
            computed += len(months)
            todo = [month for month in todo if month > months[-1]]
    raise DataError(
        f"{', '.join(found.assets)} of {found.months[0]} are still behind after {_MOST_ROUNDS} rounds.",
        done="The scratch database was given up.",
        fix="Report it: a month that was computed must not stay behind.",
    )
