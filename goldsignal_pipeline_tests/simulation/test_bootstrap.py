"""Bootstrap intervals against independent computations."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest

from goldsignal_pipeline.simulation.bootstrap import bootstrap_interval


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
