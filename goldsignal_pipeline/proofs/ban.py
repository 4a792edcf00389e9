"""Ban: no clock, no randomness, no environment, file, network or thread while a strategy is evaluated.

Four watchers, because none sees everything:

1. A profile function sees every call that Python code makes, however the function was imported (`_compiled`, `_interpreted`).
2. An audit hook sees files and sockets opened by compiled code too (`_audit`).
3. The clocks of pandas, which its compiled code hides from both, are replaced for the time being (`_pandas_clocks`), and words
   like `np.datetime64("now")` are looked for in the code that runs.
4. numpy's generators are hidden as well: the state of every one that exists is compared before and after.

What loading takes is allowed: importing a module, numba's cache, time zones, our own calendar, the text of a warning. A
generator that a strategy seeds anew each time is no randomness, for it repeats itself. Not seen: what a strategy reads when it
is imported, a method of pandas' clocks that it kept from then, and compiled code that asks the system on its own.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np
import pandas as pd

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_CLOCK_METHODS: Final = frozenset({"now", "today", "utcnow"})
_PANDAS_CLOCKS: Final = tuple((owner, name) for owner in (pd.Timestamp, pd.Period) for name in ("now", "today", "utcnow"))
_WORDS: Final = frozenset({"now", "today"})
_WORD_READERS: Final = frozenset({"datetime64", "Timestamp", "Period", "to_datetime"})
_RANDOM_MODULES: Final = frozenset({"random", "_random", "secrets", "uuid"})
_SYSTEM_MODULES: Final = frozenset({"posix", "nt"})
_HARMLESS_SYSTEM_CALLS: Final = frozenset({"fspath"})
_SPEAKING: Final = frozenset({"print", "input"})
_DOORS: Final = ("logging", "subprocess", "socket", "urllib", "http", "sqlite3", "pyarrow.parquet", "pyarrow.fs", "pandas.io")
_NO_DOORS: Final = ("pandas.io.formats",)
_AUDITED: Final = ("open", "socket.", "subprocess.", "os.", "shutil.", "sqlite3.", "ftplib.", "urllib.", "glob.", "tempfile.")
_LOADERS: Final = ("importlib", "numba", "llvmlite", "zoneinfo", "warnings", "linecache", "goldsignal_pipeline.market")
_ZONES: Final = "zoneinfo"
_LIBRARIES: Final = frozenset({*sys.stdlib_module_names, "numpy", "pandas", "pyarrow", "talib", "numba"})
_ENVIRONMENT: Final = frozenset(
    function.__code__ for function in vars(type(os.environ)).values() if hasattr(function, "__code__")
)
_MOST_VIOLATIONS: Final = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """Something banned that was called, and the line of the strategy's code (or of what it called) that did."""

    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.what} at {self.where}" if self.where else self.what


class Watch:
    """Remembers what the functions called through it do that is banned; it hinders nothing."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self._thread = 0

    def call(self, function: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        """Call a function under watch; one at a time in a process, because pandas' clocks are replaced."""
        with _ONE_AT_A_TIME, ExitStack() as stack:
            self._thread = threading.get_ident()
            stack.enter_context(_no_collection())
            stack.enter_context(_pandas_clocks(self._note))
            stack.enter_context(_auditing(self._audit))
            stack.enter_context(_profiling(self._profile))
            return function(*arguments, **named)

    @contextmanager
    def generators(self) -> Iterator[None]:
        """Notice when a generator of numpy that exists already is drawn from."""
        before = [(generator, repr(generator.state)) for generator in _generators()]
        yield
        for generator, state in before:
            if repr(generator.state) != state:
                self._add(Violation(f"randomness: numpy's {type(generator).__name__} was drawn from", ""))

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            what = _compiled(argument)
        elif event == "call":
            what = _interpreted(frame)
        else:
            return
        # What a compiler does is allowed.
        if what and not str(frame.f_globals.get("__name__")).startswith(_LOADERS):
            self._note(what, frame)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if threading.get_ident() != self._thread or not event.startswith(_AUDITED):
            return
        subject = next((argument for argument in arguments if isinstance(argument, str | bytes | int)), "")
        if event != "open" or _ZONES not in str(subject):
            self._note(f"input or output: {event} {subject!r}", sys._getframe(2))

    def _note(self, what: str, frame: FrameType | None) -> None:
        if threading.get_ident() != self._thread:
            return
        where = ""
        while frame is not None:
            module = str(frame.f_globals.get("__name__", ""))
            if module == __name__:
                break
            if _is_within(module, _LOADERS):
                return
            if not where and module.partition(".")[0] not in _LIBRARIES:
                where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            frame = frame.f_back
        if where:  # else one of the replaced clocks asks another
            self._add(Violation(what, where))

    def _add(self, violation: Violation) -> None:
        if violation not in self.violations and len(self.violations) < _MOST_VIOLATIONS:
            self.violations.append(violation)


