"""Signals: accepted decisions as the rows that are published, with everything that was known and decided.

1. `signal_rows` joins each decision with its setup, its terms and its planned deadline; `SIGNAL_DTYPES` names every column.
2. `reasons_of` says in words why a setup became a signal: its trigger, then the optional conditions it met, by points.
3. `inputs_digest` is a fingerprint of what the decision read of the setup, its conditions, its standing and the terms. The gate's
   memory is not in it: that follows from earlier signals.

Pure: equal inputs give equal rows, in a backfill and live.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE, instants_of
from goldsignal_pipeline.market.frames import typed
from goldsignal_pipeline.market.hours import TradingCalendar
from goldsignal_pipeline.market.prices import TICKS_PER_USD
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime
from goldsignal_pipeline.selection.gate import Decision
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.gate_material import keys_of
from goldsignal_pipeline.selection.month_fold import Terms
from goldsignal_pipeline.selection.standings import kept
from goldsignal_pipeline.simulation.planned import planned_deadlines, planned_entries
from goldsignal_pipeline.simulation.trades import GRACE, HOLD_MINUTES
from goldsignal_pipeline.strategies.setups import SETUP_DTYPES

HUNDREDTHS: Final = 100
REASONS: Final = 3

SIGNAL_DTYPES: Final[dict[str, str]] = {
    "strategy": "str",
    "timeframe": "str",
    "direction": "str",
    "timestamp": TIMESTAMP_DTYPE,
    "confirmed_at": TIMESTAMP_DTYPE,
    "reference": "int64",  # ticks, like the next five
    "stop": "int64",
    "take_profit_1": "int64",
    "take_profit_2": "int64",
    "invalidation_price": "int64",
    "planned_risk": "int64",
    "risk_reward": "float64",  # |TP1 - reference| in planned R, as it is kept
    "confidence": "int64",
    "conditions": "str",  # canonical JSON
    "evidence": "str",
    "rank": "int64",
    "rank_score": "float64",
    "composite_score": "float64",  # NaN while unknown
    "size_ounces": "int64",  # hundredths, like the next two
    "size_lots": "int64",
    "risk_usd": "int64",
    "session": "str",
    "regime": "str",  # "" while unknown
    "deadline": TIMESTAMP_DTYPE,
    "reasons": "str",  # a text per line
    "origin": "str",  # live or backfill
    "known_at": TIMESTAMP_DTYPE,  # NaT in a backfill
    "code_version": "str",
    "strategy_version": "str",
    "parameters_digest": "str",
    "calendar_version": "str",
    "events_digest": "str",
    "inputs_digest": "str",
}
"""Columns of `signal_rows`: those of a stored signal, but for symbol and run, which the caller knows."""

_COPIED: Final = (
    "reference",
    "stop",
    "take_profit_1",
    "take_profit_2",
    "invalidation_price",
    "planned_risk",
    "confidence",
    "conditions",
    "session",
    "regime",
    "strategy_version",
)
_NEEDED: Final[dict[str, str]] = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Versions:
    """What besides candles a signal depends on: the code, each strategy's parameters, and gate events when it was decided."""

    code: str
    parameters: Mapping[str, str]
    """A digest by strategy."""
    events: Mapping[SetupKey, str]
    """A digest of the gate events in force, by key."""


def signal_rows(
    decisions: Sequence[Decision],
    *,
    setups: pd.DataFrame,
    terms: Sequence[Terms],
    base: Timeframe,
    calendar: TradingCalendar,
    versions: Versions,
    composites: Mapping[SetupKey, float],
    known_at: Mapping[SetupKey, datetime],
    grace: timedelta = GRACE,
) -> pd.DataFrame:
    """A row for every accepted decision, in their order (`SIGNAL_DTYPES`).

    `setups` (`setups.SETUP_DTYPES`, and `conditions` as the JSON text that is stored) holds the setup of each. `base` is the
    timeframe whose next bar is entered at; `known_at` says when live runs decided, all others are of a backfill. Raises DataError
    for a decision without its setup.
    """
    accepted = [decision for decision in decisions if decision.is_accepted]
    rows = _rows_of(accepted, setups)
    entries = planned_entries(instants_of(rows["confirmed_at"]), base=base, calendar=calendar, grace=grace)
    holds = np.array([HOLD_MINUTES[Timeframe(name)] for name in rows["timeframe"]], dtype=np.int64)
    deadlines = planned_deadlines(entries, hold_minutes=holds, calendar=calendar)
    made = []
    for decision, row, entry, deadline in zip(accepted, rows.to_dict("records"), entries, deadlines, strict=True):
        live_at = known_at.get(decision.key)
        read = {"setup": row, "entry_open": to_datetime(entry), "terms": terms_at(terms, decision.at), "decided_at": live_at}
        made.append(
            _decided(decision)
            | {name: row[name] for name in _COPIED}
            | {
                "confirmed_at": decision.at,
                "risk_reward": abs(row["take_profit_1"] - row["reference"]) / row["planned_risk"],
                "composite_score": composites.get(decision.key, math.nan),
                "deadline": to_datetime(deadline),
                "reasons": "\n".join(reasons_of(row["conditions"])),
                "origin": "backfill" if live_at is None else "live",
                "known_at": live_at,
                "code_version": versions.code,
                "parameters_digest": versions.parameters[decision.key.strategy],
                "calendar_version": calendar.version,
                "events_digest": versions.events[decision.key],
                "inputs_digest": inputs_digest(decision, read),
            }
        )
    frame = typed(pd.DataFrame(made, columns=list(SIGNAL_DTYPES)), SIGNAL_DTYPES)
    return frame.assign(**{name: kept(frame[name].to_numpy()) for name in ("risk_reward", "rank_score", "composite_score")})


