"""Verdicts and the first event of each signal as rows of their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pandas as pd

from goldsignal_pipeline.market.candles import TIMESTAMP_DTYPE
from goldsignal_pipeline.market.frames import typed
from goldsignal_pipeline.selection.gate import Decision
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.signal_rows import HUNDREDTHS
from goldsignal_pipeline.storage.binary_encoding import NO_VALUE

DECISION_DTYPES: Final[dict[str, str]] = {
    "strategy": "str",
    "timeframe": "str",
    "direction": "str",
    "timestamp": TIMESTAMP_DTYPE,
    "decided_for": TIMESTAMP_DTYPE,
    "known_at": TIMESTAMP_DTYPE,
    "is_accepted": "bool",
    "is_shadow": "bool",
    "reasons": "str",
    "evidence": "str",
    "rank": "int64",
    "rank_score": "float64",
    "size_ounces": "int64",
    "size_lots": "int64",
    "risk_usd": "int64",
    "origin": "str",
}
EVENT_DTYPES: Final[dict[str, str]] = {
    "strategy": "str",
    "timeframe": "str",
    "direction": "str",
    "timestamp": TIMESTAMP_DTYPE,
    "kind": "str",
    "at": TIMESTAMP_DTYPE,
    "known_at": TIMESTAMP_DTYPE,
    "origin": "str",
    "detail": "str",
}


def decision_rows(decisions: Sequence[Decision], *, known_at: Mapping[SetupKey, datetime]) -> pd.DataFrame:
    """A row for every verdict (`DECISION_DTYPES`); sizes and risk are hundredths."""
    rows = [_decision(one, known_at.get(one.key)) for one in decisions]
    return typed(pd.DataFrame(rows, columns=list(DECISION_DTYPES)), DECISION_DTYPES)


def published_events(signals: pd.DataFrame) -> pd.DataFrame:
    """The event that each signal (`signal_rows.SIGNAL_DTYPES`) was published (`EVENT_DTYPES`)."""
    events = signals.assign(kind="published", at=signals["confirmed_at"], detail="{}")
    return typed(events, EVENT_DTYPES)


def key_columns(key: SetupKey) -> dict[str, Any]:
    """A key as columns."""
    return {
        "strategy": key.strategy,
        "timeframe": key.timeframe,
        "direction": key.direction.value,
        "timestamp": key.timestamp,
    }


def _decision(decision: Decision, known_at: datetime | None) -> dict[str, Any]:
    standing, size = decision.standing, decision.size
    return key_columns(decision.key) | {
        "decided_for": decision.at,
        "known_at": known_at,
        "is_accepted": decision.is_accepted,
        "is_shadow": decision.is_shadow,
        "reasons": "\n".join(reason.value for reason in decision.reasons),
        "evidence": "" if standing is None else standing.evidence.value,
        "rank": NO_VALUE if decision.rank is None else decision.rank,
        "rank_score": float("nan") if standing is None else standing.rank_score,
        "size_ounces": size.ounces * HUNDREDTHS,
        "size_lots": int(size.lots * HUNDREDTHS),
        "risk_usd": int(size.risk_usd * HUNDREDTHS),
        "origin": "backfill" if known_at is None else "live",
    }
