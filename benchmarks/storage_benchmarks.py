"""What keeping and reading a million candles costs beside the least that PostgreSQL itself needs for it.

The floor of loading is a binary COPY of bytes prepared beforehand into a table without any key; ours begins with a frame and
ends with committed rows in the keyed table. The floor of reading is the server's own time to produce the same rows and throw
them away; ours ends with integer arrays in this process. Both on the embedded server with its own settings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from psycopg import sql

from benchmarks.harness import Comparison, Promise, median, take_turns
from goldsignal_pipeline.storage import candles, kinds, migrations
from goldsignal_pipeline.storage.binary_encoding import TextField, encode
from goldsignal_pipeline.storage.database import Database, driver_connection
from goldsignal_pipeline.storage.embedded import EmbeddedServer

LAUNCH = Path(__file__).with_name("launch.py")
ROWS = 1_000_000
SYMBOL = "XAUUSD"
START, END = datetime(2012, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
READ = ("timestamp", "open", "high", "low", "close", "volume")
SELECTION = (
    "SELECT timestamp, open, high, low, close, volume FROM goldsignal.candles WHERE symbol = 'XAUUSD' AND timeframe = 'M5'"
    " AND timestamp >= '2012-01-01Z' AND timestamp < '2026-01-01Z' ORDER BY timestamp"
)


def compare() -> list[Comparison]:
    """Loading, loading again and reading a million candles, in time and memory."""
    frame = million_candles()
    with _server() as url:
        database = Database(url)
        with database.transaction() as connection:
            driver_connection(connection).execute("CREATE TABLE public.bare (LIKE goldsignal.candles)")
        loads = take_turns(
            {
                "floor": _floor_load(database, frame),
                "fresh": _load(database, frame, fresh=True),
                "again": _load(database, frame, fresh=False),
            }
        )
        _vacuum(database)
        reads = take_turns({"floor": _floor_read(database), "ours": _read(database, frame), "rows": _read_rows(database)})
        memory = {way: _memory(way, url) for way in ("nothing", "load", "read", "rows")}
        database.dispose()
    return [*_load_rows(loads), *_read_comparisons(reads), *_memory_rows(memory)]


def million_candles() -> pd.DataFrame:
    """A walk of M5 candles with a flag on one bar in a thousand and volume on all."""
    random = np.random.default_rng(7)
    close = 180_000 + np.abs(np.cumsum(random.integers(-30, 31, ROWS)))
    open_ = np.concatenate([close[:1], close[:-1]])
    opens = np.datetime64("2012-01-01", "us") + np.arange(ROWS) * np.timedelta64(5 * 60_000_000, "us")
    flags = np.where(random.random(ROWS) < 0.001, "outlier", "")
    return pd.DataFrame(
        {
            "timeframe": pd.Series(np.full(ROWS, "M5"), dtype="str"),
            "timestamp": pd.DatetimeIndex(opens).tz_localize("UTC"),
            "open": open_,
            "high": np.maximum(open_, close) + random.integers(0, 60, ROWS),
            "low": np.minimum(open_, close) - random.integers(0, 60, ROWS),
            "close": close,
            "volume": random.integers(1, 1_000_000, ROWS) / 100,
            "source": pd.Series(np.full(ROWS, "dukascopy:bid"), dtype="str"),
            "base_timeframe": pd.Series(np.full(ROWS, "M5"), dtype="str"),
            "base_bars": 1,
            "flag": pd.Series(flags, dtype="str"),
        }
    )


def _floor_load(database: Database, frame: pd.DataFrame) -> Callable[[], float]:
    names = ("symbol", *candles.KINDS)
    fields = [
        TextField.constant(SYMBOL, rows=ROWS),
        *(kinds.column_field(frame[name], kind=kind) for name, kind in candles.KINDS.items()),
    ]
    blocks = list(encode(fields, rows=ROWS))
    statement = sql.SQL("COPY public.bare ({}) FROM STDIN (FORMAT binary)").format(sql.SQL(", ").join(map(sql.Identifier, names)))

    def run() -> float:
        _empty(database, "public.bare")
        started = time.perf_counter()
        with (
            database.transaction() as connection,
            driver_connection(connection).cursor() as cursor,
            cursor.copy(statement) as copy,
        ):
            for block in blocks:
                copy.write(block)
        return time.perf_counter() - started

    return run


def _load(database: Database, frame: pd.DataFrame, *, fresh: bool) -> Callable[[], float]:
    expected = candles.MergeResult(ROWS, 0, 0, 0) if fresh else candles.MergeResult(0, 0, 0, ROWS)

    def replace() -> candles.MergeResult:
        with database.transaction() as connection:
            return candles.replace_range(connection, symbol=SYMBOL, start=START, end=END, candles=frame)

    def run() -> float:
        if fresh:
            _empty(database, "goldsignal.candles")
        else:
            replace()
        started = time.perf_counter()
        done = replace()
        seconds = time.perf_counter() - started
        assert done == expected, done
        return seconds

    return run


def _floor_read(database: Database) -> Callable[[], float]:
    return _timed(database, lambda connection: connection.execute(f"COPY ({SELECTION}) TO '/dev/null' (FORMAT binary)"))


def _read(database: Database, frame: pd.DataFrame) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        with database.transaction() as connection:
            read = candles.read(connection, symbol=SYMBOL, timeframe="M5", start=START, end=END, columns=READ)
        seconds = time.perf_counter() - started
        pd.testing.assert_frame_equal(read, frame[list(READ)], check_freq=False)
        return seconds

    return run


def _read_rows(database: Database) -> Callable[[], float]:
    return _timed(database, lambda connection: connection.execute(SELECTION).fetchall())


def _timed(database: Database, work: Callable[[Any], object]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        with database.transaction() as connection:
            work(driver_connection(connection))
        return time.perf_counter() - started

    return run


def _empty(database: Database, table: str) -> None:
    with database.transaction() as connection:
        driver_connection(connection).execute(f"TRUNCATE {table}")
    with database.transaction() as connection:
        driver_connection(connection).execute("CHECKPOINT")


def _vacuum(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE goldsignal.candles")


def _load_rows(times: dict[str, list[float]]) -> list[Comparison]:
    floor = median(times["floor"])
    return [
        Comparison(
            work=work,
            against="binary COPY into a bare table",
            ours=median(times[name]),
            floor=floor,
            unit="s",
            ratio=floor / median(times[name]),
            promise=Promise(">=", 0.40),
            same_work=same,
        )
        for name, work, same in (
            ("fresh", "load 1,000,000 candles", "1,000,000 rows on both sides"),
            ("again", "load the same candles again", "1,000,000 rows compared, none written"),
        )
    ]


def _read_comparisons(times: dict[str, list[float]]) -> list[Comparison]:
    floor = median(times["floor"])
    return [
        Comparison(work, "the server's own time", median(times[name]), floor, "s", median(times[name]) / floor, promise, same)
        for name, work, promise, same in (
            ("ours", "read 1,000,000 candles as integers", Promise("<=", 3.0), "every value equals what was loaded"),
            ("rows", "the same as psycopg rows (a peer)", None, "1,000,000 rows"),
        )
    ]


def _memory_rows(peaks: dict[str, float]) -> list[Comparison]:
    floor = peaks["nothing"]
    return [
        Comparison(f"{work}, peak memory", "imports and connection", peaks[way], floor, "MB", peaks[way] / floor, None, same)
        for way, work, same in (
            ("load", "load 1,000,000 candles again", "the frame itself included"),
            ("read", "read 1,000,000 candles as integers", "1,000,000 rows"),
            ("rows", "the same as psycopg rows (a peer)", "1,000,000 rows"),
        )
    ]


def _memory(way: str, url: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        work = [sys.executable, "-m", "benchmarks.storage_benchmarks", way, url]
        subprocess.run([sys.executable, "-S", str(LAUNCH), str(figures), *work], cwd=LAUNCH.parent.parent, check=True)
        return float(json.loads(figures.read_text())["megabytes"])


def _work_alone(way: str, url: str) -> None:
    """In a process of its own, whose peak memory is measured: do the work once."""
    database = Database(url)
    ways: dict[str, Callable[[], Callable[[], object]]] = {
        "nothing": lambda: database.facts,
        "load": lambda: _load(database, million_candles(), fresh=False),
        "read": lambda: partial(_read_once, database),
        "rows": lambda: _read_rows(database),
    }
    ways[way]()()


def _read_once(database: Database) -> None:
    with database.transaction() as connection:
        candles.read(connection, symbol=SYMBOL, timeframe="M5", start=START, end=END, columns=READ)


@contextmanager
def _server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="goldsignal-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server account must be able to enter
        with EmbeddedServer(Path(folder)) as server:
            migrations.upgrade(server.url())
            yield server.url()


if __name__ == "__main__":
    _work_alone(*sys.argv[1:])
