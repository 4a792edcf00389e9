"""Rules: what months depend on besides other months, as texts that go into their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.spread import SpreadHistory
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.simulation.trades import DEFAULT_COSTS

if TYPE_CHECKING:
    from goldsignal_pipeline.assets.gate_record import GateRecord
    from goldsignal_pipeline.assets.keeping import Rules
    from goldsignal_pipeline.strategies.base import Strategy


def parameters_digest(strategy: Strategy) -> str:
    """A digest of a strategy's parameters."""
    text = json.dumps(strategy.parameters.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def setups_rules(strategies: Sequence[Strategy]) -> Rules:
    """Setups depend on the calendar and on every strategy with its version, timeframes and parameters."""
    told = _strategies(strategies)
    return lambda month: told


def trades_rules(*, grace: timedelta, spreads: SpreadHistory) -> Rules:
    """Trades depend on the calendar, the grace, the costs, and the spread tables in force by the end of the month."""
    return lambda month: _trades(month, grace=grace, spreads=spreads)


def results_rules(strategies: Sequence[Strategy], *, grace: timedelta, now: datetime, spreads: SpreadHistory) -> Rules:
    """Results depend on strategies, costs, and on how many days of the month have begun."""
    told = _strategies(strategies)
    return lambda month: [*told, *_trades(month, grace=grace, spreads=spreads), _days_begun(month, now=now, grace=grace)]


def deciding_rules(strategies: Sequence[Strategy], *, grace: timedelta, record: GateRecord) -> Rules:
    """Decisions depend on strategies, costs, and on the gate events in force by the end of the month."""
    told = _strategies(strategies)

    def rules(month: str) -> list[str]:
        costs = _trades(month, grace=grace, spreads=record.spreads)
        return [*told, *costs, record.digest(until=month_start(next_month(month)))]

    return rules


def graph_rules(strategies: Sequence[Strategy], *, grace: timedelta, now: datetime, record: GateRecord) -> dict[str, Rules]:
    """The rules of every asset of the lineage."""
    spreads = record.spreads
    return {
        "setups": setups_rules(strategies),
        "backtest_trades": trades_rules(grace=grace, spreads=spreads),
        "backtest_results": results_rules(strategies, grace=grace, now=now, spreads=spreads),
        "signals": deciding_rules(strategies, grace=grace, record=record),
        "outcomes": trades_rules(grace=grace, spreads=spreads),
        "strategy_performance": performance_rules(strategies, grace=grace, now=now, spreads=spreads),
    }


def performance_rules(strategies: Sequence[Strategy], *, grace: timedelta, now: datetime, spreads: SpreadHistory) -> Rules:
    """Performance depends on what results depend on."""
    return results_rules(strategies, grace=grace, now=now, spreads=spreads)


def _strategies(strategies: Sequence[Strategy]) -> list[str]:
    told = [
        f"{one.name} {one.version} {','.join(sorted(timeframe.value for timeframe in one.timeframes))} {parameters_digest(one)}"
        for one in strategies
    ]
    return [load_calendar().version, *sorted(told)]


def _trades(month: str, *, grace: timedelta, spreads: SpreadHistory) -> list[str]:
    first, *changed = spreads.in_force(until=to_instant(month_start(next_month(month)))).items()
    tables = [first[1].model_dump_json(), *(f"{since} {table.model_dump_json()}" for since, table in changed)]
    return [load_calendar().version, str(grace), DEFAULT_COSTS.model_dump_json(), *tables]


def _days_begun(month: str, *, now: datetime, grace: timedelta) -> str:
    last = min(now - grace, month_start(next_month(month)) - timedelta(microseconds=1))
    return last.date().isoformat() if last >= month_start(month) else ""
