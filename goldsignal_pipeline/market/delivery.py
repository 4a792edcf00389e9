"""What a provider hands over: readable rows as ticks, and the rows that could not be read, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from goldsignal_pipeline.market.sources import Source
from goldsignal_pipeline.market.timeframes import Timeframe

ROW_COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")
REJECTED_COLUMNS: Final = ("timestamp", "reason", "payload")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Rows of one source and timeframe, exactly as they came, on the tick grid.

    `rows`: `timestamp` datetime64[us, UTC] (bar open), `open` `high` `low` `close` int64 ticks of 0.01 USD/oz, `volume`
    float64 (NaN when the source has none); any order, duplicates allowed, not yet judged.
    `rejected`: `timestamp` datetime64[us, UTC] (NaT when unreadable), `reason` a `RejectReason` value, `payload` the row as
    text, secrets never included.
    """

    source: Source
    timeframe: Timeframe
    rows: pd.DataFrame
    rejected: pd.DataFrame


def empty_rows() -> pd.DataFrame:
    """No rows, with the columns and dtypes of `Delivery.rows`."""
    return pd.DataFrame(
        {
            "timestamp": pd.Series([], dtype="datetime64[us, UTC]"),
            **{name: pd.Series([], dtype="int64") for name in ("open", "high", "low", "close")},
            "volume": pd.Series([], dtype="float64"),
        }
    )


def empty_rejected() -> pd.DataFrame:
    """No rejected rows, with the columns and dtypes of `Delivery.rejected`."""
    return pd.DataFrame(
        {
            "timestamp": pd.Series([], dtype="datetime64[us, UTC]"),
            "reason": pd.Series([], dtype="str"),
            "payload": pd.Series([], dtype="str"),
        }
    )
