from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadHistory, SpreadTable, bid_ask, spread_ticks


def opens(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("open_utc", "ticks"),
    [
        ("2025-01-15T03:00", 40),  # noon in Tokyo
        ("2025-01-15T08:00", 35),  # 08:00 in London, 17:00 in Tokyo: the smaller one
        ("2025-01-15T07:59", 40),
        ("2025-01-15T14:00", 35),  # overlap
        ("2025-01-15T21:00", 35),  # 16:00 in New York
        ("2025-01-15T23:30", 100),  # 18:30 in New York, 08:30 in Tokyo
        ("2025-07-15T21:30", 100),  # 17:30 in New York
        ("2025-07-15T07:00", 35),  # 08:00 in London's summer
    ],
)
def test_the_spread_is_that_of_the_session_of_the_bars_open(open_utc: str, ticks: int) -> None:
    assert spread_ticks(opens(open_utc), table=SpreadTable()).tolist() == [ticks]


def test_of_several_sessions_the_smallest_spread_holds() -> None:
    table = SpreadTable(asia_ticks=5, london_ticks=9, new_york_ticks=8, overlap_ticks=7, otherwise_ticks=1)
    spreads = spread_ticks(opens("2025-01-15T08:30", "2025-01-15T09:30", "2025-01-15T14:00", "2025-01-15T23:00"), table=table)
    assert spreads.tolist() == [5, 9, 7, 1]


def test_a_source_may_declare_its_own_table_but_no_negative_spread() -> None:
    assert spread_ticks(opens("2025-01-15T03:00"), table=SpreadTable(asia_ticks=12)).tolist() == [12]
    with pytest.raises(ValidationError):
        SpreadTable(asia_ticks=-1)


def test_a_bar_has_the_spread_of_the_table_in_force_at_its_open() -> None:
    wide, narrow = SpreadTable(otherwise_ticks=150), SpreadTable(otherwise_ticks=80)
    history = SpreadHistory({np.datetime64("2025-01-15T23:00", "us"): wide, np.datetime64("2025-01-16T23:30", "us"): narrow})
    night = ("2025-01-14T23:00", "2025-01-15T22:59", "2025-01-15T23:00", "2025-01-16T23:29", "2025-01-16T23:30")
    assert history.ticks(opens(*night)).tolist() == [100, 100, 150, 150, 80]
    assert [*history.in_force(until=np.datetime64("2025-01-16"))] == [
        np.datetime64("1970-01-01"),
        np.datetime64("2025-01-15T23:00"),
    ]


def test_a_table_from_the_beginning_takes_the_place_of_the_default() -> None:
    history = SpreadHistory({np.datetime64("1970-01-01", "us"): SpreadTable(asia_ticks=12)})
    assert history.ticks(opens("2025-01-15T03:00")).tolist() == [12]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(50_000, 600_000), st.integers(0, 400)), min_size=1, max_size=20), st.sampled_from(Side))
def test_bid_and_ask_lie_a_spread_apart_around_the_side_a_source_reports(rows: list[tuple[int, int]], side: Side) -> None:
    """Mistake 14: sells that paid no spread."""
    prices, spreads = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    bid, ask = bid_ask(prices, spreads=spreads, side=side)
    assert (ask - bid == spreads).all()
    if side is Side.BID:
        assert (bid == prices).all()
    elif side is Side.ASK:
        assert (ask == prices).all()
    else:
        assert ((ask - prices) - (prices - bid) == spreads % 2).all()
