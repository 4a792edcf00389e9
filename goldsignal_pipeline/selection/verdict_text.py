"""A verdict of a live run as text, so that every later fold can take it as given.

`verdict_text` is canonical and `parse_verdict` gives the verdict back bit for bit: the setup as it was then, when it was decided,
every rule that failed, the size and what was known of the strategy.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.evidence import Evidence
from goldsignal_pipeline.selection.gate import Decision, GateReason
from goldsignal_pipeline.selection.gate_inputs import Setup, SetupKey, Standing
from goldsignal_pipeline.selection.month_fold import Given
from goldsignal_pipeline.selection.risk import Size


def verdict_text(given: Given) -> str:
    """The canonical text of a verdict."""
    decision = given.decision
    content = {
        "setup": _plain(given.setup),
        "reasons": [reason.value for reason in decision.reasons],
        "size": [decision.size.ounces, str(decision.size.lots), str(decision.size.risk_usd)],
        "standing": None if decision.standing is None else _plain(decision.standing),
        "rank": decision.rank,
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def parse_verdict(text: str) -> Given:
    """The verdict of a text."""
    content = json.loads(text)
    setup = _setup(content["setup"])
    ounces, lots, risk_usd = content["size"]
    standing = None if content["standing"] is None else _standing(content["standing"])
    return Given(
        setup=setup,
        decision=Decision(
            key=setup.key,
            at=setup.at,
            reasons=tuple(GateReason(reason) for reason in content["reasons"]),
            size=Size(ounces, Decimal(lots), Decimal(risk_usd)),
            standing=standing,
            rank=content["rank"],
        ),
    )


def _plain(one: Setup | Standing | SetupKey) -> dict[str, Any]:
    return {field.name: _value(getattr(one, field.name)) for field in fields(one)}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, SetupKey):
        return _plain(value)
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _setup(content: dict[str, Any]) -> Setup:
    key = content["key"]
    made = content | {
        "key": SetupKey(key["strategy"], key["timeframe"], Direction(key["direction"]), datetime.fromisoformat(key["timestamp"]))
    }
    made |= {name: datetime.fromisoformat(content[name]) for name in ("at", "entry_open", "decided_at") if content[name]}
    return Setup(**(made | {name: _number(content[name]) for name in ("atr", "median_atr")}))


def _standing(content: dict[str, Any]) -> Standing:
    at, evidence = datetime.fromisoformat(content["at"]), Evidence(content["evidence"])
    return Standing(**(content | {"at": at, "evidence": evidence, "rank_score": _number(content["rank_score"])}))


def _number(value: float | None) -> float:
    return math.nan if value is None else value
