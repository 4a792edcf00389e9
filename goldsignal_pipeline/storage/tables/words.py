"""Words that columns may hold, the key of a setup and what follows from it, and constraints that several tables share.

The words are those of the core's enumerations; they are written out because importing them would load the compiled kernel, and
a test holds them to it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, ForeignKeyConstraint

DIRECTIONS: Final = ("BUY", "SELL")
ORIGINS: Final = ("live", "backfill")
EVIDENCE: Final = ("harmful", "unproven", "proven")
REGIMES: Final = ("low", "medium", "high")
RESULTS: Final = ("tp2_hit", "tp1_hit", "sl_hit", "expired", "missed")
STATES: Final = ("healthy", "watch", "degraded", "probation")
SETUP_KINDS: Final = ("setup", "refused", "near_miss")
REFUSALS: Final = ("stop_on_wrong_side", "risk_too_small", "risk_too_large")
MISSES: Final = ("beyond_stop", "beyond_target", "too_far")
EXITS: Final = ("target_one", "target_two", "stop", "breakeven", "expiry")
GATE_REASONS: Final = (
    "late",
    "paused",
    "data_blocked",
    "market_closing",
    "low_liquidity",
    "not_eligible",
    "degraded",
    "risk_reward",
    "confidence",
    "duplicate",
    "opposite_open",
    "max_open",
    "daily_loss",
    "circuit_breaker",
    "news_blackout",
    "too_small",
)
SIGNAL_EVENT_KINDS: Final = ("published", "filled", "tp1_reached", "closed", "corrected")
GATE_EVENT_KINDS: Final = ("live_since", "decided", "pause", "resume", "enable", "disable", "settings", "news")
RESULT_WINDOWS_DAYS: Final = (30, 60, 180, 365)
PERFORMANCE_WINDOWS_DAYS: Final = (7, 30, 90)

SIGNAL_KEY: Final = ("symbol", "timeframe", "strategy", "direction", "timestamp")
"""Natural key of a setup and of everything that follows from it; `timestamp` is the open of the confirming bar."""


def strategy_reference() -> ForeignKeyConstraint:
    """The row belongs to a strategy and timeframe that are known."""
    return ForeignKeyConstraint(("strategy", "timeframe"), ("goldsignal.strategies.strategy", "goldsignal.strategies.timeframe"))


def signal_reference() -> ForeignKeyConstraint:
    """The row belongs to a signal, and goes with it."""
    return ForeignKeyConstraint(SIGNAL_KEY, tuple(f"goldsignal.signals.{name}" for name in SIGNAL_KEY), ondelete="CASCADE")


def days_in(windows: tuple[int, ...]) -> CheckConstraint:
    """The window is one of those that are computed."""
    return CheckConstraint(f"window_days IN ({', '.join(map(str, windows))})", name="window_days")


def levels() -> CheckConstraint:
    """Stop, reference, first and second target follow one another in the direction of the trade."""
    return CheckConstraint(
        "stop > 0 AND CASE direction WHEN 'BUY' "
        "THEN stop < reference AND reference < take_profit_1 AND take_profit_1 <= take_profit_2 "
        "ELSE stop > reference AND reference > take_profit_1 AND take_profit_1 >= take_profit_2 AND take_profit_2 > 0 END",
        name="levels",
    )


def planned_risk() -> CheckConstraint:
    """Planned R is the distance of reference and stop."""
    return CheckConstraint("planned_risk = abs(reference - stop)", name="planned_risk")


def quoted(words: tuple[str, ...]) -> str:
    """Words as literals of SQL, separated by commas."""
    return ", ".join(f"'{word}'" for word in words)
