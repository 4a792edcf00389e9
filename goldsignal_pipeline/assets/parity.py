"""Parity of a symbol's stored rows with the backtest path, on one snapshot of the database.

1. `recomputed.read_known` reads candles and gate events, `_kept` the rows of every asset in the months asked.
2. Everything is computed again. A live verdict that comes out otherwise, and that read a bar which was observed only after it,
   stands as it was given; the rest is computed anew with it, so that one revision does not spoil what follows.
3. Each table is compared value by value in the months that are complete and up to date; origin, `known_at` and run are no part
   of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.assets.keeping import held_digests
from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.assets.recomputed import Known, Recomputed, read_known, recompute
from goldsignal_pipeline.assets.staleness import Basis, behind
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.proofs.differences import Keyed, TableComparison, compare
from goldsignal_pipeline.proofs.parity import ParityReport
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_material import is_among, keys_of
from goldsignal_pipeline.selection.month_fold import Given
from goldsignal_pipeline.selection.signal_ids import signal_id
from goldsignal_pipeline.selection.verdict_text import verdict_text
from goldsignal_pipeline.simulation.closed_trades import KEY
from goldsignal_pipeline.storage import gate_states, keyed_rows, kinds
from goldsignal_pipeline.storage.backtests import BACKTEST_RESULTS, BACKTEST_TRADES
from goldsignal_pipeline.storage.binary_encoding import NO_VALUE
from goldsignal_pipeline.storage.keyed_rows import Scope, TableShape
from goldsignal_pipeline.storage.kinds import Kind
from goldsignal_pipeline.storage.performance import STRATEGY_PERFORMANCE
from goldsignal_pipeline.storage.revisions import Moment, known_later, retold_trades
from goldsignal_pipeline.storage.setups import SETUPS
from goldsignal_pipeline.storage.signals import GATE_DECISIONS, OUTCOMES, SIGNAL_EVENTS, SIGNALS
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database
    from goldsignal_pipeline.storage.digests import Digest

NOT_COMPARED: Final = frozenset({"symbol", "run_id", "origin", "known_at"})
STATES: Final = TableShape(
    table="gate_states",
    key=("month",),
    columns={"month": Kind.TEXT, "at": Kind.INSTANT, "state": Kind.JSON},
    order=("month",),
)
"""Frames hold the end of each month as `at`."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A table, the asset whose months it has, and the column that says in which month a row lies."""

    shape: TableShape
    asset: str
    time: str

    @property
    def keyed(self) -> Keyed:
        return Keyed(self.shape.table, tuple(name for name in self.shape.key if name != "symbol"), self.time)


TABLES: Final = (
    _Table(SETUPS, "setups", "confirmed_at"),
    _Table(BACKTEST_TRADES, "backtest_trades", "resolved_at"),
    _Table(BACKTEST_RESULTS, "backtest_results", "day"),
    _Table(GATE_DECISIONS, "signals", "decided_for"),
    _Table(SIGNALS, "signals", "confirmed_at"),
    _Table(SIGNAL_EVENTS, "outcomes", "at"),
    _Table(OUTCOMES, "outcomes", "resolved_at"),
    _Table(STRATEGY_PERFORMANCE, "strategy_performance", "day"),
)
_BY_DAY: Final = frozenset({"backtest_results", "strategy_performance"})

_DECIMALS: Final = {
    Kind.TICKS: 2,
    Kind.LEVEL: 2,
    Kind.MONEY: 2,
    Kind.UNITS: 4,
    Kind.METRIC: 4,
}

Change = Callable[[Known], Known]


