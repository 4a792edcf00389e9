"""Dukascopy's packed candles (.bi5): what and when stands in the path, the rows are fixed binary records.

A file is an LZMA stream of big-endian records of 24 bytes: seconds from the start of the file's day, month or year, then
open, close, low, high in points (1000 to the dollar for gold) and a float volume. Months in paths run from 00 to 11.
Closed hours and quiet minutes are flat rows without volume; they are handed on as they are, the calendar judges them.
"""

from __future__ import annotations

import io
import lzma
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.levels import refuse_other_instrument
from goldsignal_pipeline.providers.files.reader import Chunk, Facts, joined_payload
from goldsignal_pipeline.providers.files.streams import open_bytes
from goldsignal_pipeline.providers.files.zones import UTC_ZONE

_RECORD: Final = np.dtype(
    [("seconds", ">u4"), ("open", ">u4"), ("close", ">u4"), ("low", ">u4"), ("high", ">u4"), ("volume", ">f4")]
)
_POINTS_PER_USD: Final = 1000
_UNITS: Final = {"min": Timeframe.M1, "hour": Timeframe.H1, "day": Timeframe.D1}
_CANDLES: Final = re.compile(
    r"(?P<symbol>[A-Za-z]{6})[/_](?P<year>\d{4})(?:[/_](?P<month>\d{2}))?(?:[/_](?P<day>\d{2}))?[/_]"
    r"(?P<side>BID|ASK)_candles_(?P<unit>min|hour|day)_1\.bi5$"
)
_SYMBOL: Final = re.compile(r"([A-Z]{6})[/_]\d{4}[/_]")
# A year of minutes is 12.6 MB; more is no candle file.
_LARGEST: Final = 64 * 1024 * 1024


class Bi5Reader:
    """One .bi5 file of candles; raises FileFormatError for ticks, other symbols and paths that do not say when."""

    def __init__(self, path: Path) -> None:
        self._path = path
        tail = "/".join(path.parts[-5:])
        if symbol := _SYMBOL.search(tail):
            refuse_other_instrument(symbol[1], where=path.name)
        if "ticks" in path.name:
            raise FileFormatError(
                f"{path.name} holds ticks, not candles",
                done="nothing was read",
                fix="fetch BID_candles_min_1.bi5 of the same day",
            )
        match = _CANDLES.search(tail)
        if match is None:
            raise FileFormatError(
                f"the path of {path.name} does not say of which symbol and day it is",
                done="nothing was read",
                fix="keep Dukascopy's path: XAUUSD/2024/00/31/BID_candles_min_1.bi5 (months 00 to 11)",
            )
        self._timeframe = _UNITS[match["unit"]]
        self._start = _start(match, name=path.name)
        self._side = Side(match["side"].lower())

    @property
    def facts(self) -> Facts:
        """All from the format and the path."""
        return Facts(
            "dukascopy-bi5",
            "dukascopy",
            (self._side,),
            timeframe=self._timeframe,
            zone=UTC_ZONE,
            zone_reason="Dukascopy's packed files are in UTC",
            states_instants=True,
            points_per_usd=_POINTS_PER_USD,
        )

    def chunks(self) -> Iterator[Chunk]:
        """The whole file, at most some thousand rows."""
        with open_bytes(self._path) as source:
            records = np.frombuffer(_unpacked(source.stream.read(_LARGEST), name=self._path.name), dtype=_RECORD)
            position = source.position()
        native = {name: records[name].astype("int64") for name in ("seconds", "open", "high", "low", "close")}
        quote = pd.DataFrame({name: native[name] for name in ("open", "high", "low", "close")})
        quote["volume"] = records["volume"].astype("float64")
        stamps = self._start + native["seconds"].astype("timedelta64[s]")
        payload = joined_payload(pd.concat([pd.Series(native["seconds"]), quote], axis=1), separator=",")
        yield Chunk(stamps.astype("datetime64[us]"), {self._side: quote}, payload, position)


def _start(match: re.Match[str], *, name: str) -> np.datetime64:
    month = int(match["month"] or 0) + 1
    try:
        return np.datetime64(f"{match['year']}-{month:02d}-{int(match['day'] or 1):02d}T00:00", "us")
    except ValueError as error:
        raise FileFormatError(
            f"the path of {name} names no day of the calendar: month {match['month']} (00 to 11), day {match['day']}",
            done="nothing was read",
            fix="keep Dukascopy's path",
        ) from error


def _unpacked(packed: bytes, *, name: str) -> bytes:
    try:
        with lzma.open(io.BytesIO(packed), format=lzma.FORMAT_ALONE) as stream:
            data = stream.read(_LARGEST)
    except (lzma.LZMAError, EOFError) as error:
        raise FileFormatError(f"{name} is damaged: {error}", done="nothing was read", fix="fetch the file again") from error
    if not data or len(data) % _RECORD.itemsize:
        raise FileFormatError(
            f"{name} holds {len(data)} bytes, which is no whole number of candles",
            done="nothing was read",
            fix="fetch the file again",
        )
    return data
