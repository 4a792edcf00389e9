"""The same entries and exits give the same fills and P&L as backtesting.py and vectorbt, wherever the models coincide.

What the models do differently is named as an event of a trade; a trade without one must be the same, and the difference of one
with an event must be what the peer's rule says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.settings import PROJECT_ROOT
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.kernel import Exit
from goldsignal_pipeline_tests.peers.records import generated, without_spread
from goldsignal_pipeline_tests.simulation.markets import CALENDAR, random_candidates, random_walk

pytestmark = pytest.mark.peers

MARKETS = [(3, False, Side.BID), (4, True, Side.MID)]


@dataclass(frozen=True)
class Case:
    """What a peer accepts, the kernel's trades of it, and the events that they saw."""

    trades: Any
    resolved: Any
    seen: Any
    bars: BaseBars


def case_for(peer, candidates, bars):
    from benchmarks.peers.differences import events
    from benchmarks.peers.given import given

    trades, resolved = given(candidates, bars, calendar=CALENDAR)
    accepted = peer.accepts(trades, bars)
    trades, resolved = trades.take(accepted), resolved[accepted]
    return Case(trades, resolved, events(trades, resolved, bars), bars)


@pytest.mark.parametrize(("seed", "tight", "side"), MARKETS)
def test_backtesting_fills_every_trade_alike_but_for_gaps_over_a_target_and_expiries(seed, tight, side):
    from benchmarks.peers import backtesting_trades
    from benchmarks.peers.differences import filled_otherwise
    from benchmarks.peers.given import ours

    candidates, bars = generated(seed=seed, tight=tight, side=side)
    bars = without_spread(bars)
    case = case_for(backtesting_trades, candidates, bars)
    peer, own = backtesting_trades.two_targets(case.trades, bars), ours(case.resolved)
    differs = filled_otherwise(own, peer)
    plain = ~(case.seen["expiry"] | case.seen["gap"]).to_numpy()
    assert plain.sum() > 100
    assert not differs[plain].any()
    assert (peer.gain(case.trades.direction) == own.gain(case.trades.direction))[plain].all()
    assert set(case.resolved["second_exit"][plain]) >= {Exit.TARGET_TWO, Exit.STOP, Exit.BREAKEVEN}
    expired = (case.seen["expiry"] & ~case.seen["gap"]).to_numpy()
    assert differs[expired].any()
    assert np.array_equal(peer.second_price[expired], bars.open[case.trades.last[expired] + 1] / 100)
    assert_a_gap_is_filled_at_the_open_or_stopped(case, own, peer)


def assert_a_gap_is_filled_at_the_open_or_stopped(case, own, peer):
    """Beyond a target the peers take the better open; in a bar that comes back to the stop they see the stop first."""
    kinds = set()
    for number in np.flatnonzero((case.seen["gap"] & ~case.seen["entry_bar"] & ~case.seen["expiry"]).to_numpy()):
        direction = case.trades.direction[number]
        offset = -case.bars.bid_below if direction > 0 else case.bars.ask_above
        stops = (case.trades.stop[number] / 100, case.resolved["quote"][number] / 100)
        levels = {Exit.TARGET_ONE: case.trades.target_one[number] / 100, Exit.TARGET_TWO: case.trades.target_two[number] / 100}
        for leg in ("first", "second"):
            own_price = getattr(own, f"{leg}_price")[number]
            assert own_price == levels.get(
                Exit(case.resolved[f"{leg}_exit"][number]), own_price
            )  # a target at its level, never better
            bar, price = getattr(peer, f"{leg}_bar")[number], getattr(peer, f"{leg}_price")[number]
            if bar == getattr(own, f"{leg}_bar")[number] and abs(price - own_price) < 1e-6:
                continue
            opened = (case.bars.open[bar] + offset[bar]) / 100
            kinds.add("open" if abs(price - opened) < 1e-6 else "stop")
            assert min(abs(price - level) for level in (opened, *stops)) < 1e-6, number
    assert "open" in kinds


@pytest.mark.parametrize(("seed", "tight", "side"), MARKETS)
def test_vectorbt_fills_every_trade_alike_spread_included_but_for_gaps_over_a_target_and_the_bar_of_the_entry(seed, tight, side):
    from benchmarks.peers import vectorbt_trades
    from benchmarks.peers.differences import VECTORBT_EVENTS, filled_otherwise
    from benchmarks.peers.given import ours

    candidates, bars = generated(seed=seed, tight=tight, side=side)
    case = case_for(vectorbt_trades, candidates, bars)
    peer, own = vectorbt_trades.two_targets(case.trades, bars), ours(case.resolved)
    differs = filled_otherwise(own, peer)
    plain = ~case.seen[list(VECTORBT_EVENTS)].any(axis=1).to_numpy()
    assert plain.sum() > 100
    assert not differs[plain].any()
    assert np.abs(peer.gain(case.trades.direction) - own.gain(case.trades.direction))[plain].max() < 1e-9
    assert set(case.resolved["second_exit"][plain]) >= {Exit.TARGET_TWO, Exit.STOP, Exit.BREAKEVEN, Exit.EXPIRY}
    entered = case.seen["entry_bar"].to_numpy() & (case.resolved["first_bar"] == case.trades.entry)
    assert tight <= entered.any()
    assert (peer.first_bar > case.trades.entry)[entered].all()
    assert_a_gap_is_filled_at_the_open_or_stopped(case, own, peer)


def test_the_compiled_engine_of_vectorbt_fills_trades_with_one_target_as_we_do():
    from benchmarks.peers import vectorbt_trades
    from benchmarks.peers.differences import VECTORBT_EVENTS, filled_otherwise
    from benchmarks.peers.given import ours

    candidates, bars = generated(seed=5, tight=False)
    case = case_for(vectorbt_trades, replace(candidates, target_one=candidates.target_two), bars)
    plain = ~case.seen[list(VECTORBT_EVENTS)].any(axis=1).to_numpy()
    assert plain.sum() > 100
    assert not filled_otherwise(ours(case.resolved), vectorbt_trades.one_target(case.trades, bars, engine="rust"))[plain].any()


def test_on_a_walk_without_gaps_backtesting_makes_every_trade_of_ours():
    from benchmarks.peers import backtesting_trades
    from benchmarks.peers.differences import filled_otherwise
    from benchmarks.peers.given import ours

    bars = random_walk(seed=8, start=datetime(2024, 10, 25, tzinfo=UTC), end=datetime(2024, 11, 25, tzinfo=UTC))
    bars = without_spread(bars)
    candidates = random_candidates(bars, seed=8, count=600, tight=True)
    case = case_for(backtesting_trades, candidates, bars)
    peer, own = backtesting_trades.two_targets(case.trades, bars), ours(case.resolved)
    assert not case.seen["gap"].any()
    assert case.seen["expiry"].any()
    assert not filled_otherwise(own, peer).any()
    assert (peer.gain(case.trades.direction) == own.gain(case.trades.direction)).all()


@pytest.mark.recorded
def test_on_recorded_candles_the_setups_of_our_strategies_give_the_counts_that_the_page_states(shared_data: Path):
    from goldsignal_pipeline_tests.peers.comparison import table

    lines = table(shared_data)
    assert [line for line in lines if "none of these" in line and "| 0 | +0.000 | 0.000 |" not in line] == []
    page = (PROJECT_ROOT / "docs" / "explanation" / "peers.md").read_text()
    assert [line for line in lines if line not in page] == []
