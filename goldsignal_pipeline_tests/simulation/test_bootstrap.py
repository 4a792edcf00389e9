"""Bootstrap intervals and random-entry p-values against independent computations."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.simulation.bootstrap import EntryPools, bootstrap_interval, random_entry_p_value


def test_the_interval_of_three_weeks_lies_on_the_enumerated_distribution() -> None:
    weeks, net = np.array([1, 1, 2, 3]), np.array([1_000_000, 0, -1_000_000, 2_000_000])
    blocks = [(1.0, 2), (-1.0, 1), (2.0, 1)]
    every = sorted(
        sum(total for total, _ in drawn) / sum(count for _, count in drawn) for drawn in itertools.product(blocks, repeat=3)
    )
    # 27 equally likely resamplings; the least and the greatest weigh 1/27 each, more than 2.5 %.
    assert bootstrap_interval(net, weeks=weeks, key="a") == pytest.approx((every[0], every[-1]))


def test_the_interval_of_many_independent_weeks_is_that_of_the_normal_distribution() -> None:
    draw = np.random.default_rng(7)
    net = np.rint(draw.normal(0.1, 1.0, 400) * 1e6).astype(np.int64)
    low, high = bootstrap_interval(net, weeks=np.arange(400) // 2, key="b")
    sums = [float(net[i : i + 2].sum()) / 2e6 for i in range(0, 400, 2)]
    half = 1.96 * statistics.pstdev(sums) / math.sqrt(200)
    assert (low, high) == pytest.approx((statistics.fmean(sums) - half, statistics.fmean(sums) + half), abs=0.015)


def test_equal_keys_give_equal_bits_whatever_the_order_of_trades_and_other_keys_other_draws() -> None:
    draw = np.random.default_rng(3)
    net, weeks, shuffled = draw.integers(-(10**6), 10**6, 60), draw.integers(0, 20, 60), draw.permutation(60)
    one = bootstrap_interval(net, weeks=weeks, key="k")
    assert bootstrap_interval(net[shuffled], weeks=weeks[shuffled], key="k") == one
    assert bootstrap_interval(net, weeks=weeks, key="other") != one


def test_one_week_has_no_interval() -> None:
    assert all(math.isnan(end) for end in bootstrap_interval(np.array([1, 2]), weeks=np.array([5, 5]), key="k"))


def pools_of(number: int, bars: int) -> EntryPools:
    return EntryPools(bars=np.tile(np.arange(bars), number), starts=np.arange(number + 1) * bars)


@settings(max_examples=20, deadline=None)
@given(level=st.floats(-0.5, 0.5), seed=st.integers(0, 100))
def test_the_p_value_counts_draws_that_do_at_least_as_well(level, seed) -> None:
    market = np.round(np.random.default_rng(seed).normal(0, 1, 50), 3)
    calls: list[np.ndarray] = []

    def resolve(trades, bars):
        assert set(trades.tolist()) == set(range(8))
        calls.append(market[bars].reshape(-1, 8))
        return market[bars]

    net = np.full(8, level)
    p_value = random_entry_p_value(net, pools=pools_of(8, 50), resolve=resolve, key=str(seed))
    drawn = np.concatenate(calls)
    means = [math.fsum(row) / 8 for row in drawn.tolist()]
    assert len(means) == 1000
    close = sum(abs(mean - level) < 1e-5 for mean in means)
    assert p_value * 1001 - 1 == pytest.approx(sum(mean >= level for mean in means), abs=close + 1e-6)


def test_an_unbeaten_result_has_p_one_in_1001_and_missed_entries_are_left_out() -> None:
    def resolve(trades, bars):
        return np.where(bars % 2 == 0, np.nan, 0.5)

    def p_value(level):
        return random_entry_p_value(np.full(30, level), pools=pools_of(30, 10), resolve=resolve, key="x")

    assert p_value(0.51) == pytest.approx(1 / 1001)
    assert p_value(0.5) == 1.0


def test_every_trade_draws_from_its_own_pool_only() -> None:
    pools = EntryPools(bars=np.array([3, 5, 100, 101, 102]), starts=np.array([0, 2, 5]))
    seen: dict[int, set[int]] = {0: set(), 1: set()}

    def resolve(trades, bars):
        for trade, bar in zip(trades.tolist(), bars.tolist(), strict=True):
            seen[trade].add(bar)
        return np.zeros(len(bars))

    random_entry_p_value(np.zeros(2), pools=pools, resolve=resolve, key="x")
    assert seen == {0: {3, 5}, 1: {100, 101, 102}}


def test_a_trade_without_any_bar_to_draw_is_refused() -> None:
    with pytest.raises(DataError, match="no bar"):
        random_entry_p_value(np.zeros(1), pools=EntryPools(np.array([]), np.array([0, 0])), resolve=lambda t, b: b, key="x")
