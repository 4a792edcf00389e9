"""Explanations from the stored record: why a setup was given or turned away, and why there was silence.

1. `explain_setup` takes a setup by key: its conditions, what every rule of the gate measured (judged again by the same fold), the
   stored verdict, the signal with its versions, its steps and outcome, and the candles' revisions since.
2. `setups_at` names the candidates whose confirming bar closed at an instant, and the nearest before it where there are none.
3. `explain_silence` counts over a range what turned candidates away, and how near the misses were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from goldsignal_pipeline.assets.decide_inputs import read_inputs
from goldsignal_pipeline.assets.keeping import Writing
from goldsignal_pipeline.assets.partitions import month_of
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.gate import Case
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_readings import Reading, readings
from goldsignal_pipeline.selection.history import days_of
from goldsignal_pipeline.selection.month_fold import fold_days
from goldsignal_pipeline.selection.signal_ids import signal_id
from goldsignal_pipeline.strategies.registry import load_strategies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from goldsignal_pipeline.settings import Settings

Row = Mapping[str, Any]

_KEY_IS: Final = (
    "symbol = :symbol AND timeframe = :timeframe AND strategy = :strategy AND direction = :direction AND timestamp = :timestamp"
)
_REVISIONS: Final = text("""
    SELECT source, timeframe, timestamp, observed_at, close FROM (
        SELECT *, row_number() OVER (PARTITION BY source, timeframe, timestamp ORDER BY observed_at) AS version FROM raw_candles
        WHERE symbol = :symbol AND timestamp >= :start AND timestamp < :end
    ) AS versions WHERE observed_at > :since AND version > 1 ORDER BY observed_at, timestamp
""")
_NEAREST: Final = text("""
    SELECT symbol, timeframe, strategy, direction, timestamp, confirmed_at, kind FROM setups
    WHERE symbol = :symbol AND (:strategy = '' OR strategy = :strategy) AND confirmed_at = (
        SELECT max(confirmed_at) FROM setups
        WHERE symbol = :symbol AND (:strategy = '' OR strategy = :strategy) AND confirmed_at <= :at)
    ORDER BY strategy, timeframe, direction
""")
_TURNED_AWAY: Final = text("""
    SELECT strategy, reasons[1] AS reason, count(*) AS setups,
           count(*) FILTER (WHERE cardinality(reasons) = 1) AS by_this_alone
    FROM gate_decisions WHERE symbol = :symbol AND NOT is_accepted AND decided_for >= :start AND decided_for < :end
    GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
""")
_NOT_TAKEN: Final = text("""
    SELECT strategy, direction, confirmed_at, kind, coalesce(refusal, '') AS refusal, conditions::text AS conditions,
           measures::text AS measures
    FROM setups WHERE symbol = :symbol AND kind <> 'setup' AND confirmed_at >= :start AND confirmed_at < :end
    ORDER BY confirmed_at, strategy, direction
""")
_ACCEPTED: Final = text(
    "SELECT count(*) FROM gate_decisions WHERE symbol = :symbol AND is_accepted AND decided_for >= :start AND decided_for < :end"
)
_REVISED_REACH: Final = timedelta(days=70)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known of one candidate; what does not exist of it is None or empty."""

    id: str
    key: SetupKey
    symbol: str
    setup: Row
    conditions: Sequence[Row]
    readings: Sequence[Reading]
    verdict: Row | None
    signal: Row | None
    events: Sequence[Row]
    outcome: Row | None
    revisions: Sequence[Row]


@dataclass(frozen=True, slots=True)
class NearMisses:
    """Candidates of a strategy that failed its trigger alone: which condition, how many, and the nearest of them."""

    strategy: str
    condition: str
    count: int
    nearest_shortfall: float
    unit: str
    nearest_at: datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """What a range lacked: signals given, setups turned away by rule, candidates refused by reason, near misses by trigger."""

    accepted: int
    turned_away: Sequence[Row]
    refused: Sequence[Row]
    near_misses: Sequence[NearMisses]


def explain_setup(connection: Connection, settings: Settings, *, symbol: str, key: SetupKey, now: datetime) -> Explanation | None:
    """Everything that is known of the candidate of this key; None when there is none."""
    named = {
        "symbol": symbol,
        "timeframe": key.timeframe,
        "strategy": key.strategy,
        "direction": key.direction.value,
        "timestamp": key.timestamp,
    }
    found = {table: _one(connection, table, named) for table in ("setups", "gate_decisions", "signal_states", "outcomes")}
    setup, signal = found["setups"], found["signal_states"]
    told = setup or signal
    if told is None:
        return None
    since = (signal or {}).get("known_at") or told["confirmed_at"]
    window = {"symbol": symbol, "start": told["confirmed_at"] - _REVISED_REACH, "end": told["confirmed_at"], "since": since}
    events = text(f"SELECT kind, at, known_at, detail FROM signal_events WHERE {_KEY_IS} ORDER BY at, kind")  # noqa: S608
    return Explanation(
        id=signal_id(key, symbol=symbol),
        key=key,
        symbol=symbol,
        setup=told,
        conditions=told["conditions"],
        readings=gate_case(connection, settings, symbol=symbol, key=key, confirmed_at=told["confirmed_at"], now=now),
        verdict=found["gate_decisions"],
        signal=signal,
        events=[dict(row) for row in connection.execute(events, named).mappings()],
        outcome=found["outcomes"],
        revisions=[dict(row) for row in connection.execute(_REVISIONS, window).mappings()],
    )


