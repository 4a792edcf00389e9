"""Saved JSON answers: OANDA v20 candles (one body or a list of them) and Twelve Data time series.

OANDA marks the forming candle itself (`complete`) and may carry bid, ask and mid side by side: each side is a source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.levels import refuse_other_instrument
from goldsignal_pipeline.providers.files.reader import QUOTE_COLUMNS, Chunk, Facts
from goldsignal_pipeline.providers.files.stamps import parse_stamps
from goldsignal_pipeline.providers.files.streams import line_blocks, open_bytes
from goldsignal_pipeline.providers.files.text_layout import DAILY_LABELS
from goldsignal_pipeline.providers.files.zones import SERVER_ON_US_DATES, UTC_ZONE, Zone

_LARGEST: Final = 256 * 1024 * 1024
_OANDA_TIMEFRAMES: Final = {**{timeframe.value: timeframe for timeframe in Timeframe}, "D": Timeframe.D1}
_TWELVEDATA_TIMEFRAMES: Final = {
    "1min": Timeframe.M1,
    "5min": Timeframe.M5,
    "15min": Timeframe.M15,
    "30min": Timeframe.M30,
    "1h": Timeframe.H1,
    "4h": Timeframe.H4,
    "1day": Timeframe.D1,
}
_LETTERS: Final = dict(zip("ohlc", QUOTE_COLUMNS, strict=False))


class JsonReader:
    """A JSON file of candles, read as a whole (answers are limited to 5000 candles)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bodies, self._position = _load(path)
        first = self._bodies[0]
        self._is_oanda = "candles" in first
        symbol = first.get("instrument") if self._is_oanda else _meta(first).get("symbol")
        refuse_other_instrument(str(symbol), where=path.name)
        self._rows = [row for body in self._bodies for row in body["candles" if self._is_oanda else "values"]]
        if not self._rows or not all(isinstance(row, Mapping) for row in self._rows):
            raise FileFormatError(f"{path.name} holds no candles", done="nothing was read", fix="fetch the file again")
        self._sides = tuple(side for side in Side if any(side in row for row in self._rows)) if self._is_oanda else (Side.MID,)

    @property
    def facts(self) -> Facts:
        """What the body says: symbol, timeframe, sides; OANDA also the zone."""
        first = self._bodies[0]
        if self._is_oanda:
            timeframe = _timeframe(_OANDA_TIMEFRAMES, first.get("granularity"), name=self._path.name)
            return Facts("oanda-json", "oanda", self._sides, timeframe, UTC_ZONE, "OANDA's times are UTC", states_instants=True)
        timeframe = _timeframe(_TWELVEDATA_TIMEFRAMES, _meta(first).get("interval"), name=self._path.name)
        zone: Zone | None = SERVER_ON_US_DATES if timeframe is Timeframe.D1 else None
        return Facts("twelvedata-json", "twelvedata", self._sides, timeframe, zone, DAILY_LABELS if zone else "")

    def chunks(self) -> Iterator[Chunk]:
        """All rows at once."""

        def payload(rows: npt.NDArray[np.int64]) -> list[str]:
            return [json.dumps(self._rows[row]) for row in rows]

        label = "time" if self._is_oanda else "datetime"
        times = pd.Series([str(row.get(label, "")) for row in self._rows], dtype="str")
        stamps = parse_stamps(_epochs_without_fraction(times), with_offset=self._is_oanda and bool(times.str.endswith("Z").any()))
        quotes = {side: self._quote(side) for side in self._sides}
        forming = np.array([row.get("complete") is False for row in self._rows])
        yield Chunk(stamps, quotes, payload, self._position, forming=forming)

    def _quote(self, side: Side) -> pd.DataFrame:
        rows: list[dict[str, Any]] = []
        for row in self._rows:
            prices = row.get(side.value) if self._is_oanda else row
            prices = prices if isinstance(prices, Mapping) else {}
            names = _LETTERS if self._is_oanda else {name: name for name in _LETTERS.values()}
            rows.append({name: prices.get(key) for key, name in names.items()} | {"volume": row.get("volume")})
        return pd.DataFrame(rows, columns=list(QUOTE_COLUMNS), dtype=object)


def _load(path: Path) -> tuple[list[dict[str, Any]], int]:
    with open_bytes(path) as source:
        text = b"".join(line_blocks(source.stream, block_bytes=_LARGEST))
        position = source.position()
    try:
        content = json.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(
            f"{path.name} is no complete JSON: {error}", done="nothing was read", fix="fetch the file again"
        ) from error
    bodies = content if isinstance(content, list) else [content]
    if bodies and isinstance(bodies[0], dict) and bodies[0].get("status") == "error":
        message = str(bodies[0].get("message", ""))[:200]
        raise FileFormatError(f"{path.name} holds a vendor's error: {message}", done="nothing was read", fix="fetch it again")
    known = [
        isinstance(body, dict)
        and (isinstance(body.get("candles"), list) or (isinstance(body.get("values"), list) and isinstance(_meta(body), dict)))
        for body in bodies
    ]
    if not bodies or not all(known) or len({"candles" in body for body in bodies}) > 1:
        raise FileFormatError(
            f"{path.name} is JSON but no answer with candles",
            done="nothing was read",
            fix="give an OANDA v20 candles body or a Twelve Data time series",
        )
    return bodies, position


def _meta(body: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = body.get("meta")
    return meta if isinstance(meta, dict) else {}


def _timeframe(known: Mapping[str, Timeframe], text: object, *, name: str) -> Timeframe | None:
    if text is None:
        return None
    if text not in known:
        raise FileFormatError(
            f"{name} holds {text} bars, which is none of M1 M5 M15 M30 H1 H4 D1",
            done="nothing was read",
            fix="fetch one of these",
        )
    return known[str(text)]


def _epochs_without_fraction(times: pd.Series) -> pd.Series:
    """OANDA's UNIX format writes `1777586400.000000000`."""
    return times.str.replace(r"^(\d{9,})\.0+$", r"\1", regex=True)
