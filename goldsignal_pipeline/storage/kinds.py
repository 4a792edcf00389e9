"""Kinds of columns: how a frame holds one, how it travels, and what in it is NULL.

| kind | in a frame | in the database | NULL |
|---|---|---|---|
| INSTANT | `datetime64[us, UTC]` | timestamptz | NaT |
| DAY | `datetime64` of whole days, without zone | date | NaT |
| TICKS | int64 ticks | numeric(10,2) | never |
| LEVEL | int64 ticks | numeric(10,2) | 0 |
| MONEY | int64 hundredths: cents, of ounces or lots | numeric(15,2) | never |
| VOLUME | float64 | numeric(15,2) | NaN |
| UNITS | int64 ten-thousandths | numeric(10,4) | `NO_VALUE` |
| METRIC | float64, half-even at 0.0001 | numeric(10,4) | NaN |
| INTEGER | int64 | integer | `NO_VALUE` |
| BOOLEAN | bool | boolean | never |
| TEXT | str | text | "" |
| JSON | str, kept as it was written | json | "" |
| TEXTS | str, a text per line | text[] | never; "" is an empty list |

`column_field` turns a column of a frame into a field of binary COPY, `packed` says how the server packs one, `unpacked` and
`column` turn that back, and `comparable` gives values that are equal exactly when the database would hold the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from psycopg import sql

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.storage.binary_encoding import (
    NO_VALUE,
    POSTGRES_EPOCH,
    BooleanField,
    DayField,
    DecimalField,
    Field,
    InstantField,
    IntegerField,
    TextField,
    TextListField,
)

SEPARATOR: Final = "\x1f"
"""Joins texts on the way out; no text of ours contains it, and JSON cannot."""

METRIC_STEPS: Final = 10_000
"""Metrics are kept in steps of 1 / 10,000."""

_HIGHEST_METRIC: Final = 10**10 - 1
_INTEGERS: Final = np.iinfo(np.int32)


class Kind(Enum):
    """What a column holds."""

    INSTANT = auto()
    DAY = auto()
    TICKS = auto()
    LEVEL = auto()
    MONEY = auto()
    VOLUME = auto()
    UNITS = auto()
    METRIC = auto()
    INTEGER = auto()
    BOOLEAN = auto()
    TEXT = auto()
    JSON = auto()
    TEXTS = auto()


_MANY: Final = 1_000
_TEXT_DTYPE: Final = pd.StringDtype(na_value=np.nan)
_INSTANT_DTYPE: Final = pd.DatetimeTZDtype("us", "UTC")
_TEXTUAL: Final = frozenset({Kind.TEXT, Kind.JSON, Kind.TEXTS})
_PACKED: Final[dict[Kind, str]] = {
    Kind.INSTANT: "timestamptz_send(coalesce({column}, '-infinity'))",
    Kind.DAY: "date_send(coalesce({column}, '-infinity'))",
    Kind.TICKS: "int8send(({column} * 100)::bigint)",
    Kind.LEVEL: "int8send(coalesce(({column} * 100)::bigint, 0))",
    Kind.MONEY: "int8send(({column} * 100)::bigint)",
    Kind.VOLUME: "int8send(coalesce(({column} * 100)::bigint, -9223372036854775808))",
    Kind.UNITS: "int8send(coalesce(({column} * 10000)::bigint, -9223372036854775808))",
    Kind.METRIC: "int8send(coalesce(({column} * 10000)::bigint, -9223372036854775808))",
    Kind.INTEGER: "int8send(coalesce({column}::bigint, -9223372036854775808))",
    Kind.BOOLEAN: "boolsend({column})",
    Kind.TEXT: "coalesce({column}, '')",
    Kind.JSON: "coalesce({column}::text, '')",
    Kind.TEXTS: "array_to_string({column}, chr(10))",
}


@dataclass(frozen=True, slots=True)
class PackedTexts:
    """A column of texts as it arrived: one text, `SEPARATOR` between its values; NULL and "" are the same."""

    joined: str
    rows: int

    def __len__(self) -> int:
        return self.joined.count(SEPARATOR) + 1 if self.rows else 0

    def values(self) -> list[str]:
        """The texts, one per row."""
        return self.joined.split(SEPARATOR) if self.rows else []

    def array(self) -> pd.api.extensions.ExtensionArray:
        """The texts as an array of dtype `str`; fast when many are equal, as a source or a timeframe mostly is."""
        first = self.joined.partition(SEPARATOR)[0]
        if self.rows > _MANY and self.joined == SEPARATOR.join([first] * self.rows):
            return pd.array([first], dtype=_TEXT_DTYPE).repeat(self.rows)
        return pd.array(self.values(), dtype=_TEXT_DTYPE)


def column_field(values: pd.Series, *, kind: Kind) -> Field:
    """The binary field of a frame's column."""
    return _text_field(values, kind=kind) if kind in _TEXTUAL else _FIELDS[kind](comparable(values, kind=kind))


