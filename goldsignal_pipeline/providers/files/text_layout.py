"""What the first lines of a text file tell: which of the known layouts it has, its columns, and what it states.

| format | recognised by | zone | side |
|---|---|---|---|
| mt5-export | `<DATE>` `<TIME>` `<OPEN>` ... | server clock, to be inferred | bid |
| mt5-rates | `tick_volume` (copy_rates; also archives appended day by day) | server clock, to be inferred | bid |
| mt5-archive | `YYYY.MM.DD HH:MM;o;h;l;c;v` | server clock, to be inferred | bid |
| mt4-export | `YYYY.MM.DD,HH:MM,o,h,l,c,v` | server clock, to be inferred | bid |
| histdata-mt | the same with zero volumes or a DAT_MT name | UTC-5 all year | bid |
| histdata-ascii | `YYYYMMDD HHMMSS;o;h;l;c;v` | UTC-5 all year | bid |
| dukascopy-csv | `Gmt time`, `Local time`, `UTC` or `EET` | as the header says | in the file name |
| twelvedata-csv | `datetime;open;high;low;close` | `# timezone:` line, else to be inferred | mid |
| csv | a time column and open, high, low, close | Z or offset in the rows, else to be inferred | in the file name, else bid |
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.levels import refuse_other_instrument
from goldsignal_pipeline.providers.files.reader import Facts
from goldsignal_pipeline.providers.files.stamps import states_offset
from goldsignal_pipeline.providers.files.zones import (
    EASTERN_WITHOUT_DST,
    SERVER_ON_EU_DATES,
    SERVER_ON_US_DATES,
    UTC_ZONE,
    Zone,
    parse_zone,
)

SAMPLE_LINES: Final = 1000
DAILY_LABELS: Final = "Twelve Data labels a daily bar with the date on which its New York day ends"
_DELIMITERS: Final = "\t;,"
_TIMES: Final = ("time", "date", "datetime", "timestamp", "date_time", "gmt_time", "local_time", "utc", "etc/utc", "eet")
_SHORT: Final = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_TICK_VOLUMES: Final = ("tick_volume", "tickvol", "tick_vol")
_VOLUMES: Final = (*_TICK_VOLUMES, "volume", "vol", "real_volume")
_PRICES: Final = ("open", "high", "low", "close")
_SYMBOLS: Final = ("symbol", "ticker", "instrument", "pair")
_DUKASCOPY_ZONES: Final = {
    "gmt_time": UTC_ZONE,
    "utc": UTC_ZONE,
    "etc/utc": UTC_ZONE,
    "eet": SERVER_ON_EU_DATES,
    "local_time": None,
}
_SIDE_IN_NAME: Final = re.compile(r"(?<![a-z])(bid|ask|mid)(?![a-z])", re.IGNORECASE)
_TIMEZONE_LINE: Final = re.compile(r"#.*time\s?zone\s*[:=]\s*(\S+)", re.IGNORECASE)
_HEADERLESS: Final = {
    re.compile(r"\d{4}\.\d{2}\.\d{2},\d{1,2}:\d{2}(:\d{2})?(,[^,]*){4,5}"): ("mt4-export", ("date", "time")),
    re.compile(r"\d{8} \d{6};[^;]*;[^;]*;[^;]*;[^;]*;[^;]*"): ("histdata-ascii", ("time",)),
    re.compile(r"\d{4}\.\d{2}\.\d{2} \d{1,2}:\d{2}(:\d{2})?(;[^;]*){4,5}"): ("mt5-archive", ("time",)),
}
_TICKS: Final = re.compile(r"\d{8} \d{9}[,;][^,;]*[,;][^,;]*([,;].*)?")


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How to take the lines apart. `skipped_lines` go before the first row; `price_columns` hold open, high, low, close."""

    facts: Facts
    delimiter: str
    columns: tuple[str, ...]
    time_columns: tuple[str, ...]
    price_columns: tuple[str, ...]
    volume_column: str | None
    skipped_lines: int
    with_offset: bool


@dataclass(slots=True)
class _Head:
    """The first lines without the comments in front of them."""

    lines: list[str]
    comments: list[str] = field(default_factory=list)


def recognise(sample: str, *, name: str) -> TextLayout:
    """The layout of a text file from its first lines and its name; raises FileFormatError when it has none."""
    head = _Head(sample.splitlines()[:SAMPLE_LINES])
    while head.lines and (head.lines[0].startswith("#") or not head.lines[0].strip()):
        head.comments.append(head.lines.pop(0))
    if not head.lines:
        raise FileFormatError(f"{name} holds no rows", done="nothing was read", fix="export the file again")
    first = head.lines[0].strip()
    if _TICKS.fullmatch(first):
        raise _ticks(name)
    for pattern, (format_name, time_columns) in _HEADERLESS.items():
        if pattern.fullmatch(first):
            return _headerless(head, format_name, time_columns, name=name)
    return _with_header(head, name=name)


