"""The ban sees clock, chance, environment, files, network and threads, however they are reached; and nothing else."""

# ruff: noqa: PLW0108, DTZ005, DTZ011  # what is banned is called by a line of this file, as a strategy would call it

from __future__ import annotations

import datetime as datetimes
import gc
import glob
import io
import logging
import os
import random
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from datetime import datetime
from pathlib import Path
from time import perf_counter as innocent_name

import numpy as np
import pandas as pd
import pytest
import talib
from numba import njit
from numpy.random import rand

from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.proofs.ban import Watch

HERE = Path(__file__)
GENERATOR = np.random.default_rng(1)


def start_a_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


BANNED = {
    "time.time": (lambda: time.time(), "clock: time.time"),
    "a clock under another name": (lambda: innocent_name(), "clock: time.perf_counter"),
    "a clock handed on": (lambda: [ask() for ask in [time.monotonic]], "clock: time.monotonic"),
    "sleep": (lambda: time.sleep(0), "clock: time.sleep"),
    "datetime.now": (lambda: datetime.now(), "clock: datetime.now"),
    "datetime.now of a zone": (lambda: datetimes.datetime.now(datetimes.UTC), "clock: datetime.now"),
    "date.today": (lambda: datetimes.date.today(), "clock: date.today"),
    "Timestamp.now": (lambda: pd.Timestamp.now(), "clock: Timestamp.now"),
    "Timestamp.today": (lambda: pd.Timestamp.today(), "clock: Timestamp.today"),
    "Timestamp('now')": (lambda: pd.Timestamp("now"), "clock: Timestamp('now')"),
    "to_datetime('today')": (lambda: pd.to_datetime("today"), "clock: to_datetime('today')"),
    "datetime64('now')": (lambda: np.datetime64("now"), "clock: datetime64('now')"),
    "random.random": (lambda: random.random(), "randomness: random.random"),
    "random.gauss": (lambda: random.gauss(0, 1), "randomness: random.gauss"),
    "random.Random": (lambda: random.Random(1).randint(1, 6), "randomness: random."),
    "secrets": (lambda: secrets.token_bytes(2), "randomness: "),
    "uuid": (lambda: uuid.uuid4(), "randomness: "),
    "os.urandom": (lambda: os.urandom(2), "randomness: "),
    "numpy.random": (lambda: rand(2), "randomness: numpy's MT19937 was drawn from"),
    "a generator of numpy": (lambda: GENERATOR.normal(), "randomness: numpy's PCG64 was drawn from"),
    "an unseeded generator": (lambda: np.random.default_rng(), "randomness: random.getrandbits"),
    "sample": (lambda: pd.Series(range(9)).sample(3), "randomness: numpy's MT19937 was drawn from"),
    "environ": (lambda: os.environ["PATH"], "the environment: os.environ"),
    "environ in": (lambda: "PATH" in os.environ, "the environment: os.environ"),
    "getenv": (lambda: os.getenv("PATH"), "the environment: os.environ"),
    "open": (lambda: open(HERE, "rb").close(), "input or output: open"),
    "io.open": (lambda: open(HERE, "rb").close(), "input or output: open"),
    "os.open": (lambda: os.close(os.open(HERE, os.O_RDONLY)), "input or output: open"),
    "read_text": (lambda: HERE.read_text(), "input or output: open"),
    "exists": (lambda: HERE.exists(), "input or output: os.stat"),
    "listdir": (lambda: os.listdir(HERE.parent), "input or output: os.listdir"),
    "glob": (lambda: glob.glob("*.nothing"), "input or output: "),
    "numpy's file": (lambda: np.fromfile(HERE, dtype="u1"), "input or output: open"),
    "pandas' file": (lambda: pd.read_csv(io.StringIO("a\n1")), "input or output: pandas.io.parsers"),
    "a temporary file": (lambda: tempfile.TemporaryFile().close(), "input or output: "),
    "print": (lambda: print(end=""), "input or output: print"),
    "logging": (lambda: logging.getLogger("x").debug("y"), "input or output: logging"),
    "a socket": (lambda: socket.socket().close(), "input or output: socket"),
    "a name looked up": (lambda: socket.gethostbyname("localhost"), "input or output: socket"),
    "a program": (lambda: subprocess.run(["true"], check=True), "input or output: subprocess"),
    "a database": (lambda: sqlite3.connect(":memory:").close(), "input or output: sqlite3.connect"),
    "a thread": (start_a_thread, "a thread: start_"),
}


