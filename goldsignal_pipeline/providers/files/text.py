"""Text files of candles, read in blocks: MetaTrader, HistData, Dukascopy CSV, Twelve Data CSV and plain CSV.

A line that does not have the header's number of columns is handed on as unreadable; everything else is a row, whatever
stands in it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.providers.files.reader import QUOTE_COLUMNS, Chunk, Facts, joined_payload
from goldsignal_pipeline.providers.files.stamps import parse_stamps
from goldsignal_pipeline.providers.files.streams import ByteSource, line_blocks, open_bytes
from goldsignal_pipeline.providers.files.text_layout import TextLayout, recognise

_SAMPLE_BYTES: Final = 256 * 1024
Opener = Callable[[], AbstractContextManager[ByteSource]]


class TextReader:
    """A text file, or a text member of an archive, by whatever opens it."""

    def __init__(self, opener: Opener, *, name: str) -> None:
        self._opener = opener
        with opener() as source:
            sample = next(line_blocks(source.stream, block_bytes=_SAMPLE_BYTES), b"").decode("utf-8")
        self._layout = recognise(sample, name=name)

    @classmethod
    def of_file(cls, path: Path) -> TextReader:
        """Read a plain or gzipped file."""
        return cls(lambda: open_bytes(path), name=path.name)

    @property
    def facts(self) -> Facts:
        """What the header, the comments and the name of the file say."""
        return self._layout.facts

    def chunks(self) -> Iterator[Chunk]:
        """All rows in file order, a block of the file at a time."""
        with self._opener() as source:
            to_skip = self._layout.skipped_lines
            for block in line_blocks(source.stream):
                rows, to_skip = _without_lines(block, to_skip)
                if rows.strip():
                    yield _chunk(rows, self._layout, position=source.position())


def split_lines(block: bytes, *, columns: tuple[str, ...], delimiter: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns of a block of lines as text, and the lines that have another number of columns."""
    unreadable: list[str] = []

    def keep(row: arrow_csv.InvalidRow) -> str:
        unreadable.append(str(row.text))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            io.BytesIO(block),
            read_options=arrow_csv.ReadOptions(column_names=list(columns), use_threads=False, block_size=max(len(block), 1)),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False, invalid_row_handler=keep),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        # Arrow gives up on a block without a single good line.
        return pd.DataFrame({name: pd.Series([], dtype="str") for name in columns}), tuple(block.decode().splitlines())
    frame = table.to_pandas()
    for name in columns:
        if frame[name].str.contains('"', regex=False).any():
            frame[name] = frame[name].str.strip('"')
    return frame, tuple(unreadable)


def quote_of(frame: pd.DataFrame, *, prices: tuple[str, ...], volume: str | None) -> pd.DataFrame:
    """Open, high, low, close and volume (NaN where there is none) of one side."""
    quote = frame[list(prices)].set_axis(list(QUOTE_COLUMNS[:4]), axis=1)
    return quote.assign(volume=frame[volume] if volume else np.nan)


def _chunk(block: bytes, layout: TextLayout, *, position: int) -> Chunk:
    frame, unreadable = split_lines(block, columns=layout.columns, delimiter=layout.delimiter)
    times = frame[layout.time_columns[0]]
    if len(layout.time_columns) == 2:
        times = times.str.strip() + " " + frame[layout.time_columns[1]].str.strip()
    stamps = parse_stamps(times, with_offset=layout.with_offset)
    side: Side = layout.facts.sides[0]
    quote = quote_of(frame, prices=layout.price_columns, volume=layout.volume_column)
    payload: Callable[[npt.NDArray[np.int64]], list[str]] = joined_payload(frame, separator=layout.delimiter)
    return Chunk(stamps, {side: quote}, payload, position, unreadable=unreadable)


def _without_lines(block: bytes, count: int) -> tuple[bytes, int]:
    """The block without its first `count` lines, and how many lines remain to be dropped from the next one."""
    while count and block:
        _, _, block = block.partition(b"\n")
        count -= 1
    return block, count