def _headerless(head: _Head, format_name: str, time_columns: tuple[str, ...], *, name: str) -> TextLayout:
    delimiter = "," if format_name == "mt4-export" else ";"
    fields = head.lines[0].split(delimiter)
    has_volume = len(fields) == len(time_columns) + 5
    columns = (*time_columns, *_PRICES, *(("volume",) if has_volume else ()))
    volumes = {line.rsplit(delimiter, 1)[-1].strip() for line in head.lines}
    if format_name == "mt4-export" and (name.upper().startswith("DAT_MT") or volumes == {"0"}):
        format_name = "histdata-mt"
    if format_name.startswith("histdata"):
        reason = "HistData stamps are Eastern Standard Time without daylight saving, all year"
        facts = Facts(format_name, "histdata", (Side.BID,), zone=EASTERN_WITHOUT_DST, zone_reason=reason)
    else:
        facts = Facts(format_name, "metatrader", (Side.BID,))
    volume = "volume" if has_volume else None
    return TextLayout(facts, delimiter, columns, time_columns, _PRICES, volume, len(head.comments), False)


def _with_header(head: _Head, *, name: str) -> TextLayout:
    header = head.lines[0].strip()
    delimiter = max(_DELIMITERS, key=header.count)
    columns = tuple(_normal(column) or f"column_{position}" for position, column in enumerate(header.split(delimiter)))
    known = {_SHORT.get(column, column): column for column in reversed(columns)}
    missing = [price for price in _PRICES if price not in known]
    times = [column for column in columns if column in _TIMES]
    if missing or not times:
        if {"bid", "ask"} <= set(columns):
            raise _ticks(name)
        lacking = ", ".join(missing) or "a time column"
        raise FileFormatError(
            f"{name} holds no candles: its first line is {header[:80]!r}, which lacks {lacking}",
            done="nothing was read",
            fix="give a file with a time column and open, high, low, close",
        )
    rows = [line.split(delimiter) for line in head.lines[1:]]
    frame = pd.DataFrame([row for row in rows if len(row) == len(columns)], columns=list(columns), dtype="str")
    _refuse_mixtures(frame, name=name)
    time_columns = ("date", "time") if {"date", "time"} <= set(times) else (times[0],)
    with_offset = len(frame) > 0 and len(time_columns) == 1 and states_offset(frame[times[0]])
    volume = next((column for column in _VOLUMES if column in columns), known.get("volume"))
    price_columns = tuple(known[price] for price in _PRICES)
    daily = len(frame) > 0 and bool((frame[times[0]].str.len() <= len("2024-01-31")).all())
    facts = _facts(
        head, header, columns, time_columns, delimiter=delimiter, with_offset=with_offset, daily_labels=daily, name=name
    )
    skipped = len(head.comments) + 1
    return TextLayout(facts, delimiter, columns, time_columns, price_columns, volume, skipped, with_offset)


def _facts(
    head: _Head,
    header: str,
    columns: tuple[str, ...],
    times: tuple[str, ...],
    *,
    delimiter: str,
    with_offset: bool,
    daily_labels: bool,
    name: str,
) -> Facts:
    in_name = _SIDE_IN_NAME.search(name)
    commented = _commented_zone(head.comments)
    zone, reason = (commented, "its comment line says so") if commented else (None, "")
    assumed = Side.BID
    if header.startswith("<"):
        format_name, vendor = "mt5-export", "metatrader"
    elif any(column in columns for column in _TICK_VOLUMES):
        format_name, vendor = "mt5-rates", "metatrader"
    elif times[0] in _DUKASCOPY_ZONES:
        format_name, vendor = "dukascopy-csv", "dukascopy"
        zone = _DUKASCOPY_ZONES[times[0]]
        reason = f"its header says {times[0].replace('_', ' ')!r}" if zone else ""
    elif delimiter == ";" and times[0] == "datetime":
        format_name, vendor, assumed = "twelvedata-csv", "twelvedata", Side.MID
        zone, reason = (SERVER_ON_US_DATES, DAILY_LABELS) if daily_labels else (zone, reason)
    else:
        format_name = vendor = "csv"
    if with_offset:
        zone, reason = UTC_ZONE, "its rows state their offset from UTC"
    side = Side(in_name[1].lower()) if in_name else assumed
    return Facts(
        format_name,
        vendor,
        (side,),
        zone=zone,
        zone_reason=reason,
        states_instants=with_offset,
        side_assumed=format_name == "csv" and not in_name,
    )


def _commented_zone(comments: list[str]) -> Zone | None:
    for comment in comments:
        if match := _TIMEZONE_LINE.match(comment):
            # A name that is no zone ("Exchange") states nothing.
            with contextlib.suppress(UsageError):
                return parse_zone(match[1])
    return None


def _refuse_mixtures(frame: pd.DataFrame, *, name: str) -> None:
    for column in _SYMBOLS:
        for value in frame[column].unique() if column in frame else ():
            refuse_other_instrument(str(value), where=f"column {column} of {name}")
    if "timeframe" in frame and frame["timeframe"].nunique() > 1:
        found = ", ".join(sorted(frame["timeframe"].unique()))
        raise FileFormatError(
            f"{name} mixes several timeframes ({found}), so one moment has several bars",
            done="nothing was read",
            fix="split it into one file per timeframe",
        )


def _normal(column: str) -> str:
    return column.strip().strip("<>\"'").strip().lower().replace(" ", "_")


def _ticks(name: str) -> FileFormatError:
    return FileFormatError(
        f"{name} holds ticks, not candles", done="nothing was read", fix="export candles of M1 or longer from the same source"
    )