def watched(action) -> list[str]:
    watch = Watch()
    with watch.generators():
        watch.call(action)
    return [str(violation) for violation in watch.violations]


@pytest.mark.parametrize("name", BANNED)
def test_what_is_banned_is_seen_and_its_line_is_named(name: str) -> None:
    action, expected = BANNED[name]
    violations = watched(action)
    assert any(violation.startswith(expected) for violation in violations), violations
    assert all("test_ban.py:" in violation or "drawn from" in violation for violation in violations), violations


@njit(cache=True)
def compiled_sum(values):
    total = 0.0
    for value in values:
        total += value
    return total


CLOSES = np.linspace(100.0, 200.0, 400)
HARMLESS = {
    "numpy": lambda: np.cumsum(np.sort(np.exp(np.log(CLOSES)))),
    "pandas": lambda: (
        pd.Series(CLOSES).rolling(9).quantile(0.5).ewm(span=3).mean().groupby(np.arange(400) // 7).transform("last")
    ),
    "resampling": lambda: (
        pd.Series(CLOSES, pd.date_range("2024-01-01", periods=400, freq="h")).resample("4h", label="right").last().ffill()
    ),
    "zones": lambda: pd.DatetimeIndex(["2024-03-10T07:00"]).tz_localize("UTC").tz_convert("America/New_York"),
    "TA-Lib": lambda: talib.RSI(CLOSES, timeperiod=14),
    "a compiled function": lambda: compiled_sum(CLOSES),
    "a module imported now": lambda: sys.modules.pop("wave", None) or __import__("wave"),
    "a generator seeded anew": lambda: np.random.default_rng(7).normal(size=3),
    "a warning": lambda: warnings.warn("nothing", RuntimeWarning, stacklevel=2),
    "an instant by name": lambda: (pd.Timestamp("2024-01-01"), np.datetime64("2024-01-01"), datetime(2024, 1, 1).isoformat()),
    "today as a word": lambda: {"today": 1}["today"],
    "the calendar": lambda: (
        load_calendar.cache_clear(),
        load_calendar().is_open(np.array(["2024-01-03T12:00"], "datetime64[us]")),
    ),
    "hash and sets": lambda: sorted({hash(1), hash(2.5)}),
}


@pytest.mark.filterwarnings("ignore:nothing")
@pytest.mark.parametrize("name", HARMLESS)
def test_what_computing_takes_is_allowed(name: str) -> None:
    assert watched(HARMLESS[name]) == []


def test_everything_is_as_before_afterwards_even_when_the_function_raises() -> None:
    def fail() -> None:
        raise ValueError("no")

    clock = vars(pd.Timestamp)["now"]
    with pytest.raises(ValueError, match="no"):
        Watch().call(fail)
    assert sys.getprofile() is None
    assert vars(pd.Timestamp)["now"] is clock
    watch = Watch()
    watch.call(int)
    time.time()
    pd.Timestamp.now()
    HERE.read_bytes()
    assert watch.violations == []


def test_what_libraries_do_when_garbage_is_collected_is_not_what_was_called() -> None:
    seen = []

    def collected(phase: str, told: dict[str, int]) -> None:
        seen.append((phase, time.perf_counter()))

    def allocate() -> int:
        return len([[number] for number in range(10_000)])

    before = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(10)
    try:
        watch = Watch()
        watch.call(allocate)
        assert gc.isenabled()
        assert watch.violations == []
        seen.clear()
        allocate()
        assert seen, "a collection would have come"
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*before)


def test_other_threads_are_not_watched() -> None:
    watch, go_on, done = Watch(), threading.Event(), threading.Event()

    def elsewhere() -> None:
        go_on.wait(10)
        HERE.read_bytes()
        pd.Timestamp.now()
        done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()

    def here() -> bool:
        go_on.set()
        return done.wait(10)

    assert watch.call(here)
    thread.join()
    assert watch.violations == []


def test_results_and_arguments_pass_through() -> None:
    assert Watch().call(divmod, 7, 2) == (3, 1)
    assert Watch().call(sorted, [1, 2], reverse=True) == [2, 1]
