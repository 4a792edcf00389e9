"""The fan of an equity curve against independent computations."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.simulation.equity_fan import FAN_QUANTILES, equity_fan, weekly_sums

FIRST = datetime(2025, 3, 3, tzinfo=UTC)
TRADES = st.lists(
    st.tuples(st.integers(1, 200 * 24 * 60), st.integers(-5_000_000, 5_000_000)).map(
        lambda drawn: (FIRST + timedelta(minutes=drawn[0]), drawn[1])
    ),
    min_size=1,
    max_size=30,
)


def booked_week(moment: datetime) -> tuple[int, int]:
    """ISO year and week of the trading day, which begins at 17:00 New York on the evening before, of the instant before."""
    wall = (moment - timedelta(microseconds=1)).astimezone(ZoneInfo("America/New_York"))
    return (wall.replace(tzinfo=None) + timedelta(hours=7)).isocalendar()[:2]


@given(TRADES)
@settings(deadline=None, max_examples=60)
def test_every_week_from_the_first_trade_to_the_last_has_its_sum(trades: list[tuple[datetime, int]]) -> None:
    sums = weekly_sums(np.array([to_instant(moment) for moment, _ in trades]), np.array([net for _, net in trades]))
    by_week: Counter[tuple[int, int]] = Counter()
    for moment, net in trades:
        by_week[booked_week(moment)] += net
    first, last = min(by_week), max(by_week)
    monday, weeks = datetime.fromisocalendar(*first, 1), []
    while monday <= datetime.fromisocalendar(*last, 1):
        weeks.append(by_week[monday.isocalendar()[:2]])
        monday += timedelta(days=7)
    assert sums.tolist() == weeks


def test_weeks_that_are_all_alike_leave_nothing_to_luck() -> None:
    fan = equity_fan(np.full(10, 500_000), key="k")
    assert fan is not None
    assert np.array_equal(fan.curves, np.tile(np.arange(11) * 0.5, (len(FAN_QUANTILES), 1)))
    assert (fan.below_zero, fan.middle_drawdown, fan.worst_drawdown) == (0.0, 0.0, 0.0)


def test_the_end_of_the_fan_is_that_of_a_sum_of_independent_weeks() -> None:
    weekly = np.rint(np.random.default_rng(5).normal(0.2, 1.5, 100) * 1e6).astype(np.int64)
    fan = equity_fan(weekly, key="k", draws=20_000)
    assert fan is not None
    mean, spread = statistics.fmean(weekly.tolist()) / 1e6, statistics.pstdev(weekly.tolist()) / 1e6
    expected = [statistics.NormalDist(100 * mean, 10 * spread).inv_cdf(quantile) for quantile in FAN_QUANTILES]
    # Six standard errors of the outermost quantile of 20,000 draws of a normal distribution.
    tolerance = 6 * 10 * spread * math.sqrt(0.05 * 0.95 / 20_000) / statistics.NormalDist().pdf(1.645)
    assert fan.curves[:, -1] == pytest.approx(expected, abs=tolerance)
    assert fan.below_zero == pytest.approx(statistics.NormalDist(100 * mean, 10 * spread).cdf(0), abs=0.02)
    assert fan.happened[-1] == pytest.approx(100 * mean)


def test_two_weeks_in_turn_draw_down_as_a_random_walk_does() -> None:
    weekly = np.tile([1_000_000, -1_000_000], 4)
    fan = equity_fan(weekly, key="k", draws=4_000)
    assert fan is not None
    drawdowns = []
    for path in range(2**8):  # all equally likely sequences of eight weeks
        level = peak = worst = 0
        for week in range(8):
            level += 1 if path >> week & 1 else -1
            peak = max(peak, level)
            worst = max(worst, peak - level)
        drawdowns.append(worst)
    ordered = sorted(drawdowns)
    assert (fan.middle_drawdown, fan.worst_drawdown) == (ordered[127], ordered[int(0.95 * 255)])


def test_equal_keys_give_equal_fans_and_a_few_weeks_none() -> None:
    weekly = np.arange(-5, 6) * 100_000
    one, again, other = (equity_fan(weekly, key=key) for key in ("a", "a", "b"))
    assert one is not None
    assert again is not None
    assert other is not None
    assert np.array_equal(one.curves, again.curves)
    assert not np.array_equal(one.curves, other.curves)
    assert equity_fan(weekly[:7], key="a") is None
    assert not len(weekly_sums(np.array([], "datetime64[us]"), np.array([], np.int64)))
