"""Which format a file has, by its first bytes; its name is only consulted where bytes cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from goldsignal_pipeline.providers.files.archive import open_zip
from goldsignal_pipeline.providers.files.dukascopy import Bi5Reader
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.json_bodies import JsonReader
from goldsignal_pipeline.providers.files.levels import refuse_other_instrument
from goldsignal_pipeline.providers.files.parquet import ParquetReader
from goldsignal_pipeline.providers.files.reader import Reader
from goldsignal_pipeline.providers.files.streams import line_blocks, open_bytes
from goldsignal_pipeline.providers.files.text import TextReader

_HEAD_BYTES: Final = 64 * 1024
_LZMA_ALONE: Final = b"\x5d\x00\x00"
# Control characters that no text file has; tab, line feed, form feed and carriage return are allowed.
_CONTROLS: Final = bytes(code for code in range(32) if code not in (9, 10, 12, 13))


def open_reader(path: Path) -> Reader:
    """The reader of a file; raises FileFormatError when it is empty, of no known format, or named after another instrument."""
    with open_bytes(path) as source:
        head = source.stream.read(_HEAD_BYTES)
    if not head.strip():
        raise FileFormatError(f"{path.name} is empty", done="nothing was read", fix="export or fetch the file again")
    refuse_other_instrument(path.name, where="the file's name")
    if path.name.endswith(".bi5") or head.startswith(_LZMA_ALONE):
        return Bi5Reader(path)
    if head.startswith(b"PK\x03\x04"):
        return open_zip(path)
    if head.startswith(b"PAR1"):
        return ParquetReader(path)
    _refuse_foreign(path, head)
    if _text(path).lstrip().startswith(("{", "[")):
        return JsonReader(path)
    return TextReader.of_file(path)


def _refuse_foreign(path: Path, head: bytes) -> None:
    text = _text(path)
    if any(chr(code) in text for code in _CONTROLS):
        raise FileFormatError(
            f"{path.name} is binary and of no known format (it begins {head[:8].hex(' ')})",
            done="nothing was read",
            fix="give CSV, Parquet, OANDA JSON, Lean zip, HistData, MetaTrader or Dukascopy files",
        )
    if text.lstrip().lower().startswith(("<!doctype", "<html")):
        raise FileFormatError(
            f"{path.name} is a web page, probably a site's refusal instead of the data",
            done="nothing was read",
            fix="open it in a browser, follow what it asks for and download again",
        )


def _text(path: Path) -> str:
    with open_bytes(path) as source:
        return next(line_blocks(source.stream, block_bytes=_HEAD_BYTES), b"").decode("utf-8", errors="replace")
