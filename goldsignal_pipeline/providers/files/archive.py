"""Zip archives: Lean's quote and trade files, and any archive with one text file of candles in it (HistData's).

Lean stores minute files per UTC day, `milliseconds,bid open,high,low,close,size,ask open,...`, the day in the name; hour
and daily files begin with `YYYYMMDD HH:MM`. A side without a quote has empty fields: no observation, not a bad one.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.levels import refuse_other_instrument
from goldsignal_pipeline.providers.files.reader import Chunk, Facts, Reader, joined_payload
from goldsignal_pipeline.providers.files.stamps import parse_stamps
from goldsignal_pipeline.providers.files.streams import ByteSource, line_blocks, open_bytes
from goldsignal_pipeline.providers.files.text import Opener, TextReader, quote_of, split_lines
from goldsignal_pipeline.providers.files.zones import UTC_ZONE

_ENCRYPTED: Final = 1
_PRICES: Final = ("open", "high", "low", "close")
_LEAN_ROW: Final = re.compile(r"(?:\d{1,8}|\d{8} \d{2}:\d{2})(?P<values>(?:,[\d.]*){10}|(?:,[\d.]*){5})")
_LEAN_DAY: Final = re.compile(r"(?P<day>\d{8})_(?P<symbol>[a-z]+)_(?P<resolution>[a-z]+)_(?:quote|trade)", re.IGNORECASE)


def open_zip(path: Path) -> Reader:
    """The reader of an archive; raises FileFormatError when it does not hold exactly one file of candles."""
    with open_bytes(path) as source, zipfile.ZipFile(source.stream) as archive:
        names = archive.namelist()
        if any(name.startswith("xl/") for name in names):
            raise FileFormatError(f"{path.name} is an Excel workbook", done="nothing was read", fix="save the sheet as CSV")
        tables = [name for name in names if name.lower().endswith(".csv")] or [name for name in names if not name.endswith("/")]
        if len(tables) != 1:
            raise FileFormatError(
                f"{path.name} holds {len(tables)} files, expected one of candles", done="nothing was read", fix="unpack it first"
            )
        if archive.getinfo(tables[0]).flag_bits & _ENCRYPTED:
            raise FileFormatError(f"{path.name} is encrypted", done="nothing was read", fix="unpack it first")
        with archive.open(tables[0]) as member:
            first = next(line_blocks(member, block_bytes=4096), b"").split(b"\n")[0].decode().strip()
    opener = _member_opener(path, tables[0])
    if match := _LEAN_ROW.fullmatch(first):
        return LeanReader(opener, path=path, member=tables[0], has_ask=match["values"].count(",") == 10)
    return TextReader(opener, name=tables[0])


def _member_opener(path: Path, member: str) -> Opener:
    @contextmanager
    def opener() -> Iterator[ByteSource]:
        with open_bytes(path) as source, zipfile.ZipFile(source.stream) as archive, archive.open(member) as stream:
            yield ByteSource(stream, source.disk)

    return opener


class LeanReader:
    """A Lean data file of gold, of quotes (bid and ask) or trades."""

    def __init__(self, opener: Opener, *, path: Path, member: str, has_ask: bool) -> None:
        self._opener = opener
        refuse_other_instrument(f"{path.name} {member}", where=path.name)
        day = _LEAN_DAY.search(member)
        if day is not None and day["resolution"].lower() not in ("minute", "hour", "daily"):
            raise FileFormatError(
                f"{path.name} holds {day['resolution']} data, not candles of M1 or longer",
                done="nothing was read",
                fix="give Lean's minute, hour or daily files",
            )
        self._day = _day_of(day["day"], name=path.name) if day is not None else None
        self._sides = (Side.BID, Side.ASK) if has_ask else (Side.MID,)
        names = [f"{side}_{name}" for side in self._sides for name in (*_PRICES, "size")]
        self._columns = ("time", *names)
        self._vendor = "fxcm" if "fxcm" in {part.lower() for part in path.parts} else "oanda"

    @property
    def facts(self) -> Facts:
        """Sides from the columns, zone from the format."""
        timeframe = Timeframe.M1 if self._day is not None else None
        note = f"taken as {self._vendor}'s quotes (--source names another vendor)"
        return Facts("lean", self._vendor, self._sides, timeframe, UTC_ZONE, "Lean stores these quotes in UTC", notes=(note,))

    def chunks(self) -> Iterator[Chunk]:
        """All rows in file order, a block of the file at a time."""
        with self._opener() as source:
            for block in line_blocks(source.stream):
                frame, unreadable = split_lines(block, columns=self._columns, delimiter=",")
                quotes = {side: _side(frame, side) for side in self._sides}
                payload: Callable[..., list[str]] = joined_payload(frame, separator=",")
                yield Chunk(self._stamps(frame["time"]), quotes, payload, source.position(), unreadable=unreadable)

    def _stamps(self, times: pd.Series) -> Instants:
        if self._day is None:
            return parse_stamps(times, with_offset=False)
        milliseconds = pd.to_numeric(times, errors="coerce").to_numpy(dtype=np.float64)
        stamps = np.full(len(times), np.datetime64("NaT", "us"), dtype="datetime64[us]")
        known = np.isfinite(milliseconds)
        stamps[known] = self._day + (milliseconds[known] * 1000).astype(np.int64).astype("timedelta64[us]")
        return stamps


def _side(frame: pd.DataFrame, side: Side) -> pd.DataFrame:
    return quote_of(frame, prices=tuple(f"{side}_{name}" for name in _PRICES), volume=f"{side}_size")


def _day_of(text: str, *, name: str) -> np.datetime64:
    try:
        return np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}", "us")
    except ValueError as error:
        raise FileFormatError(f"{name} names no day: {text}", done="nothing was read", fix="keep Lean's file names") from error