def prove_parity(
    database: Database,
    settings: Settings,
    *,
    symbol: str,
    now: datetime,
    first: str = "",
    last: str = "9999-12",
    change: Change | None = None,
) -> ParityReport:
    """Compare the months from `first` to `last`; `change` alters what is known first, and then a difference must be found.

    Raises `DataError` when there are no candles, `UsageError` when nothing is stored in the months.
    """
    strategies = list(load_strategies().values())
    with database.transaction(read_only=True) as connection:
        known = read_known(connection, strategies, settings, symbol=symbol, now=now)
        months = tuple(month for month in known.months if first <= month <= last)
        held = held_digests(connection, symbol=symbol)
        lagging = {
            asset: tuple(sorted(set(own) & set(months) & set(held[asset])))
            for asset, own in behind(connection, Basis.of(settings, now=now), symbol=symbol).assets.items()
        }
        computed, standing = _with_what_stands(connection, change(known) if change else known, held=held)
        retold = retold_trades(connection, symbol=symbol)
        excused = {"signals": standing, "signal_events": standing | {key for key in known.gate.given if _told(key) in retold}}
        chosen = {asset: _comparable(months, own, lagging.get(asset, ())) for asset, own in held.items()}
        tables = [
            _compare(connection, table, computed, known=known, months=chosen[table.asset], without=excused.get(table.shape.table))
            for table in TABLES
        ]
        tables.append(_compare_states(connection, computed, known=known, months=chosen["signals"]))
    if not any(table.rows for table in tables) and not any(lagging.values()):
        raise UsageError(
            f"Nothing of {symbol} that could be compared is stored in these months.",
            done="Nothing was proved.",
            fix="Run `goldsignal backfill --missing` first, or name other months.",
        )
    return ParityReport(
        symbol=symbol,
        months=months,
        tables=tuple(tables),
        live=len(known.gate.given),
        revised=tuple(sorted(signal_id(key, symbol=symbol) for key in standing)),
        behind={asset: own for asset, own in lagging.items() if own},
        incomplete=_incomplete(months, held),
    )


def _comparable(months: Sequence[str], digests: Mapping[str, Digest], lagging: Sequence[str]) -> tuple[str, ...]:
    """The months that are stored, complete, and in line with what they were made of."""
    return tuple(one for one in months if one in digests and digests[one].complete and one not in lagging)


def _incomplete(months: Sequence[str], held: Mapping[str, Mapping[str, Digest]]) -> dict[str, tuple[str, ...]]:
    found = {
        table.asset: tuple(month for month in months if month in held[table.asset] and not held[table.asset][month].complete)
        for table in TABLES
    }
    return {asset: own for asset, own in found.items() if own}


def _with_what_stands(
    connection: Connection, known: Known, *, held: Mapping[str, Mapping[str, Digest]]
) -> tuple[Recomputed, frozenset[SetupKey]]:
    """What follows from what is known, and the live verdicts that stand although their data were revised."""
    strategies = list(load_strategies().values())
    complete = {month for month, digest in held["signals"].items() if digest.complete}
    given = {key: one for key, one in known.gate.given.items() if f"{one.setup.at:%Y-%m}" in complete}
    standing: frozenset[SetupKey] = frozenset()
    while True:
        computed = recompute(known, strategies, standing=standing)
        differing = [key for key in _otherwise(known, computed, given=given) if key not in standing]
        moments = [Moment(given[key].setup.at, given[key].setup.decided_at or given[key].setup.at) for key in differing]
        later = known_later(connection, moments, symbol=known.symbol)
        revised = {key for key, is_later in zip(differing, later, strict=True) if is_later}
        if not revised:
            return computed, standing
        standing |= revised


def _otherwise(known: Known, computed: Recomputed, *, given: Mapping[SetupKey, Given]) -> list[SetupKey]:
    """The live verdicts that come out otherwise, and the published signals with another row."""
    setups = {setup.key: setup for setup in computed.history.judged}
    decisions = {one.key: one for one in computed.history.folded.decisions}
    again = {key: verdict_text(Given(setups[key], decisions[key])) for key in given if key in setups and key in decisions}
    found = [key for key, one in given.items() if again.get(key) != verdict_text(one)]
    columns = [name for name in SIGNALS.columns if name not in NOT_COMPARED]
    sides = [_plain(rows, shape=SIGNALS, columns=columns) for rows in (known.published, computed.rows["signals"])]
    equal = set(sides[0].merge(sides[1], on=columns)[list(KEY)].itertuples(index=False, name=None))
    plain = sides[0][list(KEY)].itertuples(index=False, name=None)
    found += [key for key, row in zip(keys_of(known.published), plain, strict=True) if row not in equal and key in given]
    return list(dict.fromkeys(found))


