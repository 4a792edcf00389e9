"""Candles for tests: a random walk on any opens, hypothesis strategies over market stretches, and the recorded files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from goldsignal_pipeline.market.candles import timestamps_of
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.projection import Projection, project
from goldsignal_pipeline.market.source_order import SourceOrders
from goldsignal_pipeline.market.timeframes import Timeframe

CALENDAR = load_calendar()
GRACE = timedelta(seconds=120)
MUCH_LATER = datetime(2027, 1, 1, tzinfo=UTC)
BID = "one:bid"
OTHER = "two:bid"
PRICES = ["open", "high", "low", "close"]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


def walk(opens: np.ndarray, *, seed: int, start_ticks: int = 200_000, step_ticks: int = 40) -> pd.DataFrame:
    """Bars on `opens` whose prices wander by at most `step_ticks` a bar; some have no volume."""
    rng = np.random.default_rng(seed)
    moves = rng.integers(-step_ticks, step_ticks + 1, len(opens))
    close = start_ticks + np.cumsum(moves)
    open_ = np.concatenate([[start_ticks], close[:-1]])[: len(opens)]
    wicks = rng.integers(1, step_ticks + 1, (2, len(opens)))
    volume = rng.integers(0, 1_000_000, len(opens)) / 100
    return pd.DataFrame(
        {
            "timestamp": timestamps_of(opens),
            "open": open_,
            "high": np.maximum(open_, close) + wicks[0],
            "low": np.minimum(open_, close) - wicks[1],
            "close": close,
            "volume": np.where(rng.random(len(opens)) < 0.1, np.nan, volume),
        }
    )


def observed(
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    *,
    source: str = BID,
    seed: int = 1,
    missing: Callable[[np.ndarray], Any] | None = None,
    **walking: int,
) -> pd.DataFrame:
    """Observations of one source at every open that the calendar expects in [start, end), less those `missing` marks."""
    opens = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=end)
    rows = walk(opens, seed=seed, **walking).assign(source=source, timeframe=timeframe.value)
    if missing is None:
        return rows
    return rows[~np.asarray(missing(opens), dtype=bool)].reset_index(drop=True)


def projected(
    observations: pd.DataFrame,
    start: datetime,
    end: datetime,
    *,
    now: datetime = MUCH_LATER,
    order: SourceOrders | tuple[str, ...] = (BID, OTHER),
) -> Projection:
    """The candles of the months, by the tests' calendar and grace."""
    orders = order if isinstance(order, SourceOrders) else SourceOrders(order)
    return project(observations, calendar=CALENDAR, start=start, end=end, now=now, grace=GRACE, source_order=orders)


@st.composite
def walks(draw: st.DrawFn, *, timeframe: Timeframe, largest: int = 400) -> pd.DataFrame:
    """A stretch of expected bars anywhere in 2004-2026, with holes, shuffled."""
    start = draw(st.datetimes(datetime(2004, 1, 1), datetime(2026, 6, 1))).replace(tzinfo=UTC)
    span = timeframe.length * draw(st.integers(1, largest)) + timedelta(days=4)
    opens = CALENDAR.expected_opens(timeframe=timeframe, start=start, end=start + span)[:largest]
    seed = draw(st.integers(0, 2**32 - 1))
    keep = np.random.default_rng(seed).random(len(opens)) >= draw(st.sampled_from([0.0, 0.02, 0.5]))
    keep[0] = True
    return walk(opens[keep], seed=seed).sample(frac=1, random_state=seed).reset_index(drop=True)


def recorded(folder: Path, timeframe: Timeframe, name: str, *, source: str | None = None) -> pd.DataFrame:
    """A recorded file as observations in ticks, rounded here by numpy and not by the code under test."""
    raw = pd.read_csv(folder / "candles" / f"xauusd_{timeframe.value}_{name}.csv.gz")
    return pd.DataFrame(
        {
            "source": source or f"{name}:bid",
            "timeframe": timeframe.value,
            "timestamp": pd.to_datetime(raw["timestamp"]).dt.as_unit("us"),
            **{column: np.rint(raw[column] * 100).astype(np.int64) for column in ("open", "high", "low", "close")},
            "volume": raw["volume"].astype(np.float64),
        }
    )