def comparable(values: pd.Series, *, kind: Kind) -> npt.NDArray[Any]:
    """The values of a column so that two are equal exactly when the database would hold the same."""
    return _COMPARABLE[kind](values)


@cache
def packed(name: str, *, kind: Kind) -> sql.Composable:
    """The expression with which the server packs the column `name` of all rows into one value."""
    separator = sql.SQL("chr(31)") if kind in _TEXTUAL else sql.SQL("''::bytea")
    return sql.SQL("string_agg({}, {})").format(sql.SQL(_PACKED[kind]).format(column=sql.Identifier(name)), separator)


def unpacked(blob: Any, *, kind: Kind, rows: int) -> Any:
    """The array of a packed column: `datetime64` for instants and days, `PackedTexts` for texts."""
    if kind in _TEXTUAL:
        return PackedTexts(blob or "", rows)
    if kind is Kind.BOOLEAN:
        return np.frombuffer(blob or b"", dtype=np.uint8).astype(bool)
    if kind is Kind.DAY:
        whole = np.frombuffer(blob or b"", dtype=">i4").astype(np.int64)
        days = POSTGRES_EPOCH.astype("datetime64[D]") + whole.astype("timedelta64[D]")
        return np.where(whole == _INTEGERS.min, np.datetime64("NaT", "D"), days)
    whole = np.frombuffer(blob or b"", dtype=">i8").astype(np.int64)
    if kind is Kind.INSTANT:
        # -infinity, which stands for NULL, has the bits of NaT.
        return POSTGRES_EPOCH + whole.astype("timedelta64[us]")
    if kind in (Kind.VOLUME, Kind.METRIC):
        return np.where(whole == NO_VALUE, np.nan, whole / (100 if kind is Kind.VOLUME else METRIC_STEPS))
    return whole


def column(values: Any, *, kind: Kind) -> Any:
    """An unpacked column as an array that a frame takes as it is."""
    if kind in _TEXTUAL:
        return values.array()
    return pd.array(values, dtype=_INSTANT_DTYPE) if kind is Kind.INSTANT else values


def joined(values: pd.Series) -> str:
    """A column of texts in the form in which `PackedTexts` arrives."""
    codes, texts = coded(values)
    if len(texts) == 1 and not (codes < 0).any():
        return SEPARATOR.join(texts * len(codes))
    texts.append("")
    return SEPARATOR.join([texts[code] for code in codes.tolist()])