_ONE_AT_A_TIME: Final = threading.Lock()


def _compiled(function: Any) -> str:
    """What a call of a compiled function does that is banned; "" for nothing."""
    owner, name = getattr(function, "__self__", None), str(getattr(function, "__name__", ""))
    module = str(getattr(function, "__module__", None) or type(owner).__module__)
    if module == "time":
        return f"clock: time.{name}"
    if name in _CLOCK_METHODS and isinstance(owner, type) and issubclass(owner, date):
        return f"clock: {owner.__name__}.{name}"
    if module in _RANDOM_MODULES or name in {"urandom", "getrandom"}:
        return f"randomness: {module.removeprefix('_')}.{name}"
    if module in _SYSTEM_MODULES and name not in _HARMLESS_SYSTEM_CALLS:
        return f"input or output: os.{name}"
    if module == "builtins" and name in _SPEAKING:
        return f"input or output: {name}"
    return f"a thread: {name}" if module == "_thread" and name.startswith("start_") else ""


def _interpreted(frame: FrameType) -> str:
    """What a call of a Python function does that is banned; "" for nothing."""
    code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
    if module == "os" and code in _ENVIRONMENT:
        return "the environment: os.environ"
    if module in _RANDOM_MODULES:
        return f"randomness: {module}.{code.co_name}"
    if _is_within(module, _DOORS) and not _is_within(module, _NO_DOORS):
        return f"input or output: {module}.{code.co_name}"
    return "" if module.partition(".")[0] in _LIBRARIES else _asks_by_word(code)


@lru_cache(maxsize=4096)
def _asks_by_word(code: CodeType) -> str:
    """Code that turns the word "now" or "today" into an instant."""
    words = _WORDS.intersection(constant for constant in code.co_consts if isinstance(constant, str))
    readers = _WORD_READERS.intersection(code.co_names)
    return f"clock: {min(readers)}({min(words)!r})" if words and readers else ""


@lru_cache(maxsize=4096)
def _is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _generators() -> list[np.random.BitGenerator]:
    return [thing for thing in gc.get_objects() if issubclass(type(thing), np.random.BitGenerator)]


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage is collected: what libraries do at a collection (some look at the clock) is not what was called."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _profiling(function: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    before = sys.getprofile()
    sys.setprofile(function)
    try:
        yield
    finally:
        sys.setprofile(before)


_listeners: list[Callable[[str, tuple[Any, ...]], None]] = []


@lru_cache(maxsize=1)
def _add_audit_hook() -> None:
    """Once in a process, because an audit hook cannot be removed; it does nothing while nobody listens."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        for listener in _listeners:
            listener(event, arguments)

    sys.addaudithook(hook)


@contextmanager
def _auditing(listener: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    _add_audit_hook()
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def _pandas_clocks(note: Callable[[str, FrameType | None], None]) -> Iterator[None]:
    """Clocks of pandas that tell before they answer."""
    originals = [(owner, name, vars(owner)[name]) for owner, name in _PANDAS_CLOCKS if name in vars(owner)]
    for owner, name, original in originals:
        setattr(owner, name, classmethod(_telling(original, name, note)))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _telling(original: Any, name: str, note: Callable[[str, FrameType | None], None]) -> Callable[..., Any]:
    def clock(cls: type, *arguments: Any, **named: Any) -> Any:
        note(f"clock: {cls.__name__}.{name}", sys._getframe(1))
        return original.__get__(None, cls)(*arguments, **named)

    return clock
