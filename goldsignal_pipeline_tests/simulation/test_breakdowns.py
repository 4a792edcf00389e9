"""Breakdowns of trades against a walk through them one by one."""

from __future__ import annotations

import itertools
import statistics
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.simulation.breakdowns import (
    HOLD_HOURS,
    SESSIONS,
    WEEKDAYS,
    by_time_in_trade,
    by_weekday_and_session,
)

MONDAY = datetime(2025, 3, 3, tzinfo=UTC)
TRADES = st.lists(
    st.tuples(st.integers(0, 20 * 24 * 60), st.sampled_from(SESSIONS), st.integers(-3_000_000, 3_000_000), st.integers(0, 6000)),
    max_size=40,
)


def weekday(entry: datetime) -> str:
    wall = entry.astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None) + timedelta(hours=7)
    return wall.strftime("%A")


@given(TRADES)
@settings(deadline=None, max_examples=60)
def test_every_trade_stands_in_the_cell_of_its_trading_day_and_session(trades: list[tuple[int, str, int, int]]) -> None:
    entries = [MONDAY + timedelta(minutes=minute) for minute, *_ in trades]
    cells = by_weekday_and_session(
        np.array([to_instant(entry) for entry in entries], "datetime64[us]"),
        [session for _, session, *_ in trades],
        np.array([net for _, _, net, _ in trades], np.int64),
    )
    assert [(cell.weekday, cell.session) for cell in cells] == [(day, name) for day in WEEKDAYS for name in SESSIONS]
    for cell in cells:
        own = [
            net
            for entry, (_, session, net, _) in zip(entries, trades, strict=True)
            if (weekday(entry), session) == (cell.weekday, cell.session)
        ]
        assert (cell.trades, cell.wins, cell.net_r) == (len(own), sum(net > 0 for net in own), sum(own) / 1e6)


@given(TRADES)
@settings(deadline=None, max_examples=60)
def test_winners_and_losers_are_counted_by_the_hours_they_were_held(trades: list[tuple[int, str, int, int]]) -> None:
    found = by_time_in_trade(
        np.array([minutes for *_, minutes in trades], np.int64), np.array([net for _, _, net, _ in trades], np.int64)
    )
    for won, counts, middle in (
        (True, found.winners, found.middle_winner_hours),
        (False, found.losers, found.middle_loser_hours),
    ):
        held = [minutes / 60 for _, _, net, minutes in trades if (net > 0) == won]
        edges = [0.0, *map(float, HOLD_HOURS), float("inf")]
        assert list(counts) == [
            sum((low < hours or low == hours == 0) and hours <= high for hours in held) for low, high in itertools.pairwise(edges)
        ]
        assert middle == (None if not held else pytest.approx(statistics.median(held)))
