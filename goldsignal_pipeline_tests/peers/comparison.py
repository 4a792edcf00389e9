"""The comparison on recorded candles as the table of `docs/explanation/peers.md`, in lines of Markdown."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import backtesting_trades, vectorbt_trades
from benchmarks.peers.differences import BACKTESTING_EVENTS, VECTORBT_EVENTS, Count, count, events
from benchmarks.peers.given import given, ours
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.trades import Candidates
from goldsignal_pipeline_tests.peers.records import real_setups, without_spread
from goldsignal_pipeline_tests.simulation.markets import CALENDAR


def against_backtesting(candidates: Candidates, bars: BaseBars) -> list[Count]:
    """Ours beside backtesting.py, without spread."""
    flat = without_spread(bars)
    trades, resolved = given(candidates, flat, calendar=CALENDAR)
    accepted = backtesting_trades.accepts(trades, flat)
    trades, resolved = trades.take(accepted), resolved[accepted]
    seen = events(trades, resolved, flat)
    return count(trades, ours(resolved), backtesting_trades.two_targets(trades, flat), seen, explained_by=BACKTESTING_EVENTS)


def against_vectorbt(candidates: Candidates, bars: BaseBars) -> list[Count]:
    """Ours beside vectorbt, with the spread of every bar."""
    trades, resolved = given(candidates, bars, calendar=CALENDAR)
    accepted = vectorbt_trades.accepts(trades, bars)
    trades, resolved = trades.take(accepted), resolved[accepted]
    seen = events(trades, resolved, bars)
    return count(trades, ours(resolved), vectorbt_trades.two_targets(trades, bars), seen, explained_by=VECTORBT_EVENTS)


def table(shared_data: Path) -> list[str]:
    """One line for each peer and event: trades, filled otherwise, mean worth to the peer and the largest difference in USD/oz."""
    candidates, bars = real_setups(shared_data)
    sides = {"backtesting.py": against_backtesting(candidates, bars), "vectorbt": against_vectorbt(candidates, bars)}
    return [
        f"| {peer} | {row.event.replace('_', ' ')} | {row.trades:,} | {row.filled_otherwise:,} "
        f"| {round(row.mean_gain_of_peer, 3) + 0.0:+.3f} | {row.largest_gap:.3f} |"
        for peer, rows in sides.items()
        for row in rows
    ]
