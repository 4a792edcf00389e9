"""Mistakes 1, 4, 9, 14 and 21 of an earlier system of this kind: each test fails when the mistake is put back."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from goldsignal_pipeline.market.candles import Bars
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.kernel import NOT_YET, Exit, Result
from goldsignal_pipeline.simulation.records import Trades
from goldsignal_pipeline.simulation.trades import HOLD_MINUTES, Candidates, resolve
from goldsignal_pipeline_tests.simulation.markets import CALENDAR, random_candidates, rough_bars

FLAT = 300_000


def flat_bars(start: datetime, end: datetime, *, side: Side = Side.BID, price: int = FLAT) -> BaseBars:
    """Real hours in which the price never moves; the full spread is 40 ticks all day."""
    opens = CALENDAR.expected_opens(timeframe=Timeframe.M5, start=start, end=end)
    prices = np.full(len(opens), price)
    bars = Bars(opens, *(prices.copy() for _ in range(4)), np.full(len(opens), np.nan))
    return BaseBars.of(bars, timeframe=Timeframe.M5, side=side, spreads=np.full(len(opens), 40))


def one(direction: int, confirmed_at: str, *, hold_minutes: int, reference: int = FLAT) -> Candidates:
    levels = [np.array([reference + direction * step]) for step in (0, -400, 600, 1200)]
    confirmed = np.array([confirmed_at], dtype="datetime64[us]")
    return Candidates(np.array([direction]), *levels, confirmed, np.array([hold_minutes]))


def at(micros: int) -> str:
    return str(np.datetime64(int(micros), "us").astype("datetime64[m]"))


def test_mistake_1_a_setup_is_filled_at_its_own_time_and_is_one_trade_however_often_it_is_looked_at() -> None:
    """Looked at in 96 ever longer windows it is always the same trade, filled after its confirmation, not at a window's end."""
    bars = rough_bars(Timeframe.M5, seed=21)
    candidates = random_candidates(bars, seed=22, count=300)
    whole = resolve(candidates, bars, calendar=CALENDAR)
    seen: dict[int, set[bytes]] = {}
    for close in bars.closes[:: len(bars) // 96]:
        trades = resolve(candidates, bars.until(close), calendar=CALENDAR)
        for position in np.flatnonzero(trades["resolved_at"] != NOT_YET):
            seen.setdefault(int(position), set()).add(trades[position].tobytes())
        entered = trades["entry_bar"] >= 0
        assert (trades["entry_bar"][entered] == whole["entry_bar"][entered]).all()
        assert (trades["entry_fill"][entered] == whole["entry_fill"][entered]).all()
    assert len(seen) > 250
    assert all(len(versions) == 1 for versions in seen.values())


def test_mistake_4_backtest_and_live_hold_a_trade_equally_long() -> None:
    """Both hold by timeframe in market time: a flat H1 trade ends after 72 open hours, looked at once or every five minutes."""
    assert HOLD_MINUTES == {Timeframe.M15: 1440, Timeframe.H1: 4320, Timeframe.H4: 14400}
    bars = flat_bars(datetime(2024, 11, 11, tzinfo=UTC), datetime(2024, 11, 16, tzinfo=UTC))
    candidate = one(1, "2024-11-11T10:00", hold_minutes=HOLD_MINUTES[Timeframe.H1])
    backtest = resolve(candidate, bars, calendar=CALENDAR)[0]
    cycles = (resolve(candidate, bars.until(close), calendar=CALENDAR)[0] for close in bars.closes)
    live = next(trade for trade in cycles if trade["resolved_at"] != NOT_YET)
    assert live == backtest
    assert Result(backtest["result"]) is Result.EXPIRED
    assert backtest["second_bar"] - backtest["entry_bar"] + 1 == 72 * 12


def test_mistake_9_a_weekend_does_not_count_towards_the_hold() -> None:
    """Filled on Friday 2024-11-08 at 14:05 New York with 24 hours: 2 h 55 that day, 21 h 05 from Sunday 18:00 on."""
    bars = flat_bars(datetime(2024, 11, 8, tzinfo=UTC), datetime(2024, 11, 13, tzinfo=UTC))
    trade = resolve(one(1, "2024-11-08T19:00", hold_minutes=1440), bars, calendar=CALENDAR)[0]
    assert at(bars.opens.view(np.int64)[trade["entry_bar"]]) == "2024-11-08T19:05"
    assert at(trade["deadline"]) == "2024-11-11T20:05"
    assert at(bars.closes.view(np.int64)[trade["second_bar"]]) == "2024-11-11T20:05"
    assert trade["first_exit"] == trade["second_exit"] == Exit.EXPIRY


def _round_trip(direction: int, side: Side) -> Trades:
    bars = flat_bars(datetime(2024, 11, 11, tzinfo=UTC), datetime(2024, 11, 12, tzinfo=UTC), side=side)
    return resolve(one(direction, "2024-11-11T10:00", hold_minutes=60), bars, calendar=CALENDAR)[0]


def test_mistake_14_a_sell_pays_the_spread_like_a_buy() -> None:
    """In a market that stands still either way costs one spread (40 ticks) and two slippages (5 each), whatever the side."""
    for side in Side:
        for direction in (1, -1):
            trade = _round_trip(direction, side)
            assert (trade["gross"], trade["net"], trade["cost"]) == (0, -5000, 5000), (side, direction)


def test_mistake_14_a_sell_is_stopped_when_the_ask_reaches_its_stop() -> None:
    """Bid 380 ticks above the reference and 40 of spread lie beyond a stop of 400, although the bid never got there."""
    bars = flat_bars(datetime(2024, 11, 11, tzinfo=UTC), datetime(2024, 11, 12, tzinfo=UTC))
    bars.high[200] += 380
    trade = resolve(one(-1, "2024-11-11T10:00", hold_minutes=1440), bars, calendar=CALENDAR)[0]
    assert (Result(trade["result"]), trade["second_bar"]) == (Result.SL_HIT, 200)
    assert trade["second_fill"] == FLAT + 400 + 5


def test_mistake_14_a_sell_reaches_its_target_only_when_the_ask_does() -> None:
    """The bid touches the target and even passes it by 39 ticks: the ask, 40 above it, has not been there."""
    bars = flat_bars(datetime(2024, 11, 11, tzinfo=UTC), datetime(2024, 11, 12, tzinfo=UTC))
    bars.low[200] -= 639
    bars.low[210] -= 640
    trade = resolve(one(-1, "2024-11-11T10:00", hold_minutes=1440), bars, calendar=CALENDAR)[0]
    assert (Exit(trade["first_exit"]), trade["first_bar"], trade["first_fill"]) == (Exit.TARGET_ONE, 210, FLAT - 600)


def test_mistake_21_no_entry_is_filled_at_a_price_older_than_its_decision() -> None:
    """The fill is the open of the first bar that opens once the decision can have been made: the close and the grace."""
    bars = rough_bars(Timeframe.M5, seed=31)
    candidates = random_candidates(bars, seed=32, count=2_000)
    trades = resolve(candidates, bars, calendar=CALENDAR)
    entered = trades["entry_bar"] >= 0
    filled, entry = entered & (trades["result"] != Result.MISSED), trades["entry_bar"]
    decided = candidates.confirmed_at + np.timedelta64(120, "s")
    assert (bars.opens[entry[entered]] >= decided[entered]).all()
    assert (bars.opens[entry[entered] - 1] < decided[entered]).all()
    assert (trades["quote"][filled] == bars.open[entry[filled]]).all()
