"""What is said of the system itself: health of strategies, the breaker, blocked data, errors, and the day.

The digest of a day always says why it was silent: what turned candidates away, and how near the misses were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from goldsignal_pipeline.alerts.messages import Message
from goldsignal_pipeline.alerts.texts import Reader, end_words, levels, listed, market

Row = Mapping[str, Any]

REASONS: Final = {
    "late": "decided after the entry bar had opened",
    "paused": "you paused it",
    "data_blocked": "too many bars were missing",
    "market_closing": "the market was about to close",
    "low_liquidity": "Asian session, which you avoid",
    "not_eligible": "the strategy's record is too short or harmful",
    "degraded": "the strategy is degraded",
    "risk_reward": "too little to gain for the risk",
    "confidence": "confidence below 60",
    "duplicate": "the same direction was taken less than 4 h before",
    "opposite_open": "a signal in the other direction was open",
    "max_open": "two signals were open",
    "daily_loss": "the loss limit of the day",
    "circuit_breaker": "the circuit breaker held",
    "news_blackout": "important news was near",
    "too_small": "the size would be below 0.02 lots",
    "stop_on_wrong_side": "the stop would lie on the wrong side",
    "risk_too_small": "planned risk below 1 ATR",
    "risk_too_large": "planned risk above 5 ATR",
}
_REASONS_SHOWN: Final = 4
_MISSES_SHOWN: Final = 3
_OPEN_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on a trading day: signals given, ends, what is open, what turned candidates away, near misses, gaps."""

    symbol: str
    day: date
    given: Sequence[Row] = ()
    ends: Sequence[Row] = ()
    open: Sequence[Row] = ()
    turned_away: Sequence[tuple[str, int]] = ()
    refused: Sequence[tuple[str, int]] = ()
    near_misses: Sequence[str] = ()
    missing: tuple[int, int] | None = None
    paused: bool = False
    errors: int = field(default=0, kw_only=True)


def digest_message(day: Day, *, message_id: str) -> Message:
    """The day in one message."""
    made = sum((Decimal(str(end["net_r"])) for end in day.ends if end.get("net_r") is not None), Decimal(0))
    given = f"{len(day.given)} signal{'' if len(day.given) == 1 else 's'}" if day.given else "no signal"
    head = f"{market(day.symbol)} {day.day:%a %d %b}: {given}, {len(day.ends)} ended ({made:+.2f} R), {len(day.open)} open"
    body = [f"Given: {one['strategy']} {one['direction']} {levels(one)}" for one in day.given[:_OPEN_SHOWN]]
    body += [f"Ended: {one['strategy']} {one['direction']}, {end_words(one)}" for one in day.ends[:_OPEN_SHOWN]]
    body += [f"Open: {one['strategy']} {one['direction']} {levels(one)}" for one in day.open[:_OPEN_SHOWN]]
    body += silence_lines(day)
    if day.missing is not None:
        body.append(f"Data: {day.missing[0]} of {day.missing[1]} expected bars were missing")
    if day.errors:
        body.append(f"{day.errors} error{'' if day.errors == 1 else 's'} of the system; `goldsignal status` names them")
    return Message(head, tuple(body), f"Digest of {day.day.isoformat()}, message {message_id}")


def silence_lines(day: Day) -> list[str]:
    """Why there was not more: rules, refusals and near misses, or that nothing came near."""
    lines = []
    if day.paused:
        lines.append("You paused signals: `goldsignal resume` ends it.")
    if day.turned_away:
        told = [f"{REASONS.get(reason, reason)} ({count})" for reason, count in day.turned_away]
        lines.append(f"Turned away by the gate: {listed(told, most=_REASONS_SHOWN)}")
    if day.refused:
        told = [f"{REASONS.get(reason, reason)} ({count})" for reason, count in day.refused]
        lines.append(f"No setup because: {listed(told, most=_REASONS_SHOWN)}")
    if day.near_misses:
        lines.append(f"Nearest misses: {listed(list(day.near_misses), most=_MISSES_SHOWN)}")
    if not lines and not day.given:
        lines.append("Why it was silent: no strategy found a setup, and none came near one.")
    return lines


def event_message(event: Row, *, message_id: str, reader: Reader) -> Message:
    """An event for the operator: a failed run, a change of health, the breaker."""
    body = [*str(event["cause"] or "").splitlines(), f"At {reader.time(event['at'])}; more: `goldsignal status`"]
    marks = {"error": "ERROR: ", "warning": "Attention: ", "info": ""}
    return Message(f"{marks[event['severity']]}{event['message']}", tuple(body), f"{event['kind']}, message {message_id}")


def blocked_message(day: Row, *, symbol: str, message_id: str) -> Message:
    """A trading day on which no signal is given, because too many of its bars are missing."""
    return Message(
        f"Attention: {market(symbol)} gives no signals on {day['trading_day']:%a %d %b}, "
        f"{day['missing_bars']} of {day['expected_bars']} bars are missing",
        ("Outcomes of open signals are followed all the same. `goldsignal gaps` shows what is missing and why.",),
        f"data_blocked, message {message_id}",
    )