def gate_case(
    connection: Connection, settings: Settings, *, symbol: str, key: SetupKey, confirmed_at: datetime, now: datetime
) -> Sequence[Reading]:
    """What every rule measured for a setup, folded up to it again; nothing for a candidate that was no setup.

    A verdict that a live run gave is judged again as it was then, at the instant at which it was decided.
    """
    writing = Writing((month_of(confirmed_at),), now, settings.grace, None)
    strategies = list(load_strategies().values())
    inputs = read_inputs(connection, strategies, symbol=symbol, writing=writing, base=settings.base_timeframe)
    given = dict(inputs.material.given)
    own = given.pop(key, None)
    setups = [one for one in inputs.material.setups if one.key != key or own is None]
    material = replace(inputs.material, given=given, setups=setups if own is None else [*setups, own.setup])
    seen: list[Case] = []

    def observe(case: Case) -> None:
        if case.setup.key == key:
            seen.append(case)

    fold_days(
        inputs.state,
        material,
        days=[day for day in days_of(writing.months) if day <= confirmed_at.date()],
        until=max(inputs.until, confirmed_at),
        calendar=load_calendar(),
        observe=observe,
    )
    return readings(seen[0]) if seen else ()


def setups_at(connection: Connection, *, symbol: str, at: datetime, strategy: str) -> list[tuple[SetupKey, datetime, str]]:
    """Key, close and kind of the candidates that confirmed last by `at`; `strategy` may be empty for all."""
    parameters = {"symbol": symbol, "at": at, "strategy": strategy}
    return [(_key(row), row["confirmed_at"], row["kind"]) for row in connection.execute(_NEAREST, parameters).mappings()]


def keys_by_id(connection: Connection, *, beginning: str) -> list[tuple[str, SetupKey]]:
    """Symbol and key of every setup that was judged and whose id begins so."""
    query = text("SELECT symbol, timeframe, strategy, direction, timestamp FROM gate_decisions")
    found = [(row["symbol"], _key(row)) for row in connection.execute(query).mappings()]
    return [(symbol, key) for symbol, key in found if signal_id(key, symbol=symbol).startswith(beginning)]


def explain_silence(connection: Connection, *, symbol: str, start: datetime, end: datetime) -> Silence:
    """What turned candidates away in [start, end), and how near the misses were."""
    window = {"symbol": symbol, "start": start, "end": end}
    candidates = [dict(row) for row in connection.execute(_NOT_TAKEN, window).mappings()]
    refused: dict[tuple[str, str], int] = {}
    for row in candidates:
        if row["kind"] == "refused":
            refused[row["strategy"], row["refusal"]] = refused.get((row["strategy"], row["refusal"]), 0) + 1
    return Silence(
        accepted=connection.execute(_ACCEPTED, window).scalar_one(),
        turned_away=[dict(row) for row in connection.execute(_TURNED_AWAY, window).mappings()],
        refused=[{"strategy": strategy, "reason": why, "candidates": n} for (strategy, why), n in sorted(refused.items())],
        near_misses=_near_misses([row for row in candidates if row["kind"] == "near_miss"]),
    )


def _near_misses(rows: Sequence[Row]) -> list[NearMisses]:
    """By strategy and failed trigger: how many, and the one that lacked least."""
    found: dict[tuple[str, str], list[tuple[float, datetime, str]]] = {}
    for row in rows:
        failed = [one for one in json.loads(row["conditions"]) if one["required"] and not one["passed"]]
        for one in failed:
            if one["measured"] is not None and one["threshold"] is not None:
                lacking = abs(one["threshold"] - one["measured"])
                found.setdefault((row["strategy"], one["name"]), []).append((lacking, row["confirmed_at"], one["unit"]))
    return [
        NearMisses(strategy, condition, len(misses), *_nearest(misses)) for (strategy, condition), misses in sorted(found.items())
    ]


def _nearest(misses: Sequence[tuple[float, datetime, str]]) -> tuple[float, str, datetime]:
    lacking, at, unit = min(misses)
    return lacking, unit, at


def _one(connection: Connection, table: str, named: Mapping[str, Any]) -> Row | None:
    row = connection.execute(text(f"SELECT * FROM {table} WHERE {_KEY_IS}"), named).mappings().one_or_none()  # noqa: S608
    return None if row is None else dict(row)


def _key(row: Mapping[Any, Any]) -> SetupKey:
    return SetupKey(row["strategy"], row["timeframe"], Direction(row["direction"]), row["timestamp"])
