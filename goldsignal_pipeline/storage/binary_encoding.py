"""PostgreSQL's binary COPY format out of arrays, a block of rows at a time and without a Python loop over rows.

1. Each field renders its part of a block as bytes: a matrix with one line per row, and the length of each line when they
   differ.
2. `encode` sets the parts side by side behind the field count, drops the padding of shorter lines, and yields the blocks
   between the header and the trailer of the format.

NUMERIC travels as groups of four decimal digits; the server strips zeros, so every row of a block may carry the same number
of groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Lengths = npt.NDArray[np.int64]

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
ROWS_PER_BLOCK: Final = 8_192
POSTGRES_EPOCH: Final = np.datetime64("2000-01-01", "us")
NO_VALUE: Final = np.iinfo(np.int64).min
"""Stands for NULL in arrays of whole numbers."""

_NULL_LENGTH: Final = b"\xff\xff\xff\xff"
_FEW: Final = 64
_OID_OF_TEXT: Final = 25


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A field of a block: bytes per row, and how many of them count (None: all)."""

    content: Bytes
    lengths: Lengths | None = None


class Field(Protocol):
    """A column that can render any block of its rows."""

    def render(self, rows: slice) -> Part:
        """The bytes of `rows`, each value with its length in front."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class InstantField:
    """`datetime64[us]` in UTC as TIMESTAMPTZ; NaT is NULL."""

    values: npt.NDArray[np.datetime64]

    def render(self, rows: slice) -> Part:
        """Eight bytes of microseconds since 2000-01-01."""
        values = self.values[rows].astype("datetime64[us]")
        packed = np.empty(len(values), dtype=[("length", ">i4"), ("micros", ">i8")])
        packed["length"] = 8
        packed["micros"] = (values - POSTGRES_EPOCH).astype(np.int64)
        return _with_nulls(_as_bytes(packed), np.isnat(values))


@dataclass(frozen=True, slots=True, eq=False)
class DayField:
    """`datetime64[D]` as DATE; NaT is NULL."""

    values: npt.NDArray[np.datetime64]

    def render(self, rows: slice) -> Part:
        """Four bytes of days since 2000-01-01."""
        values = self.values[rows].astype("datetime64[D]")
        absent = np.isnat(values)
        days = np.where(absent, POSTGRES_EPOCH.astype("datetime64[D]"), values) - POSTGRES_EPOCH.astype("datetime64[D]")
        return _with_nulls(_as_bytes(_four_bytes(days.astype(np.int64))), absent)


@dataclass(frozen=True, slots=True, eq=False)
class IntegerField:
    """Integers as INTEGER (4 bytes); `NO_VALUE` is NULL."""

    values: npt.NDArray[np.integer]

    def render(self, rows: slice) -> Part:
        """Four bytes, most significant first."""
        values = self.values[rows]
        absent = values == NO_VALUE
        return _with_nulls(_as_bytes(_four_bytes(np.where(absent, 0, values))), absent)


@dataclass(frozen=True, slots=True, eq=False)
class BooleanField:
    """Truth values as BOOLEAN."""

    values: npt.NDArray[np.bool_]

    def render(self, rows: slice) -> Part:
        """One byte, 0 or 1."""
        packed = np.empty(len(self.values[rows]), dtype=[("length", ">i4"), ("value", "u1")])
        packed["length"] = 1
        packed["value"] = self.values[rows]
        return Part(_as_bytes(packed))


@dataclass(frozen=True, slots=True, eq=False)
class DecimalField:
    """int64 hundredths (`scale` 2: ticks, volume, money) or ten-thousandths (4) as NUMERIC; `NO_VALUE` is NULL."""

    values: npt.NDArray[np.int64]
    scale: int = 2

    def render(self, rows: slice) -> Part:
        """As many groups of four digits as the largest value of the block needs."""
        values = self.values[rows]
        absent = values == NO_VALUE
        magnitudes = np.abs(np.where(absent, 0, values)) if absent.any() else np.abs(values)
        largest, unit = int(magnitudes.max(initial=0)), 10**self.scale
        if largest < 2**31:
            magnitudes = magnitudes.astype(np.int32)
        groups = max(1, -(-len(str(largest // unit)) // 4))
        names = [f"group_{position}" for position in range(groups + 1)]
        packed = np.empty(
            len(values),
            dtype=[("length", ">i4"), ("count", ">i2"), ("weight", ">i2"), ("sign", ">u2"), ("scale", ">u2")]
            + [(name, ">u2") for name in names],
        )
        packed["length"] = 8 + 2 * len(names)
        packed["count"] = len(names)
        packed["weight"] = groups - 1
        packed["sign"] = np.where(values < 0, 0x4000, 0) if int(values.min(initial=0)) < 0 else 0
        packed["scale"] = self.scale
        rest = magnitudes // unit
        packed[names[-1]] = (magnitudes - rest * unit) * (10_000 // unit)
        for name in reversed(names[1:-1]):
            higher = rest // 10_000
            packed[name] = rest - higher * 10_000
            rest = higher
        packed[names[0]] = rest
        return _with_nulls(_as_bytes(packed), absent)


@dataclass(frozen=True, slots=True, eq=False)
class TextField:
    """Texts as TEXT, or JSON as it stands: `values[codes[i]]` is the text of row i, code -1 is NULL."""

    codes: npt.NDArray[np.int64]
    values: Sequence[str]

    @classmethod
    def constant(cls, value: str | None, *, rows: int) -> TextField:
        """The same text (or NULL) in every row."""
        return cls(np.full(rows, -1 if value is None else 0), [] if value is None else [value])

    def render(self, rows: slice) -> Part:
        """Each text as UTF-8 behind its length."""
        return _coded(self.codes[rows], self.values, str.encode)


@dataclass(frozen=True, slots=True, eq=False)
class TextListField:
    """Lists of texts as TEXT[]: `values[codes[i]]` is that of row i, a text per line, none in an empty text."""

    codes: npt.NDArray[np.int64]
    values: Sequence[str]

    def render(self, rows: slice) -> Part:
        """Each list as an array of one dimension behind its length."""
        return _coded(self.codes[rows], self.values, _text_array)


def encode(fields: Sequence[Field], *, rows: int) -> Iterator[bytes]:
    """The rows as binary COPY, in blocks."""
    yield HEADER
    for start in range(0, rows, ROWS_PER_BLOCK):
        yield _block(fields, slice(start, min(start + ROWS_PER_BLOCK, rows)))
    yield TRAILER


def _block(fields: Sequence[Field], rows: slice) -> bytes:
    count = rows.stop - rows.start
    head = np.broadcast_to(np.frombuffer(len(fields).to_bytes(2, "big"), dtype=np.uint8), (count, 2))
    parts = [Part(head), *(field.render(rows) for field in fields)]
    block = np.concatenate([part.content for part in parts], axis=1)
    if all(part.lengths is None for part in parts):
        return block.tobytes()
    kept = np.ones(block.shape, dtype=bool)
    at = 0
    for part in parts:
        width = part.content.shape[1]
        if part.lengths is not None:
            np.less(np.arange(width), part.lengths[:, None], out=kept[:, at : at + width])
        at += width
    return block[kept].tobytes()


def _coded(codes: npt.NDArray[np.int64], values: Sequence[str], encoded: Callable[[str], bytes]) -> Part:
    """The encoded value of each code behind its length, NULL for -1."""
    if len(values) > _FEW:
        # Of many texts a block holds only some; the others would be encoded, and padded, for nothing.
        used, codes = np.unique(codes, return_inverse=True)
        codes, values = codes - int(used[0] < 0), [values[code] for code in used[used >= 0].tolist()]
    lines = [len(content).to_bytes(4, "big") + content for content in map(encoded, values)]
    lines.append(_NULL_LENGTH)
    first = codes[0] if len(codes) else -1
    if np.all(codes == first):
        line = np.frombuffer(lines[first], dtype=np.uint8)
        return Part(np.broadcast_to(line, (len(codes), len(line))))
    widest = max(map(len, lines))
    table = np.frombuffer(b"".join(line.ljust(widest, b"\0") for line in lines), dtype=np.uint8).reshape(-1, widest)
    return Part(table[codes], np.array([len(line) for line in lines])[codes])


def _text_array(lines: str) -> bytes:
    """A text per line as PostgreSQL's array: dimensions, no NULL inside, element type; then count, first index, elements."""
    texts = [line.encode() for line in lines.split("\n")] if lines else []
    head = [len(texts) and 1, 0, _OID_OF_TEXT, *([len(texts), 1] if texts else [])]
    elements = (len(text).to_bytes(4, "big") + text for text in texts)
    return b"".join(number.to_bytes(4, "big") for number in head) + b"".join(elements)


def _four_bytes(values: npt.NDArray[np.integer]) -> npt.NDArray[np.void]:
    packed = np.empty(len(values), dtype=[("length", ">i4"), ("value", ">i4")])
    packed["length"] = 4
    packed["value"] = values
    return packed


def _with_nulls(content: Bytes, absent: npt.NDArray[np.bool_]) -> Part:
    if not absent.any():
        return Part(content)
    null = np.frombuffer(_NULL_LENGTH, dtype=np.uint8)
    if absent.all():
        return Part(np.broadcast_to(null, (len(content), 4)))
    content[absent, :4] = null
    return Part(content, np.where(absent, 4, content.shape[1]))


def _as_bytes(packed: npt.NDArray[np.void]) -> Bytes:
    return packed.view(np.uint8).reshape(len(packed), packed.dtype.itemsize)