def terms_at(terms: Sequence[Terms], at: datetime) -> Terms:
    """The terms in force at an instant; `terms` ascend and the first holds from before it."""
    return next(one for one in reversed(terms) if one.since <= at)


def reasons_of(conditions: str) -> list[str]:
    """The most telling conditions that were met, at most three, in words; `conditions` are the JSON text that is stored.

    The trigger is the last required condition. After it come the optional ones by points, then the other required ones.
    """
    told = json.loads(conditions)
    met = [(position, one) for position, one in enumerate(told) if one["passed"]]
    trigger = max((position for position, one in enumerate(told) if one["required"]), default=-1)

    def weight(item: tuple[int, Row]) -> tuple[int, int, int]:
        position, one = item
        if position == trigger:
            return 0, 0, position
        if one["required"]:
            return 2, 0, position
        return (1 if one["points"] else 3), -one["points"], position

    return [_in_words(one) for _, one in sorted(met, key=weight)[:REASONS]]


def inputs_digest(decision: Decision, read: Row) -> str:
    """SHA-256 of the canonical JSON of what a decision read: `read` and its standing."""
    content = {**read, "standing": decision.standing}
    text = json.dumps(_plain(content), separators=(",", ":"), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _rows_of(accepted: Sequence[Decision], setups: pd.DataFrame) -> pd.DataFrame:
    """The setup of each decision, in their order."""
    columns = setups[[*SETUP_DTYPES, "conditions"]]
    at = {key: position for position, key in enumerate(keys_of(columns))}
    missing = [decision.key for decision in accepted if decision.key not in at]
    if missing:
        raise DataError(f"there is no setup of {missing[0]}", done="no signal was made", fix="pass the setups of all decisions")
    return columns.iloc[[at[decision.key] for decision in accepted]]


def _decided(decision: Decision) -> Row:
    """What the gate said, as columns."""
    key, standing, size = decision.key, decision.standing, decision.size
    if standing is None:
        raise DataError(f"{key} was accepted without a standing", done="no signal was made")
    return {
        "strategy": key.strategy,
        "timeframe": key.timeframe,
        "direction": key.direction.value,
        "timestamp": key.timestamp,
        "evidence": standing.evidence.value,
        "rank": decision.rank,
        "rank_score": standing.rank_score,
        "size_ounces": size.ounces * HUNDREDTHS,
        "size_lots": int(size.lots * HUNDREDTHS),
        "risk_usd": int(size.risk_usd * HUNDREDTHS),
    }


def _in_words(condition: Row) -> str:
    name, unit = condition["name"].replace("_", " "), condition["unit"]
    if unit == "flag":
        return f"{name}: yes"
    measured, threshold = (_quantity(condition[field], unit) for field in ("measured", "threshold"))
    return f"{name}: {measured}, {_NEEDED[condition['comparison']]} {threshold} was needed"


def _quantity(value: float, unit: str) -> str:
    match unit:
        case "ticks":
            return f"{value / TICKS_PER_USD:.2f} USD/oz"
        case "share":
            return f"{value:.2f}"
        case _:
            return f"{value:g}"


def _plain(value: Any) -> Any:
    """A value as JSON knows it: instants in ISO form and UTC, decimals as text, NaN as null."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Decimal():
            # However the setting was written: 100000 and 100000.00 are one.
            return format(value.normalize(), "f")
        case float():
            return None if math.isnan(value) else value
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case None | str() | bool() | int():
            return value
        case _:
            return _plain(asdict(value))