def _told(key: SetupKey) -> tuple[str, str, str, datetime]:
    return key.timeframe, key.strategy, key.direction.value, key.timestamp


def _compare(
    connection: Connection,
    table: _Table,
    computed: Recomputed,
    *,
    known: Known,
    months: Sequence[str],
    without: frozenset[SetupKey] | None,
) -> TableComparison:
    shape, name = table.shape, table.shape.table
    scope = Scope({"symbol": known.symbol}, table.time, month_start(known.months[0]), known.end)
    kept = keyed_rows.read(connection, shape, scope)
    sides = [_within(rows, table.time, months) for rows in (kept, computed.rows[name])]
    if name in _BY_DAY and len(sides[0]):
        # Of the running month the days that had begun, or ended, when it was last computed.
        sides[1] = sides[1][(sides[1][table.time] <= sides[0][table.time].max()).to_numpy()]
    if without:
        sides = [rows[~is_among(rows, without)] for rows in sides]
    columns = [column for column in shape.columns if column not in NOT_COMPARED]
    frames = [_plain(rows, shape=shape, columns=columns) for rows in sides]
    values = [column for column in columns if column not in table.keyed.key]
    return compare(table.keyed, kept=frames[0], computed=frames[1], columns=values)


def _compare_states(connection: Connection, computed: Recomputed, *, known: Known, months: Sequence[str]) -> TableComparison:
    """The state at the end of each month that was over when it was last decided."""
    kept = {month: gate_states.read(connection, symbol=known.symbol, month=month) for month in months}
    over = [month for month in months if month_start(next_month(month)) + known.grace <= known.now]
    frames = [
        _plain(_states({month: one.state for month, one in kept.items() if one}), shape=STATES, columns=list(STATES.columns)),
        _plain(_states({month: computed.state_at_end(month) for month in over}), shape=STATES, columns=list(STATES.columns)),
    ]
    return compare(Keyed("gate_states", ("month",), "at"), kept=frames[0], computed=frames[1], columns=["state"])


def _states(texts: Mapping[str, str]) -> pd.DataFrame:
    ends = pd.DatetimeIndex([month_start(next_month(month)) for month in texts], tz="UTC")
    frame = pd.DataFrame({"month": list(texts), "state": list(texts.values())}, dtype="str")
    return frame.assign(at=ends.as_unit("us"))


def _within(rows: pd.DataFrame, time: str, months: Sequence[str]) -> pd.DataFrame:
    inside = rows[time].dt.strftime("%Y-%m").isin(set(months)).to_numpy(dtype=bool)
    found: pd.DataFrame = rows.loc[inside]
    return found


def _plain(rows: pd.DataFrame, *, shape: TableShape, columns: Sequence[str]) -> pd.DataFrame:
    """The columns so that two values are equal exactly when the database would hold the same."""
    return pd.DataFrame({name: kinds.comparable(rows[name], kind=shape.columns[name]) for name in columns})


def shown(value: Any, column: str, *, table: str) -> str:
    """A comparable value as people read it."""
    shape = next((one.shape for one in TABLES if one.shape.table == table), STATES)
    kind = shape.columns.get(column, Kind.TEXT)
    if kind is Kind.INSTANT:
        instant = np.datetime64(int(value), "us")
        return "none" if np.isnat(instant) else f"{pd.Timestamp(instant):%Y-%m-%d %H:%M:%S} UTC"
    if kind is Kind.DAY:
        return str(np.datetime64(int(value), "D"))
    if kind in _DECIMALS:
        return "none" if value == NO_VALUE else f"{int(value) / 10 ** _DECIMALS[kind]:.{_DECIMALS[kind]}f}"
    return str(value) if value not in ("", NO_VALUE) else "none"
