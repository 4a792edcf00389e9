"""One valid row for every table, in an order that foreign keys allow."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

AT = datetime(2026, 3, 2, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRICES = {"open": Decimal("4000.10"), "high": Decimal("4001.00"), "low": Decimal("3999.99"), "close": Decimal("4000.50")}
SIGNAL = {"symbol": "XAUUSD", "timeframe": "H1", "strategy": "ema_momentum", "direction": "BUY", "timestamp": AT}
RESULT = {"symbol": "XAUUSD", "day": date(2026, 3, 2), "strategy": "ema_momentum", "timeframe": "H1", "window_days": 30}
METRICS = {"trades": 2, "wins": 1, "win_rate": Decimal("0.5"), "longest_losing_run": 1, "ambiguous": 0, "missed": 0}

SAMPLES: dict[str, dict[str, Any]] = {
    "raw_candles": {
        "symbol": "XAUUSD",
        "timestamp": AT,
        "timeframe": "M5",
        "source": "dukascopy:bid",
        "observed_at": AT + HOUR,
        **PRICES,
    },
    "candles": {
        "symbol": "XAUUSD",
        "timeframe": "M5",
        "timestamp": AT,
        **PRICES,
        "source": "dukascopy:bid",
        "base_timeframe": "M5",
        "base_bars": 1,
    },
    "quarantined_candles": {
        "symbol": "XAUUSD",
        "source": "dukascopy:bid",
        "timeframe": "M5",
        "timestamp": AT,
        "reason": "forming",
        "payload": "{}",
        "stage": "observation",
        "calendar_version": "1",
        "observed_at": AT,
    },
    "trading_day_parts": {
        "symbol": "XAUUSD",
        "trading_day": date(2026, 3, 2),
        "month": "2026-03",
        "source": "dukascopy:bid",
        "base_timeframe": "M5",
        "expected_bars": 276,
        "present_bars": 270,
        "missing_bars": 6,
        "sources": ["dukascopy:bid"],
        "compared_closes": 0,
    },
    "fetches": {
        "symbol": "XAUUSD",
        "source": "twelvedata:mid",
        "timeframe": "M5",
        "window_start": AT,
        "window_end": AT + HOUR,
        "asked_at": AT + HOUR,
        "rows": 12,
        "credits": 1,
    },
    "credit_uses": {"vendor": "twelvedata", "at": AT, "event": "use", "credits": 1},
    "partition_digests": {
        "asset": "candles",
        "symbol": "XAUUSD",
        "month": "2026-03",
        "rows": 1,
        "digest": "a",
        "inputs_digest": "b",
        "complete": True,
        "code_version": "1",
        "computed_at": AT,
    },
    "operator_events": {"at": AT, "kind": "run_failed", "severity": "error", "message": "m", "natural_key": "k"},
    "strategies": {
        "strategy": "ema_momentum",
        "timeframe": "H1",
        "version": "1",
        "parameters": {"fast": 21},
        "description": "d",
        "is_active": True,
        "changed_at": AT,
    },
    "backtest_results": {**RESULT, **METRICS, "trials": 4, "complete": True, "strategy_version": "1"},
    "signals": {
        **SIGNAL,
        "confirmed_at": AT + HOUR,
        "reference": Decimal("4000.00"),
        "stop": Decimal("3990.00"),
        "take_profit_1": Decimal("4015.00"),
        "take_profit_2": Decimal("4030.00"),
        "invalidation_price": Decimal("3990.00"),
        "planned_risk": Decimal("10.00"),
        "risk_reward": Decimal("1.5"),
        "confidence": 65,
        "conditions": {},
        "evidence": "unproven",
        "rank": 1,
        "size_ounces": Decimal("10.00"),
        "size_lots": Decimal("0.10"),
        "session": "overlap",
        "deadline": AT + 73 * HOUR,
        "reasons": ["because"],
        "status": "active",
        "origin": "live",
        "known_at": AT + HOUR,
        "code_version": "1",
        "strategy_version": "1",
        "parameters_digest": "p",
        "calendar_version": "1",
        "inputs_digest": "i",
    },
    "outcomes": {
        **SIGNAL,
        "result": "sl_hit",
        "entered_at": AT + HOUR,
        "resolved_at": AT + 2 * HOUR,
        "entry_quote": Decimal("4000.00"),
        "fill_price": Decimal("4000.40"),
        "net_r": Decimal("-1.05"),
        "bars_held": 12,
        "resolution": "M5",
        "ambiguous": False,
    },
    "strategy_performance": {**RESULT, **METRICS, "state": "healthy"},
}
