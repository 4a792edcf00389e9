"""Made-up gold candles and the files other programs would write of them, by code that shares nothing with the readers."""

from __future__ import annotations

import gzip
import json
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe

PRICES = ["open", "high", "low", "close"]


def bars(start: str, end: str, timeframe: Timeframe, *, seed: int = 1, around_the_clock: bool = False) -> pd.DataFrame:
    """A random walk in the market's open hours: `opens` (aware UTC), integer ticks, volume.

    `around_the_clock`: closed hours hold near-frozen bars, as some vendors send them.
    """
    calendar = load_calendar()
    first, last = pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC")
    opens = pd.DatetimeIndex(calendar.expected_opens(timeframe=timeframe, start=first.to_pydatetime(), end=last.to_pydatetime()))
    if around_the_clock:
        opens = pd.date_range(first.tz_localize(None), last.tz_localize(None), freq=f"{timeframe.minutes}min", inclusive="left")
    lively = calendar.is_open(opens.to_numpy().astype("datetime64[us]")) if around_the_clock else np.ones(len(opens), dtype=bool)
    random = np.random.default_rng(seed)
    size = np.where(lively, 1, 0)
    close = 200_000 + (random.integers(-200, 201, len(opens)) * size).cumsum()
    open_ = np.concatenate([[200_000], close])[:-1]
    high = np.maximum(open_, close) + np.where(lively, random.integers(100, 400, len(opens)), random.integers(1, 8, len(opens)))
    low = np.minimum(open_, close) - np.where(lively, random.integers(100, 400, len(opens)), random.integers(1, 8, len(opens)))
    volume = random.integers(800, 1200, len(opens)) * timeframe.minutes
    frame = {"opens": opens.tz_localize("UTC"), "open": open_, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame(frame)


def price(ticks: int) -> str:
    """An amount of ticks as a vendor writes it."""
    return f"{ticks // 100}.{ticks % 100:02d}"


def clock(opens: pd.Series, zone: str) -> pd.Series:
    """What a clock shows: an IANA name, `NY+7` or `UTC-5`."""
    if zone == "NY+7":
        return opens.dt.tz_convert("America/New_York").dt.tz_localize(None) + pd.Timedelta(hours=7)
    if zone == "UTC-5":
        return opens.dt.tz_convert("UTC").dt.tz_localize(None) - pd.Timedelta(hours=5)
    return opens.dt.tz_convert({"EET/EEST": "Europe/Athens"}.get(zone, zone)).dt.tz_localize(None)


def lines(
    frame: pd.DataFrame,
    *,
    zone: str,
    stamp: str,
    separator: str = ",",
    prices: Callable[[int], str] = price,
    tail: Callable[[int], str] = str,
) -> list[str]:
    """One text row per bar: stamp, open, high, low, close, and what `tail` makes of the volume."""
    stamps = clock(frame["opens"], zone).dt.strftime(stamp)
    rows = zip(stamps, frame[PRICES].to_numpy().tolist(), frame["volume"], strict=True)
    return [
        separator.join([when, *map(prices, values), *([tail(volume)] if tail(volume) else [])]) for when, values, volume in rows
    ]


def write(path: Path, rows: list[str], *, header: str = "", encoding: str = "utf-8", ending: str = "\n") -> Path:
    """A text file, gzipped when its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = (ending.join([*([header] if header else []), *rows]) + ending).encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_mt5_export(path: Path, frame: pd.DataFrame, *, zone: str) -> Path:
    """The Export Bars command of MetaTrader 5."""
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
    rows = lines(frame, zone=zone, stamp="%Y.%m.%d\t%H:%M:%S", separator="\t", tail=lambda volume: f"{volume}\t0\t15")
    return write(path, rows, header=header)


def write_csv(path: Path, frame: pd.DataFrame, *, zone: str = "UTC", stamp: str = "%Y-%m-%dT%H:%M:%SZ", **options: str) -> Path:
    """A plain CSV with a header."""
    return write(path, lines(frame, zone=zone, stamp=stamp), header="timestamp,open,high,low,close,volume", **options)


def write_oanda(path: Path, frame: pd.DataFrame, *, granularity: str, forming: int = 0) -> Path:
    """An OANDA v20 answer with bid and ask 20 ticks apart, the last `forming` candles not complete."""
    candles = []
    for position, row in enumerate(frame.itertuples()):
        sides = {
            side: {letter: price(getattr(row, name) + shift) for letter, name in zip("ohlc", PRICES, strict=True)}
            for side, shift in (("bid", 0), ("ask", 20))
        }
        when = row.opens.strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
        candles.append({"complete": position < len(frame) - forming, "volume": int(row.volume), "time": when, **sides})
    path.write_text(json.dumps({"instrument": "XAU_USD", "granularity": granularity, "candles": candles}))
    return path


def write_lean(path: Path, frame: pd.DataFrame, *, day: str | None) -> Path:
    """A Lean quote archive; `day` for a minute file of that UTC day, None for hourly or daily rows."""
    rows = []
    for row in frame.itertuples():
        since = row.opens - row.opens.normalize()
        when = str(int(since.total_seconds() * 1000)) if day else row.opens.strftime("%Y%m%d %H:%M")
        bid = [price(getattr(row, name)) for name in PRICES]
        ask = [price(getattr(row, name) + 20) for name in PRICES]
        rows.append(",".join([when, *bid, "0", *ask, "0"]))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{day}_xauusd_minute_quote.csv" if day else "xauusd.csv", "\n".join(rows))
    return path


def write_bi5(path: Path, frame: pd.DataFrame, *, start: str) -> Path:
    """A Dukascopy candle file: seconds from `start`, open, close, low, high in thousandths, volume."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begin = pd.Timestamp(start, tz="UTC")
    records = [
        struct.pack(
            ">5If",
            int((row.opens - begin).total_seconds()),
            *(ticks * 10 for ticks in (row.open, row.close, row.low, row.high)),
            row.volume / 1000,
        )
        for row in frame.itertuples()
    ]
    path.write_bytes(lzma.compress(b"".join(records), format=lzma.FORMAT_ALONE))
    return path


def assert_same_bars(rows: pd.DataFrame, frame: pd.DataFrame, *, shift: int = 0) -> None:
    """The delivered rows are the generated bars: same instants, same ticks (`shift` added), in the same order."""
    assert rows["timestamp"].tolist() == frame["opens"].tolist()
    for name in PRICES:
        assert rows[name].tolist() == (frame[name] + shift).tolist()
