"""What the performance page draws, against sums made one trade after another."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from goldsignal_pipeline.api.pictures import CURVE_POINTS, breakdown, curves, rolling, thinned

MONDAY = datetime(2025, 3, 3, 9, tzinfo=UTC)


def trades(count: int) -> list[dict[str, Any]]:
    draw = random.Random(5)
    made = []
    for number in range(count):
        entered = MONDAY + timedelta(weeks=number % 6, days=number % 4, minutes=number)  # never on a weekend
        made.append(
            {
                "strategy": draw.choice(("one", "two")),
                "timeframe": "H1",
                "direction": "BUY",
                "timestamp": entered - timedelta(hours=1),
                "entered_at": entered,
                "resolved_at": entered + timedelta(hours=draw.randint(1, 30)),
                "session": draw.choice(("asia", "london", "none")),
                "net_r": Decimal(draw.randint(-10_000, 15_000)) / 10_000,
            }
        )
    return made


def test_equity_is_the_sum_of_results_known_by_then() -> None:
    made = trades(1500)
    found = curves(made)
    assert [(one["strategy"], one["timeframe"]) for one in found] == [("one", "H1"), ("two", "H1")]
    for one in found:
        own = [trade for trade in made if trade["strategy"] == one["strategy"]]
        assert (one["trades"], one["net_r"]) == (len(own), float(sum(trade["net_r"] for trade in own)))
        assert len(one["time"]) == len(one["gained"]) <= CURVE_POINTS
        assert one["time"] == sorted(one["time"])
        assert one["gained"][-1] == one["net_r"]
        # Trades that end at one instant have an order of their own: only instants at which one trade ended are compared.
        ends = [trade["resolved_at"].timestamp() for trade in own]
        for at, gained in zip(one["time"], one["gained"], strict=True):
            if ends.count(at) == 1:
                assert gained == float(sum(trade["net_r"] for trade in own if trade["resolved_at"].timestamp() <= at))


def test_a_curve_keeps_its_last_point_and_is_thinned_evenly() -> None:
    for count in (1, 2, CURVE_POINTS, CURVE_POINTS + 1, 7 * CURVE_POINTS + 3):
        kept = thinned(count)
        assert kept[-1] == count - 1
        assert len(kept) <= CURVE_POINTS
        assert len({later - earlier for earlier, later in pairwise(kept)}) <= 1
    assert thinned(0) == []


def test_cells_hours_and_fan_speak_of_all_trades() -> None:
    made = trades(400)
    found = breakdown(made, key="k")
    total = float(sum(trade["net_r"] for trade in made))
    assert found["trades"] == 400
    assert sum(cell["trades"] for cell in found["cells"]) == 400
    assert sum(cell["net_r"] for cell in found["cells"]) == pytest.approx(total)
    held = found["time_in_trade"]
    assert (sum(held["winners"]), sum(held["losers"])) == (won := sum(trade["net_r"] > 0 for trade in made), 400 - won)
    # The trades end within seven weeks, fewer than a fan needs.
    assert found["fan"] is None
    spread = [trade | {"resolved_at": trade["resolved_at"] + timedelta(weeks=n % 20)} for n, trade in enumerate(made)]
    fan = breakdown(spread, key="k")["fan"]
    assert fan["happened"][0] == 0.0
    assert fan["happened"][-1] == pytest.approx(total)
    assert [curve[-1] for curve in fan["curves"]] == sorted(curve[-1] for curve in fan["curves"])
    assert breakdown(list(reversed(spread)), key="k")["fan"] == fan


def test_without_trades_everything_is_empty_and_nothing_fails() -> None:
    found = breakdown([], key="k")
    assert (found["trades"], found["fan"], curves([]), rolling([])) == (0, None, [], [])


def test_rolling_expectancy_keeps_undefined_days_undefined() -> None:
    day = date(2026, 1, 1)
    rows = [
        {"strategy": "one", "timeframe": "H1", "day": day + timedelta(days=1), "expectancy": Decimal("0.2500"), "state": "watch"},
        {"strategy": "one", "timeframe": "H1", "day": day, "expectancy": None, "state": "healthy"},
    ]
    assert rolling(rows) == [
        {
            "strategy": "one",
            "timeframe": "H1",
            "day": ["2026-01-01", "2026-01-02"],
            "expectancy": [None, 0.25],
            "state": ["healthy", "watch"],
        }
    ]
