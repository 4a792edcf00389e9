"""The compiled kernel and the slow obvious trade agree in every field, on generated and on recorded markets.

20,000 generated trades by default, 120,000 with PROVE=1 (`make prove`).
"""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.kernel import NOT_YET, Exit, Miss, Result
from goldsignal_pipeline.simulation.trades import Candidates, resolve
from goldsignal_pipeline_tests.simulation.markets import (
    CALENDAR,
    dollars,
    random_candidates,
    recorded_m5,
    reference_market,
    rough_bars,
)
from goldsignal_pipeline_tests.simulation.reference import ReferenceMarket, ReferenceTrade

PROVE = os.environ.get("PROVE") == "1"
MARKETS = [
    (Timeframe.M1, Side.BID),
    (Timeframe.M5, Side.BID),
    (Timeframe.M5, Side.ASK),
    (Timeframe.M5, Side.MID),
    (Timeframe.M15, Side.BID),
    (Timeframe.M15, Side.MID),
    (Timeframe.H1, Side.BID),
    (Timeframe.H1, Side.ASK),
]
PER_MARKET = 15_000 if PROVE else 2_500
RECORDED = 10_000 if PROVE else 1_000


def slow(market: ReferenceMarket, candidates: Candidates, position: int) -> ReferenceTrade:
    levels = ("reference", "stop", "target_one", "target_two")
    reference, stop, tp1, tp2 = (dollars(getattr(candidates, name)[position]) for name in levels)
    return market.trade(
        buy=bool(candidates.direction[position] == 1), reference=reference, stop=stop, tp1=tp1, tp2=tp2,
        confirmed_at=candidates.confirmed_at[position].tolist(), hold_minutes=int(candidates.hold_minutes[position]),
    )  # fmt: skip


def instant(micros: int) -> datetime | None:
    return None if micros == NOT_YET else np.datetime64(int(micros), "us").tolist()


def expected_of(trade: ReferenceTrade) -> dict[str, Any]:
    found = {name: getattr(trade, name) for name in ("result", "missed_because", "entry_at", "deadline", "resolved_at", "exits")}
    if trade.entry_at is not None:
        found |= {name: getattr(trade, name) for name in ("quote", "entry_fill", "risk", "favourable", "adverse")}
    if trade.resolved_at is not None:
        found |= {name: getattr(trade, name) for name in ("gross", "swap", "net", "worst", "best", "ambiguous")}
        found["cost"] = trade.gross - trade.net
    return found


def found_of(trade: np.void, bars: BaseBars) -> dict[str, Any]:
    found: dict[str, Any] = {
        "result": Result(trade["result"]).name.lower(),
        "missed_because": Miss(trade["miss"]).name.lower().replace("none", ""),
        "entry_at": bars.opens[trade["entry_bar"]].tolist() if trade["entry_bar"] >= 0 else None,
        "deadline": instant(trade["deadline"]),
        "resolved_at": instant(trade["resolved_at"]),
        "exits": [
            (Exit(trade[f"{leg}_exit"]).name.lower(), bars.closes[trade[f"{leg}_bar"]].tolist(), dollars(trade[f"{leg}_fill"]))
            for leg in ("first", "second")
            if trade[f"{leg}_exit"]
        ],
    }
    if trade["entry_bar"] >= 0:
        found |= {name: dollars(trade[name]) for name in ("quote", "entry_fill", "risk", "favourable", "adverse")}
    if trade["resolved_at"] != NOT_YET:
        money = ("gross", "swap", "net", "worst", "best", "cost")
        found |= {name: Decimal(int(trade[name])).scaleb(-4) for name in money} | {"ambiguous": bool(trade["ambiguous"])}
    return found


def agree(bars: BaseBars, candidates: Candidates, *, side: Side) -> list[ReferenceTrade]:
    market = reference_market(bars, side=side)
    trades = resolve(candidates, bars, calendar=CALENDAR)
    expected = [slow(market, candidates, position) for position in range(len(candidates))]
    for position, trade in enumerate(expected):
        assert found_of(trades[position], bars) == expected_of(trade), f"candidate {position}"
    return expected


@pytest.mark.parametrize("number", range(len(MARKETS)), ids=[f"{timeframe}-{side}" for timeframe, side in MARKETS])
def test_the_kernel_agrees_with_the_slow_trade_on_generated_markets(number: int) -> None:
    timeframe, side = MARKETS[number]
    bars = rough_bars(timeframe, seed=number, side=side)
    expected = agree(bars, random_candidates(bars, seed=100 + number, count=PER_MARKET), side=side)
    assert {trade.result for trade in expected} >= {"tp2_hit", "tp1_hit", "sl_hit", "expired", "missed", "open"}
    assert {trade.missed_because for trade in expected} >= {"beyond_stop", "beyond_target", "too_far"}
    assert sum(trade.ambiguous for trade in expected) > PER_MARKET / 100
    assert any(trade.swap for trade in expected)


@pytest.mark.recorded
def test_the_kernel_agrees_with_the_slow_trade_on_the_recorded_m5_of_2025(shared_data: Path) -> None:
    bars = recorded_m5(shared_data)
    assert len(bars) > 57_000
    agree(bars, random_candidates(bars, seed=7, count=RECORDED), side=Side.BID)
    agree(bars, random_candidates(bars, seed=8, count=RECORDED // 10, tight=False), side=Side.BID)


def test_bars_of_several_lengths_are_one_record() -> None:
    """Each trading day has its own finest timeframe; an H1 day is entered at its first open, an M5 day after the grace."""
    cut, end = np.datetime64("2024-11-05T22:00"), np.datetime64("2024-11-20T22:00")
    fine, coarse = rough_bars(Timeframe.M5, seed=3), rough_bars(Timeframe.H1, seed=4)
    parts = [_between(fine, None, cut), _between(coarse, cut, end), _between(fine, end, None)]
    bars = BaseBars.joined(parts)
    candidates = random_candidates(bars, seed=5, count=2_000)
    agree(bars, candidates, side=Side.BID)
    trades = resolve(candidates, bars, calendar=CALENDAR)
    assert set(trades["resolution_minutes"].tolist()) == {0, 5, 60}
    entered = trades["entry_bar"] >= 0
    assert (trades["coarse_entry"][entered] == (bars.minutes[trades["entry_bar"][entered]] == 60)).all()


def _between(bars: BaseBars, start: np.datetime64 | None, end: np.datetime64 | None) -> BaseBars:
    first = 0 if start is None else int(np.searchsorted(bars.opens, start))
    last = len(bars) if end is None else int(np.searchsorted(bars.opens, end))
    arrays = [getattr(bars, name)[first:last] for name in BaseBars.__slots__ if name != "known_until"]
    return BaseBars(*arrays, known_until=arrays[1][-1])
