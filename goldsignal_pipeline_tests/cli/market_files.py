"""Small candle files for tests of the command line, and a database that commands find by their settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_datetime

FIRST = datetime(2026, 3, 2, tzinfo=UTC)


def write_csv(path: Path, *, start: datetime = FIRST, days: int = 12, timeframe: Timeframe = Timeframe.H1, skip: int = -1) -> int:
    """A plain CSV of a quiet walk around 4000 USD in trading hours, without bar number `skip`; returns its rows."""
    opens = load_calendar().expected_opens(timeframe=timeframe, start=start, end=start + timedelta(days=days))
    steps = np.random.default_rng(7).integers(-150, 151, size=len(opens) + 1).cumsum() + 400_000
    rows = 0
    with path.open("w") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for number, opened in enumerate(opens):
            if number == skip:
                continue
            first, last = int(steps[number]), int(steps[number + 1])
            prices = (first, max(first, last) + 40, min(first, last) - 40, last)
            shown = ",".join(f"{price / 100:.2f}" for price in prices)
            file.write(f"{to_datetime(opened):%Y-%m-%dT%H:%M:%SZ},{shown},100\n")
            rows += 1
    return rows
