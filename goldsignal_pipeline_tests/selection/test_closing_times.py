"""When the market is about to close for longer than usual."""

from __future__ import annotations

import numpy as np
import pytest

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.selection.closing_times import minutes_to_closing


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2024-06-07T15:59", False),  # Friday 11:59 New York
        ("2024-06-07T16:00", True),
        ("2024-01-12T16:59", False),  # the same in winter
        ("2024-01-12T17:00", True),
        ("2024-06-09T22:00", False),  # Sunday's opening
        ("2024-06-05T20:30", False),  # the daily break is no holiday
        ("2024-12-24T13:59", False),  # Christmas Eve ends 14:00 New York, five hours of trading later
        ("2024-12-24T14:00", False),
        ("2024-12-24T14:01", True),
        ("2024-12-24T19:00", True),  # at the close itself
        ("2024-12-24T19:30", True),  # a bar that closes nominally inside the closure
        ("2024-12-26T00:00", False),
    ],
)
def test_late_fridays_and_the_last_five_market_hours_before_a_holiday_are_closing(instant, expected) -> None:
    minutes = minutes_to_closing(np.array([instant], dtype="datetime64[us]"), calendar=load_calendar())
    assert (minutes < 300).tolist() == [expected]
