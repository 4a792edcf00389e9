"""Readings: what each rule of the gate measured for a setup, what it needed, and so what would have had to differ.

The verdict of a rule is that of the gate itself (`gate.RULES`); a reading only says it in words and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

import numpy as np

from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.selection.evidence import FEWEST_TRADES
from goldsignal_pipeline.selection.gate import RULES, Case, GateReason
from goldsignal_pipeline.selection.gate_state import MICRO_USD
from goldsignal_pipeline.selection.risk import MINIMUM_OUNCES


@dataclass(frozen=True, slots=True)
class Reading:
    """One rule on one setup: whether it let it pass, what it measured, and what it needed."""

    reason: GateReason
    passed: bool
    measured: str
    needed: str


def readings(case: Case) -> tuple[Reading, ...]:
    """Every rule in its order."""
    return tuple(Reading(reason, not fails(case), *_WORDS[reason](case)) for reason, fails in RULES)


def _late(case: Case) -> tuple[str, str]:
    decided = case.setup.decided_at
    told = "not decided live" if decided is None else f"decided {_clock(decided)}"
    return told, f"at or before the entry bar opens, {_clock(case.setup.entry_open)}"


def _paused(case: Case) -> tuple[str, str]:
    names = sorted(name or "everything" for name in case.state.paused)
    return f"paused: {', '.join(names) or 'nothing'}", f"neither everything nor {case.setup.key.strategy} paused"


def _data_blocked(case: Case) -> tuple[str, str]:
    days = ", ".join(str(day) for day in sorted(case.state.blocked_days)) or "none"
    return f"blocked trading days: {days}", "at most 2 % of the day's bars missing so far"


def _market_closing(case: Case) -> tuple[str, str]:
    minutes = case.setup.minutes_to_closing
    told = (
        "no unusual close ahead"
        if minutes > _FAR_MINUTES
        else f"{minutes} minutes of market time to Friday noon or an unusual close"
    )
    return told, f"at least {case.policy.closing_minutes} minutes"


def _low_liquidity(case: Case) -> tuple[str, str]:
    needed = "outside Asia" if case.policy.avoids_asia else "any session (Asia is not avoided)"
    return "in the Asian session" if case.setup.is_asia else "not in the Asian session", needed


def _not_eligible(case: Case) -> tuple[str, str]:
    needed = f"tested results of the day, {FEWEST_TRADES} closed trades in 365 days, evidence not harmful and as the terms ask"
    if case.standing is None:
        return "no standing", needed
    return f"evidence {case.standing.evidence}, {'eligible' if case.standing.is_eligible else 'not eligible'}", needed


def _degraded(case: Case) -> tuple[str, str]:
    told = "degraded" if case.standing is not None and case.standing.is_degraded else "not degraded"
    return told, "strategy not degraded at the end of the day before"


def _risk_reward(case: Case) -> tuple[str, str]:
    reward = abs(case.setup.take_profit_1 - case.setup.reference)
    return f"TP1 at {_ratio(reward, case.setup.planned_risk_ticks)} planned R", "1.50 planned R"


def _confidence(case: Case) -> tuple[str, str]:
    return f"confidence {case.setup.confidence}", f"{case.policy.minimum_confidence} or more"


def _duplicate(case: Case) -> tuple[str, str]:
    last = case.state.last_accepted.get(case.setup.key.direction)
    needed = f"{case.policy.duplicate_minutes} minutes of market time since the last one"
    if last is None:
        return f"no earlier {case.setup.key.direction} signal", needed
    minutes = case.calendar.open_minutes_between(np.array([to_instant(last)]), np.array([to_instant(case.setup.at)]))[0]
    return f"{minutes} minutes since the {case.setup.key.direction} of {_clock(last)}", needed


def _opposite_open(case: Case) -> tuple[str, str]:
    against = [one.key for one in case.state.open_signals if one.key.direction is not case.setup.key.direction]
    names = ", ".join(f"{key.strategy} {key.direction} of {_clock(key.timestamp)}" for key in against)
    return f"open the other way: {names or 'none'}", "none"


def _max_open(case: Case) -> tuple[str, str]:
    return f"{len(case.state.open_signals)} open signals", f"fewer than {case.policy.maximum_open}"


def _daily_loss(case: Case) -> tuple[str, str]:
    today = case.calendar.trading_day(np.array([to_instant(case.setup.at)]))[0].item()
    realised = case.state.realised_micro_usd if case.state.realised_day == today else 0
    at_risk = sum(one.risk_micro_usd for one in case.state.open_signals)
    limit = case.policy.daily_loss_share * case.policy.account_usd
    told = f"{_usd(realised)} realised today, {_usd(at_risk)} at risk, {case.size.risk_usd:.2f} USD its own"
    return told, f"realised less both not below -{limit:.2f} USD"


def _circuit_breaker(case: Case) -> tuple[str, str]:
    breaker = case.state.breaker
    if breaker.holds_until is not None:
        return f"holds until {_clock(breaker.holds_until)}", "not holding"
    fallen = Decimal(breaker.peak_micro_r - breaker.total_micro_r) / 1_000_000
    return f"{breaker.losses_in_a_row} losses in a row, {fallen:.2f} R below the peak", "not holding"


def _news_blackout(case: Case) -> tuple[str, str]:
    near = sorted(case.state.news, key=lambda event: abs(event - case.setup.at))
    told = f"nearest known event {_clock(near[0])}" if near else "no event known"
    return told, f"no event within {case.policy.news_minutes} minutes"


def _too_small(case: Case) -> tuple[str, str]:
    return f"{case.size.ounces} ounces ({case.size.lots} lots)", f"{MINIMUM_OUNCES} ounces, so that half can be closed"


_FAR_MINUTES: Final = 10 * 24 * 60
_WORDS: Final[Mapping[GateReason, Callable[[Case], tuple[str, str]]]] = {
    GateReason.LATE: _late,
    GateReason.PAUSED: _paused,
    GateReason.DATA_BLOCKED: _data_blocked,
    GateReason.MARKET_CLOSING: _market_closing,
    GateReason.LOW_LIQUIDITY: _low_liquidity,
    GateReason.NOT_ELIGIBLE: _not_eligible,
    GateReason.DEGRADED: _degraded,
    GateReason.RISK_REWARD: _risk_reward,
    GateReason.CONFIDENCE: _confidence,
    GateReason.DUPLICATE: _duplicate,
    GateReason.OPPOSITE_OPEN: _opposite_open,
    GateReason.MAX_OPEN: _max_open,
    GateReason.DAILY_LOSS: _daily_loss,
    GateReason.CIRCUIT_BREAKER: _circuit_breaker,
    GateReason.NEWS_BLACKOUT: _news_blackout,
    GateReason.TOO_SMALL: _too_small,
}


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _ratio(part: int, whole: int) -> str:
    # Cut, not rounded: 1.499 must not read as the 1.50 that it failed.
    hundredths = part * 100 // whole
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _usd(micro_usd: int) -> str:
    return f"{Decimal(micro_usd) / MICRO_USD:.2f} USD"
