"""What holds for every trade whatever the market: invariants I6, I10 to I12, I14 and I15 at the level of the kernel."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of, timestamps_of
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.spread import SpreadTable
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.bars import BaseBars
from goldsignal_pipeline.simulation.closed_trades import TradeTable, scored
from goldsignal_pipeline.simulation.costs import TradeCosts
from goldsignal_pipeline.simulation.kernel import NOT_YET, Exit, Result
from goldsignal_pipeline.simulation.records import Trades
from goldsignal_pipeline.simulation.scored_trades import SCORED_TRADE_COLUMNS, ScoredTrades
from goldsignal_pipeline.simulation.trades import Candidates, in_r, resolve, trades_frame
from goldsignal_pipeline_tests.simulation.markets import (
    CALENDAR,
    coarser,
    mirrored,
    mirrored_bars,
    random_candidates,
    random_walk,
    rough_bars,
    take,
)

PROVE = os.environ.get("PROVE") == "1"
SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.sampled_from(list(Side))
FULL_HOURS = {"start": datetime(2024, 11, 4, tzinfo=UTC), "end": datetime(2024, 11, 22, tzinfo=UTC)}
few = settings(max_examples=200 if PROVE else 20, deadline=None)


def trial(seed: int, *, side: Side = Side.BID, timeframe: Timeframe = Timeframe.M5) -> tuple[BaseBars, Candidates]:
    bars = rough_bars(timeframe, seed=seed, side=side)
    return bars, random_candidates(bars, seed=seed + 1, count=500)


def closed(trades: Trades) -> np.ndarray:
    return trades["resolved_at"] != NOT_YET


@few
@given(seed=SEEDS, side=SIDES)
def test_the_parts_of_a_scaled_exit_add_up_to_the_position_i10(seed: int, side: Side) -> None:
    bars, candidates = trial(seed, side=side)
    trades = resolve(candidates, bars, calendar=CALENDAR)
    done, direction = closed(trades), candidates.direction
    assert (trades["first_exit"][done] != Exit.NONE).all()
    assert (trades["second_exit"][done] != Exit.NONE).all()
    assert (trades["first_bar"][done] <= trades["second_bar"][done]).all()
    assert (trades["entry_bar"][done] <= trades["first_bar"][done]).all()
    legs = sum(direction * (trades[f"{leg}_fill"] - trades["entry_fill"]) for leg in ("first", "second"))
    assert (trades["net"][done] == (50 * legs - trades["swap"])[done]).all()
    assert (trades["gross"] == trades["cost"] + trades["net"]).all()
    assert (trades["cost"][done] > 0).all()
    assert ((trades["worst"] <= trades["net"]) & (trades["net"] <= trades["best"])).all()


@few
@given(seed=SEEDS, side=SIDES, slippage=st.integers(0, 40), swap=st.integers(0, 2000), wider=st.integers(0, 60))
def test_more_cost_never_raises_what_is_left_for_the_same_exits_i11(
    seed: int, side: Side, slippage: int, swap: int, wider: int
) -> None:
    bars, candidates = trial(seed, side=side)
    cheap = TradeCosts(slippage_ticks=5, swap_long_basis_points=500, swap_short_basis_points=100)
    dear = TradeCosts(
        slippage_ticks=5 + slippage, swap_long_basis_points=500 + swap, swap_short_basis_points=100 + swap
    )  # fmt: skip
    base = resolve(candidates, bars, calendar=CALENDAR, costs=cheap)
    dearer = resolve(candidates, bars, calendar=CALENDAR, costs=dear)
    exits = ["result", "entry_bar", "first_bar", "first_exit", "second_bar", "second_exit"]
    assert (base[exits] == dearer[exits]).all()  # neither slippage nor swap moves an exit, so the stop is not the fill
    assert (dearer["net"] <= base["net"]).all()
    spread = replace(bars, bid_below=bars.bid_below + wider // 2, ask_above=bars.ask_above + wider)
    widened = resolve(candidates, spread, calendar=CALENDAR, costs=cheap)
    same = base[exits] == widened[exits]
    assert same.any()
    assert (widened["net"] <= base["net"])[same].all()


@few
@given(seed=SEEDS, pair=st.sampled_from([("M1", "M5"), ("M1", "M15"), ("M5", "M15"), ("M5", "H1"), ("M1", "H1")]))
def test_finer_bars_never_widen_the_interval_between_worst_and_best_i12(seed: int, pair: tuple[str, str]) -> None:
    """For the same entry and a deadline on an edge of both, what the finer bars leave possible the coarser ones allow too."""
    finest = rough_bars(Timeframe.M1, seed=seed, holes=0.0, **FULL_HOURS)
    bars = [finest if name == "M1" else coarser(finest, timeframe=Timeframe(name)) for name in pair]
    made = random_candidates(coarser(finest, timeframe=Timeframe.H1), seed=seed, count=500, tight=seed % 2 == 0)
    hours = made.confirmed_at.astype("datetime64[h]").astype("datetime64[us]")
    hourly = replace(made, confirmed_at=hours, hold_minutes=(made.hold_minutes + 59) // 60 * 60)
    fine, coarse = (resolve(hourly, each, calendar=CALENDAR, grace=timedelta(0)) for each in bars)
    both = closed(fine) & closed(coarse)
    assert (fine["deadline"] == coarse["deadline"])[both].all()
    assert (fine["entry_fill"] == coarse["entry_fill"])[both].all()
    # Where the coarse bar says "stopped, or TP1 first", the fine trade may live on, and a single later bar could still fall by
    # more than all that was at stake; a bound on that would have to know the future.
    lives_on = fine["resolved_at"] > coarse["resolved_at"]
    inside = (fine["worst"] >= coarse["worst"]) & (fine["best"] <= coarse["best"])
    assert inside[both & ~lives_on].all()
    assert (fine["best"] <= coarse["best"])[both].all()
    assert inside[both].mean() > 0.99


@few
@given(seed=SEEDS, side=SIDES)
def test_buy_and_sell_mirror_i14(seed: int, side: Side) -> None:
    bars, candidates = trial(seed, side=side)
    free = TradeCosts(swap_long_basis_points=0)  # swap is charged on the price, which a mirror changes
    about = 600_000
    trades = resolve(candidates, bars, calendar=CALENDAR, costs=free)
    turned = resolve(mirrored(candidates, about=about), mirrored_bars(bars, about=about), calendar=CALENDAR, costs=free)
    for name in ("quote", "entry_fill", "first_fill", "second_fill"):
        filled = trades[name] != 0
        turned[name][filled] = about - turned[name][filled]
    assert (trades == turned).all()


@few
@given(seed=SEEDS, cut=st.floats(0.1, 0.95))
def test_a_closed_trade_never_changes_whatever_the_future_brings_i6(seed: int, cut: float) -> None:
    """What is known at the cut equals what the whole record says was resolved by then: nothing more, nothing less."""
    bars, candidates = trial(seed)
    instant = bars.closes[int(cut * len(bars))] + np.timedelta64(seed % 400, "m")
    later = bars.opens >= instant
    noise = np.where(later, np.random.default_rng(seed).integers(-20_000, 20_000, len(bars)), 0)
    poisoned = replace(bars, **{name: getattr(bars, name) + noise for name in ("open", "high", "low", "close")})
    known = resolve(candidates, replace(bars.until(instant), known_until=instant), calendar=CALENDAR)
    for future in (bars, poisoned):
        whole = resolve(candidates, future, calendar=CALENDAR)
        by_then = closed(whole) & (whole["resolved_at"] <= instant.astype(np.int64))
        assert (closed(known) == by_then).all()
        assert (known[by_then] == whole[by_then]).all()


def test_live_bar_by_bar_and_one_at_a_time_gives_the_trades_of_the_backtest_i15() -> None:
    bars, candidates = trial(11)
    backtest = resolve(candidates, bars, calendar=CALENDAR)
    live: dict[int, np.void] = {}
    for close in bars.closes[::12]:
        known = bars.until(close)
        waiting = [position for position in range(len(candidates)) if position not in live]
        outcomes = resolve(take(candidates, np.array(waiting, dtype=np.int64)), known, calendar=CALENDAR)
        live |= {waiting[index]: outcomes[index].copy() for index in np.flatnonzero(closed(outcomes))}
    assert len(live) > 450
    assert all(outcome == backtest[position] for position, outcome in live.items())


@few
@given(seed=SEEDS)
def test_the_order_and_company_of_candidates_change_no_trade(seed: int) -> None:
    bars, candidates = trial(seed)
    trades = resolve(candidates, bars, calendar=CALENDAR)
    order = np.random.default_rng(seed).permutation(len(candidates))[:200]
    assert (resolve(take(candidates, order), bars, calendar=CALENDAR) == trades[order]).all()


def test_a_random_walk_leaves_exactly_the_costs() -> None:
    """Mean net R + cost lies within 3 standard errors (between walks) of zero for random entries: the kernel is fair."""
    walks, years = (50, 4) if PROVE else (10, 1)
    means = []
    for seed in range(walks):
        bars = random_walk(seed=seed, start=datetime(2020, 1, 6, tzinfo=UTC), end=datetime(2020 + years, 1, 6, tzinfo=UTC))
        rng = np.random.default_rng(seed)
        at = rng.integers(0, len(bars) - 2_000, 2_000 * years)
        direction, risk = rng.choice(np.array([-1, 1]), len(at)), 5 * rng.integers(24, 100, len(at))
        levels = [bars.close[at] + direction * step for step in (0 * risk, -risk, 2 * risk, 3 * risk)]
        hold = np.full(len(at), 72 * 60)
        trades = resolve(Candidates(direction, *levels, bars.closes[at], hold), bars, calendar=CALENDAR)
        scored = trades[closed(trades) & (trades["result"] != Result.MISSED)]
        assert len(scored) > 0.9 * len(at)
        means.append((in_r(scored, "net") + in_r(scored, "cost")).mean())
    error = np.std(means, ddof=1) / np.sqrt(walks)
    assert error < 0.05
    assert abs(np.mean(means)) < 3 * error


def test_nothing_to_resolve_and_nothing_to_resolve_against() -> None:
    bars, candidates = trial(1)
    none = np.zeros(0, dtype=np.int64)
    assert len(resolve(take(candidates, none), bars, calendar=CALENDAR)) == 0
    empty = bars.until(bars.opens[0])
    trades = resolve(candidates, empty, calendar=CALENDAR)
    assert (trades["result"] == Result.OPEN).all()
    assert (trades["entry_bar"] == -1).all()
    assert trades_frame(trades, empty)["entry_at"].isna().all()


def test_levels_out_of_order_are_refused_by_number() -> None:
    _, candidates = trial(2)
    stop = candidates.stop.copy()
    stop[17] = candidates.reference[17]
    with pytest.raises(DataError, match="candidate 17"):
        replace(candidates, stop=stop)


def test_candles_of_two_sources_and_lengths_become_one_record_of_their_base_rows() -> None:
    """A day of M5 from the bid and a day of H1 from the ask; what is derived from M5 is left out."""
    fine, coarse = rough_bars(Timeframe.M5, seed=5, **FULL_HOURS), rough_bars(Timeframe.H1, seed=6, side=Side.ASK, **FULL_HOURS)
    cut = np.datetime64("2024-11-12T22:00")
    rows = [
        _candles(fine, fine.opens < cut, "M5", "M5", "one:bid"),
        _candles(coarser(fine, timeframe=Timeframe.H1), slice(0, 100), "H1", "M5", "one:bid"),
        _candles(coarse, coarse.opens >= cut, "H1", "H1", "two:ask"),
    ]
    bars = BaseBars.of_candles(pd.concat(rows, ignore_index=True), spreads={"one:bid": SpreadTable(), "two:ask": SpreadTable()})
    early, late = bars.opens < cut, bars.opens >= cut
    assert set(bars.minutes[early]) == {5}
    assert set(bars.minutes[late]) == {60}
    assert (bars.bid_below[early] == 0).all()
    assert (bars.ask_above[early] > 0).all()
    assert (bars.bid_below[late] > 0).all()
    assert (bars.ask_above[late] == 0).all()
    assert len(bars) == (fine.opens < cut).sum() + (coarse.opens >= cut).sum()


def _candles(bars: BaseBars, where: np.ndarray | slice, timeframe: str, base: str, source: str) -> pd.DataFrame:
    prices = {name: getattr(bars, name)[where] for name in ("open", "high", "low", "close")}
    named = {"timeframe": timeframe, "base_timeframe": base, "source": source, "volume": np.nan}
    return pd.DataFrame({"timestamp": timestamps_of(bars.opens[where]), **prices, **named})


def test_no_candles_are_no_bars() -> None:
    bars, _ = trial(6)
    none = _candles(bars, slice(0, 0), "M5", "M5", "one:bid")
    assert len(BaseBars.of_candles(none, spreads=SpreadTable())) == 0


def test_metrics_read_the_resolved_trades_only_and_missed_ones_without_r() -> None:
    bars, candidates = trial(7)
    trades = resolve(candidates, bars, calendar=CALENDAR)
    direction = np.where(candidates.direction == 1, "BUY", "SELL")
    setups = pd.DataFrame({"strategy": "one", "timeframe": "H1", "direction": direction}).assign(
        timestamp=timestamps_of(np.arange(len(direction)).astype("datetime64[h]")),
        confirmed_at=timestamps_of(candidates.confirmed_at),
    )
    frame = TradeTable.of(trades, bars, setups=setups, calendar=CALENDAR).frame
    read = scored(frame[frame["resolved_at"].notna()])
    assert list(read.columns) == list(SCORED_TRADE_COLUMNS)
    assert len(read) == closed(trades).sum() < len(trades)
    missed = read["is_missed"]
    assert missed.any()
    assert read.loc[missed, "net_r"].isna().all()
    assert (read.loc[missed, "hold_minutes"] == 0).all()
    assert (read.loc[~missed, "hold_minutes"] > 0).all()
    known = trades["resolved_at"][closed(trades)].astype("datetime64[us]")
    assert (instants_of(read["resolved_at"]) == known).all()
    wall = (read["resolved_at"] - read["entry"]) // pd.Timedelta(minutes=1)
    assert (read["hold_minutes"] <= wall).all()
    assert (read["hold_minutes"] <= candidates.hold_minutes[closed(trades)]).all()
    assert len(ScoredTrades.of(read)) == (~missed).sum()


def test_setups_become_candidates_with_the_hold_of_their_timeframe() -> None:
    setups = pd.DataFrame(
        {
            "direction": ["BUY", "SELL"],
            "timeframe": ["H1", "M15"],
            "confirmed_at": pd.to_datetime(["2024-11-04T10:00Z", "2024-11-04T10:15Z"]).as_unit("us"),
            "reference": [1000, 1000],
            "stop": [900, 1100],
            "take_profit_1": [1150, 850],
            "take_profit_2": [1300, 700],
        }
    )
    candidates = Candidates.of_setups(setups)
    assert candidates.direction.tolist() == [1, -1]
    assert candidates.hold_minutes.tolist() == [72 * 60, 24 * 60]
    assert candidates.confirmed_at.tolist() == [datetime(2024, 11, 4, 10), datetime(2024, 11, 4, 10, 15)]
    assert candidates.target_two.tolist() == [1300, 700]
    with pytest.raises(DataError, match="D1"):
        Candidates.of_setups(setups.assign(timeframe="D1"))


def test_overlapping_bars_and_negative_spreads_are_refused() -> None:
    bars, _ = trial(3)
    with pytest.raises(DataError, match="ascending"):
        BaseBars.joined([bars, bars])
    with pytest.raises(DataError, match="spreads"):
        BaseBars.joined([replace(bars, ask_above=bars.ask_above - 1_000)])


def test_the_frame_says_in_dollars_and_r_what_the_trades_hold() -> None:
    bars, candidates = trial(4)
    trades = resolve(candidates, bars, calendar=CALENDAR)
    frame = trades_frame(trades, bars)
    assert len(frame) == len(trades)
    missed, final = frame["result"] == "missed", frame["resolved_at"].notna()
    assert frame.loc[missed | ~final, ["net", "net_r", "gross", "worst_r"]].isna().all(axis=None)
    assert frame.loc[missed & final, "counterfactual_r"].notna().all()
    assert frame.loc[~missed, "counterfactual_r"].isna().all()
    scored = frame[final & ~missed]
    assert np.allclose(scored["net_r"] * scored["risk"], scored["net"])
    assert np.allclose(scored["gross"] - scored["cost"], scored["net"])
    assert (scored["bars_held"] == (trades["second_bar"] - trades["entry_bar"] + 1)[scored.index]).all()
