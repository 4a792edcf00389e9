"""Frames of made-up bars for the storage tests."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

SYMBOL = "XAUUSD"


def timestamps(start: datetime | str, *, count: int, minutes: int = 5) -> pd.DatetimeIndex:
    first = np.datetime64(start if isinstance(start, str) else start.replace(tzinfo=None), "us")
    return pd.DatetimeIndex(first + np.arange(count) * np.timedelta64(minutes * 60_000_000, "us")).tz_localize("UTC")


def rows(start: datetime | str, *, count: int, minutes: int = 5, seed: int = 1, with_volume: bool = True) -> pd.DataFrame:
    """Observations as `Delivery.rows` has them."""
    random = np.random.default_rng(seed)
    close = 200_000 + random.integers(-5_000, 5_000, count)
    open_ = close + random.integers(-300, 301, count)
    volume = random.integers(0, 10**6, count) / 100 if with_volume else np.full(count, np.nan)
    return pd.DataFrame(
        {
            "timestamp": timestamps(start, count=count, minutes=minutes),
            "open": open_,
            "high": np.maximum(open_, close) + random.integers(0, 100, count),
            "low": np.minimum(open_, close) - random.integers(0, 100, count),
            "close": close,
            "volume": volume,
        }
    )


def candles(start: datetime | str, *, count: int, timeframe: str = "M5", minutes: int = 5, seed: int = 1) -> pd.DataFrame:
    """Candles as `market.candles.CANDLE_DTYPES` has them."""
    frame = rows(start, count=count, minutes=minutes, seed=seed)
    frame.insert(0, "timeframe", pd.Series([timeframe] * count, dtype="str"))
    return frame.assign(
        source=pd.Series(["dukascopy:bid"] * count, dtype="str"),
        base_timeframe=pd.Series(["M5"] * count, dtype="str"),
        base_bars=1,
        flag=pd.Series(["outlier" if position % 97 == 0 else "" for position in range(count)], dtype="str"),
    )
