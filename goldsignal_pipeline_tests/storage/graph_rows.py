"""Frames of made-up rows of the graph for the storage tests; valid for the database, and different from row to row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from goldsignal_pipeline.simulation.closed_trades import TRADE_DTYPES, UNDEFINED
from goldsignal_pipeline.storage import strategies
from goldsignal_pipeline.storage.backtests import BACKTEST_RESULTS
from goldsignal_pipeline.storage.performance import STRATEGY_PERFORMANCE
from goldsignal_pipeline.storage.signals import GATE_DECISIONS, OUTCOMES, SIGNAL_EVENTS, SIGNALS
from goldsignal_pipeline.strategies.setups import CONDITION_DTYPES, SETUP_DTYPES
from goldsignal_pipeline_tests.storage import frames

SYMBOL = frames.SYMBOL
FIRST = "2026-01-05"
JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
STRATEGIES = ("breakout_expansion", "ema_momentum", "liquidity_sweep")
HOUR = pd.Timedelta(hours=1)


def register(connection: Connection) -> None:
    """The strategies that signals and results refer to."""
    rows = [strategies.RegistryRow(name, "H1", "1", {}, "made up") for name in STRATEGIES]
    strategies.update_registry(connection, rows, changed_at=JANUARY)


def key(count: int, start: str = FIRST) -> dict[str, object]:
    """A key for each of `count` rows, by time; directions alternate, strategies take turns."""
    numbers = np.arange(count)
    return {
        "strategy": np.array(STRATEGIES)[numbers % 3],
        "timeframe": "H1",
        "direction": np.where(numbers % 2, "SELL", "BUY"),
        "timestamp": frames.timestamps(start, count=count, minutes=60),
    }


def levels(count: int, *, seed: int = 5) -> pd.DataFrame:
    """Reference, stop and targets in ticks, on the right sides of each other."""
    random = np.random.default_rng(seed)
    side = np.where(np.arange(count) % 2, -1, 1)
    reference, risk = random.integers(150_000, 450_000, count), random.integers(100, 5_000, count)
    return pd.DataFrame(
        {
            "reference": reference,
            "stop": reference - side * risk,
            "take_profit_1": reference + side * (risk + risk // 2),
            "take_profit_2": reference + side * 3 * risk,
            "planned_risk": risk,
            "invalidation_price": reference - side * risk,
        }
    )


def setups(count: int, start: str = FIRST) -> pd.DataFrame:
    """Setups as `SETUP_DTYPES` has them: of every three the second is refused and the third a near miss."""
    random = np.random.default_rng(6)
    frame = pd.DataFrame(key(count, start)).join(levels(count))
    kind = np.array(["setup", "refused", "near_miss"])[np.arange(count) % 3]
    frame.loc[kind != "setup", ["stop", "take_profit_1", "take_profit_2", "planned_risk"]] = 0
    return frame.assign(
        confirmed_at=frame["timestamp"] + HOUR,
        kind=kind,
        refusal=np.where(kind == "refused", "risk_too_large", ""),
        confidence=50 + random.integers(0, 51, count),
        session=np.array(["overlap", "none"])[np.arange(count) % 2],
        atr=random.normal(500, 90, count),
        atr_h1=random.normal(500, 90, count),
        median_atr_h1=np.where(np.arange(count) % 4, random.normal(500, 90, count), np.nan),
        volatility_percentile=100 * random.random(count),
        regime=np.array(["low", "", "high"])[np.arange(count) % 3],
        strategy_version="1",
    ).astype(SETUP_DTYPES)[list(SETUP_DTYPES)]


def conditions(of: pd.DataFrame, *, each: int = 3) -> pd.DataFrame:
    """`each` conditions for every setup."""
    random, rows = np.random.default_rng(7), len(of) * each
    position = np.tile(np.arange(each), len(of))
    columns = {name: of[name].array.repeat(each) for name in ("strategy", "timeframe", "direction", "timestamp")}
    return pd.DataFrame(
        {
            **columns,
            "position": position,
            "name": np.array([f"condition {number} of 100 %s" for number in range(each)])[position],
            "required": position < 2,
            "points": 5 * position,
            "measured": np.where(random.random(rows) < 0.2, np.nan, random.normal(0, 300, rows)),
            "comparison": np.array([">", ">=", "<="])[position % 3],
            "threshold": random.normal(0, 300, rows),
            "unit": "ticks",
            "passed": random.random(rows) < 0.5,
        }
    ).astype(CONDITION_DTYPES)[list(CONDITION_DTYPES)]


def trades(count: int, start: str = FIRST) -> pd.DataFrame:
    """Closed trades as `TRADE_DTYPES` has them, every third one missed, with the version of their strategy."""
    random = np.random.default_rng(8)
    frame = pd.DataFrame(key(count, start))
    missed = np.arange(count) % 3 == 2
    quote, risk = random.integers(150_000, 450_000, count), random.integers(100, 5_000, count)
    gross, cost, swap = random.integers(-(10**6), 10**6, count), random.integers(0, 9_000, count), random.integers(0, 500, count)
    money = {"gross": gross, "swap": swap, "cost": cost, "net": gross - cost, "worst": gross - cost - 7, "best": gross - cost}
    confirmed, nothing = frame["timestamp"] + HOUR, pd.Series(pd.NaT, index=frame.index, dtype=frame["timestamp"].dtype)
    ratios = {f"{name}_r": np.rint(1e4 * money[name] / (100 * risk)) / 1e4 for name in ("gross", "cost", "net", "worst", "best")}
    exits = {
        f"{leg}_{what}": np.where(missed, empty, value) if isinstance(empty, str | int) else nothing.where(missed, value)
        for leg, at in (("first", 2 * HOUR), ("second", 3 * HOUR))
        for what, value, empty in (
            ("exit", "stop", ""),
            ("exit_at", confirmed + at, None),
            ("fill", quote - 40, 0),
        )
    }
    return (
        frame.assign(
            confirmed_at=confirmed,
            result=np.where(missed, "missed", "sl_hit"),
            missed_because=np.where(missed, "too_far", ""),
            entry_at=confirmed + pd.Timedelta(minutes=5),
            entry_known_at=confirmed + pd.Timedelta(minutes=10),
            deadline=confirmed + 72 * HOUR,
            resolved_at=confirmed + 3 * HOUR,
            entry_quote=quote,
            entry_fill=quote + 40,
            risk=risk,
            favourable=np.where(missed, 0, random.integers(0, 900, count)),
            adverse=np.where(missed, 0, risk),
            counterfactual_net=np.where(missed, gross, UNDEFINED),
            counterfactual_r=np.where(missed, np.rint(1e4 * gross / (100 * risk)) / 1e4, np.nan),
            bars_held=np.where(missed, 0, 35),
            hold_minutes=np.where(missed, 0, 175),
            resolution_minutes=5,
            coarse_entry=np.arange(count) % 5 == 0,
            ambiguous=~missed & (np.arange(count) % 2 == 0),
            **exits,
            **{name: np.where(missed, UNDEFINED, value) for name, value in money.items()},
            **{name: np.where(missed, np.nan, value) for name, value in ratios.items()},
        )
        .astype(TRADE_DTYPES)[list(TRADE_DTYPES)]
        .assign(strategy_version="1")
    )


def decisions(count: int, start: str = FIRST) -> pd.DataFrame:
    """Verdicts of a backfill: accepted, turned away for one reason or for two, and shadows."""
    frame = pd.DataFrame(key(count, start))
    reasons = np.array(["", "confidence", "degraded", "not_eligible\nmax_open"])[np.arange(count) % 4]
    none = reasons == "not_eligible\nmax_open"
    return frame.assign(
        decided_for=frame["timestamp"] + HOUR,
        known_at=pd.Series(pd.NaT, index=frame.index, dtype=frame["timestamp"].dtype),
        is_accepted=reasons == "",
        is_shadow=reasons == "degraded",
        reasons=reasons,
        evidence=np.where(none, "", "unproven"),
        rank=np.where(none, UNDEFINED, 1 + np.arange(count) % 4),
        rank_score=np.where(none, np.nan, np.arange(count) / 10_000),
        size_ounces=1_000 + 100 * np.arange(count),
        size_lots=10 + np.arange(count),
        risk_usd=9_999 + np.arange(count),
        origin="backfill",
    )[_compared(GATE_DECISIONS.columns)]


def signals(count: int, start: str = FIRST, *, origin: str = "backfill") -> pd.DataFrame:
    """Signals of one origin."""
    frame = pd.DataFrame(key(count, start)).join(levels(count))
    confirmed = frame["timestamp"] + HOUR
    nothing = pd.Series(pd.NaT, index=frame.index, dtype=frame["timestamp"].dtype)
    return frame.assign(
        confirmed_at=confirmed,
        risk_reward=1.5,
        confidence=60,
        conditions='[{"name":"a","measured":1.5}]',
        evidence="unproven",
        rank=1,
        rank_score=np.where(np.arange(count) % 2, np.nan, 0.0123),
        composite_score=0.5,
        size_ounces=1_000,
        size_lots=10,
        risk_usd=10_000 + np.arange(count),
        session="overlap",
        regime="low",
        deadline=confirmed + 72 * HOUR,
        reasons="H4 agrees\nthe body is strong",
        origin=origin,
        known_at=confirmed + pd.Timedelta(minutes=3) if origin == "live" else nothing,
        code_version="1",
        strategy_version="1",
        parameters_digest="p",
        calendar_version="c",
        events_digest="e",
        inputs_digest="i",
    )[_compared(SIGNALS.columns)]


def events(of: pd.DataFrame, *, kind: str = "published", hours: int = 0, detail: str = "{}") -> pd.DataFrame:
    """One event for each signal, so many hours after it was confirmed."""
    at = of["confirmed_at"] + hours * HOUR
    known_at = at.where(of["origin"] == "live", pd.Series(pd.NaT, index=of.index, dtype=at.dtype))
    frame = of.assign(kind=kind, at=at, known_at=known_at, detail=detail)
    return frame[_compared(SIGNAL_EVENTS.columns)]


def outcomes(of: pd.DataFrame) -> pd.DataFrame:
    """An outcome for each signal, every second one missed."""
    missed = np.arange(len(of)) % 2 == 1
    nothing = pd.Series(pd.NaT, index=of.index, dtype=of["confirmed_at"].dtype)
    prices = ("entry_quote", "fill_price", "first_exit_price", "second_exit_price")
    ratios = ("gross_r", "cost_r", "net_r", "favourable_r", "adverse_r", "worst_r", "best_r")
    return of.assign(
        result=np.where(missed, "missed", "tp2_hit"),
        entered_at=nothing.where(missed, of["confirmed_at"] + pd.Timedelta(minutes=5)),
        resolved_at=of["confirmed_at"] + 9 * HOUR,
        first_exit_at=nothing.where(missed, of["confirmed_at"] + 8 * HOUR),
        counterfactual_r=np.where(missed, 0.25, np.nan),
        bars_held=np.where(missed, 0, 100),
        resolution="M5",
        ambiguous=False,
        **{name: np.where(missed, 0, of["reference"]) for name in prices},
        **{name: np.where(missed, UNDEFINED, 12_345) for name in ("gross_usd", "cost_usd", "net_usd")},
        **{name: np.where(missed, np.nan, 1.0001) for name in ratios},
    )[_compared(OUTCOMES.columns)]


def results(days: int, start: str = FIRST) -> pd.DataFrame:
    """Tested results of one strategy for so many days, all windows."""
    return _daily(days, start, windows=(30, 60, 180, 365)).assign(
        interval_low=np.nan,
        interval_high=0.5,
        p_value=0.001,
        trials=4,
        walk_forward_efficiency=np.nan,
        complete=True,
        strategy_version="1",
    )[_compared(BACKTEST_RESULTS.columns)]


def performance(days: int, start: str = FIRST) -> pd.DataFrame:
    """Performance of one strategy for so many days, all windows."""
    frame = _daily(days, start, windows=(7, 30, 90))
    return frame.assign(
        baseline_expectancy=0.0312,
        state="watch",
        state_since=pd.Series(frames.timestamps(start, count=1)[0], index=frame.index),
    )[_compared(STRATEGY_PERFORMANCE.columns)]


def _daily(days: int, start: str, *, windows: tuple[int, ...]) -> pd.DataFrame:
    random, rows = np.random.default_rng(9), days * len(windows)
    metrics = [name for name, kind in BACKTEST_RESULTS.columns.items() if kind.name == "METRIC"]
    return pd.DataFrame(
        {
            "strategy": "ema_momentum",
            "timeframe": "H1",
            "day": np.repeat(np.datetime64(start, "D") + np.arange(days), len(windows)),
            "window_days": np.tile(windows, days),
            "trades": random.integers(10, 99, rows),
            "wins": random.integers(0, 10, rows),
            **{name: np.rint(1e4 * random.normal(0, 2, rows)) / 1e4 for name in metrics},
            "longest_losing_run": 3,
            "ambiguous": 1,
            "missed": 0,
        }
    )


def _compared(columns: Mapping[str, object]) -> list[str]:
    return [name for name in columns if name not in ("symbol", "run_id")]
