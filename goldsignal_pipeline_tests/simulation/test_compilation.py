"""Compiling is paid once: not by an import, and not by a second process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

IMPORT_ALL = """
import importlib, json, pkgutil
from numba.core.dispatcher import Dispatcher
import goldsignal_pipeline
compiled = {}
for package in ("market", "strategies", "simulation", "selection"):
    root = importlib.import_module(f"goldsignal_pipeline.{package}")
    for module in pkgutil.iter_modules(root.__path__, f"{root.__name__}."):
        compiled |= {
            f"{module.name}.{name}": function
            for name, function in vars(importlib.import_module(module.name)).items()
            if isinstance(function, Dispatcher)
        }
"""
REPORT = """
print(json.dumps({
    name: [len(function.overloads), sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values())]
    for name, function in compiled.items()
}))
"""
RESOLVE = """
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.simulation.trades import resolve
from goldsignal_pipeline_tests.simulation.markets import CALENDAR, random_candidates, rough_bars
bars = rough_bars(Timeframe.H1, seed=1)
resolve(random_candidates(bars, seed=1, count=50), bars, calendar=CALENDAR)
"""
KERNEL = "goldsignal_pipeline.simulation.kernel"


def run(script: str, *, cache: Path) -> dict[str, list[int]]:
    """Of every compiled function: versions in memory, versions found on disk, versions that had to be compiled."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    finished = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return json.loads(finished.stdout)


def test_importing_the_core_compiles_nothing(tmp_path: Path) -> None:
    functions = run(IMPORT_ALL + REPORT, cache=tmp_path)
    assert {f"{KERNEL}.find_entries", f"{KERNEL}._resolve"} <= set(functions)
    assert set(map(tuple, functions.values())) == {(0, 0, 0)}
    assert list(tmp_path.rglob("*.nb?")) == []


def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    first, second = (run(IMPORT_ALL + RESOLVE + REPORT, cache=tmp_path) for _ in range(2))
    for name in ("find_entries", "_resolve"):
        assert first[f"{KERNEL}.{name}"] == [1, 0, 1]
        assert second[f"{KERNEL}.{name}"] == [1, 1, 0]
    assert sum(misses for _, _, misses in second.values()) == 0