def coded(values: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """A column of texts as the distinct ones and, for each row, the position of its own (-1 for a missing one)."""
    codes, distinct = pd.factorize(values)
    return codes.astype(np.int64), [str(text) for text in distinct]


def instant(moment: datetime) -> np.datetime64:
    """An aware datetime as `datetime64[us]` in UTC."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def days(values: pd.Series) -> npt.NDArray[np.datetime64]:
    """A column of days as `datetime64[D]`."""
    return np.asarray(pd.DatetimeIndex(values).as_unit("s"), dtype="datetime64[s]").astype("datetime64[D]")


def hundredths(volume: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Volumes as int64 hundredths, NaN as `NO_VALUE`."""
    absent = np.isnan(volume)
    whole: npt.NDArray[np.int64] = np.rint(np.where(absent, 0.0, volume) * 100).astype(np.int64)
    whole[absent] = NO_VALUE
    return whole


def ten_thousandths(metrics: pd.Series) -> npt.NDArray[np.int64]:
    """Metrics as int64 ten-thousandths, half-even, NaN as `NO_VALUE`; raises `DataError` for what NUMERIC(10,4) cannot hold."""
    values = metrics.to_numpy(dtype=np.float64)
    steps = np.rint(values * METRIC_STEPS)
    _refuse(metrics, np.abs(steps) > _HIGHEST_METRIC, fits="NUMERIC(10,4)")
    absent = np.isnan(values)
    whole: npt.NDArray[np.int64] = np.where(absent, 0.0, steps).astype(np.int64)
    whole[absent] = NO_VALUE
    return whole


def _whole(values: pd.Series) -> npt.NDArray[np.int64]:
    return values.to_numpy(dtype=np.int64)


def _integers(values: pd.Series) -> npt.NDArray[np.int64]:
    whole = _whole(values)
    _refuse(values, (whole != NO_VALUE) & ((whole < _INTEGERS.min) | (whole > _INTEGERS.max)), fits="an integer column")
    return whole


def _texts(values: pd.Series) -> npt.NDArray[np.object_]:
    return values.to_numpy(dtype=object, na_value="")


def _text_field(values: pd.Series, *, kind: Kind) -> Field:
    """An empty text is NULL, but for a list, where it is an empty one."""
    codes, texts = coded(values)
    if kind is Kind.TEXTS:
        return TextListField(np.where(codes < 0, len(texts), codes), [*texts, ""])
    empty = [position for position, text in enumerate(texts) if not text]
    return TextField(np.where(np.isin(codes, empty), -1, codes) if empty else codes, texts)


def _refuse(values: pd.Series, misfits: npt.NDArray[np.bool_], *, fits: str) -> None:
    if misfits.any():
        raise DataError(
            f"{values.name or 'A column'} holds {values.to_numpy()[misfits][0]}, which does not fit {fits}.",
            done="Nothing was stored.",
            fix="Report it: the computation must never give such a number.",
        )


_COMPARABLE: Final[dict[Kind, Callable[[pd.Series], npt.NDArray[Any]]]] = {
    Kind.INSTANT: lambda values: instants_of(values).view(np.int64),
    Kind.DAY: lambda values: days(values).view(np.int64),
    Kind.TICKS: _whole,
    Kind.LEVEL: _whole,
    Kind.MONEY: _whole,
    Kind.VOLUME: lambda values: hundredths(values.to_numpy(dtype=np.float64)),
    Kind.UNITS: _whole,
    Kind.METRIC: ten_thousandths,
    Kind.INTEGER: _integers,
    Kind.BOOLEAN: lambda values: values.to_numpy(dtype=bool),
    Kind.TEXT: _texts,
    Kind.JSON: _texts,
    Kind.TEXTS: _texts,
}
_FIELDS: Final[dict[Kind, Callable[[npt.NDArray[Any]], Field]]] = {
    Kind.INSTANT: lambda whole: InstantField(whole.view("datetime64[us]")),
    Kind.DAY: lambda whole: DayField(whole.view("datetime64[D]")),
    Kind.TICKS: DecimalField,
    Kind.LEVEL: lambda whole: DecimalField(np.where(whole == 0, NO_VALUE, whole)),
    Kind.MONEY: DecimalField,
    Kind.VOLUME: DecimalField,
    Kind.UNITS: lambda whole: DecimalField(whole, scale=4),
    Kind.METRIC: lambda whole: DecimalField(whole, scale=4),
    Kind.INTEGER: IntegerField,
    Kind.BOOLEAN: BooleanField,
}
