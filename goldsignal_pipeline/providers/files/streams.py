"""Bytes of a file as the readers want them: unpacked, whole lines, UTF-8, in blocks of bounded size.

A gzip file is recognised by its content. Positions are counted in the file as it lies on the disk, so a progress bar is
right for packed files too.
"""

from __future__ import annotations

import codecs
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import pyarrow as pa

from goldsignal_pipeline.providers.files.errors import FileFormatError

BLOCK_BYTES: Final = 4 * 1024 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF16_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class ByteSource:
    """An open file: `stream` gives the unpacked bytes, `position()` how much of the file on disk was consumed."""

    stream: IO[bytes]
    disk: IO[bytes]

    def position(self) -> int:
        """Bytes of the file on disk read so far."""
        return self.disk.tell()


@contextmanager
def open_bytes(path: Path) -> Iterator[ByteSource]:
    """Open a file, unpacking gzip; raises FileFormatError when it cannot be opened or is damaged."""
    try:
        with path.open("rb") as disk:
            packed = disk.read(2) == _GZIP_MAGIC
            disk.seek(0)
            if not packed:
                yield ByteSource(disk, disk)
                return
            with gzip.open(disk, "rb") as stream:
                yield ByteSource(cast("IO[bytes]", stream), disk)
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, lzma.LZMAError, pa.ArrowException) as error:
        raise FileFormatError(f"{path.name} is damaged: {error}", done="nothing was read", fix="fetch the file again") from error
    except OSError as error:
        raise FileFormatError(
            f"{path.name} cannot be opened: {error.strerror or error}", done="nothing was read", fix="check path and rights"
        ) from error


def line_blocks(stream: IO[bytes], *, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The stream as UTF-8 blocks of whole lines, byte order mark removed, each at most one line above `block_bytes`.

    UTF-16 is recognised by its byte order mark. Bytes that are no valid UTF-8 become replacement characters, so that only
    the rows that hold them are unreadable.
    """
    carried = b""
    for block in _utf8_blocks(stream, block_bytes=block_bytes):
        text = carried + block
        cut = text.rfind(b"\n") + 1
        if cut:
            yield _valid(text[:cut])
        carried = text[cut:]
    if carried:
        yield _valid(carried)


def _utf8_blocks(stream: IO[bytes], *, block_bytes: int) -> Iterator[bytes]:
    first = stream.read(block_bytes)
    encoding = _UTF16_MARKS.get(first[:2])
    if encoding is None:
        yield first.removeprefix(codecs.BOM_UTF8)
        while block := stream.read(block_bytes):
            yield block
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    block = first[2:]
    while block:
        yield decoder.decode(block).encode()
        block = stream.read(block_bytes)
    yield decoder.decode(b"", final=True).encode()


def _valid(block: bytes) -> bytes:
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return block.decode("utf-8", errors="replace").encode()
    return block
