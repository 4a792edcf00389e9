"""Rules: what months depend on besides other months, as texts that go into their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from goldsignal_pipeline.assets.partitions import month_start, next_month
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.spread import SpreadTable
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


def trades_rules(*, grace: timedelta) -> Rules:
    """Trades depend on the calendar, the grace and the costs."""
    told = _trades(grace)
    return lambda month: told


def results_rules(strategies: Sequence[Strategy], *, grace: timedelta, now: datetime) -> Rules:
    """Results depend on strategies, costs, and on how many days of the month have begun."""
    told = [*_strategies(strategies), *_trades(grace)]
    return lambda month: [*told, _days_begun(month, now=now, grace=grace)]


def deciding_rules(strategies: Sequence[Strategy], *, grace: timedelta, record: GateRecord) -> Rules:
    """Decisions depend on strategies, costs, and on the gate events in force by the end of the month."""
    told = [*_strategies(strategies), *_trades(grace)]
    return lambda month: [*told, record.digest(until=month_start(next_month(month)))]


def graph_rules(strategies: Sequence[Strategy], *, grace: timedelta, now: datetime, record: GateRecord) -> dict[str, Rules]:
    """The rules of every asset of the lineage."""
    return {
        "setups": setups_rules(strategies),
        "backtest_trades": trades_rules(grace=grace),
        "backtest_results": results_rules(strategies, grace=grace, now=now),
        "signals": deciding_rules(strategies, grace=grace, record=record),
        "outcomes": trades_rules(grace=grace),
        "strategy_performance": performance_rules(strategies, grace=grace, now=now),
    }


def performance_rules(strategies: Sequence[Strategy], *, grace: timedelta, now: datetime) -> Rules:
    """Performance depends on what results depend on."""
    return results_rules(strategies, grace=grace, now=now)


def _strategies(strategies: Sequence[Strategy]) -> list[str]:
    told = [
        f"{one.name} {one.version} {','.join(sorted(timeframe.value for timeframe in one.timeframes))} {parameters_digest(one)}"
        for one in strategies
    ]
    return [load_calendar().version, *sorted(told)]


def _trades(grace: timedelta) -> list[str]:
    return [load_calendar().version, str(grace), DEFAULT_COSTS.model_dump_json(), SpreadTable().model_dump_json()]


def _days_begun(month: str, *, now: datetime, grace: timedelta) -> str:
    last = min(now - grace, month_start(next_month(month)) - timedelta(microseconds=1))
    return last.date().isoformat() if last >= month_start(month) else ""
