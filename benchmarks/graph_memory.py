"""What the three processes of `goldsignal up` hold in memory beside those of a Dagster project without anything in it.

Each sample is a start of its own on an empty database, as `goldsignal up` makes it; the resident size of each process is read
when the sensors and schedules have been looked at for a while. Processes of runs, which come and go, are not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil

from benchmarks.harness import Comparison, median, take_turns

PROJECT = Path(__file__).resolve().parent.parent
MODULES = {"ours": "goldsignal_pipeline.definitions", "nothing": "benchmarks.graph_nothing"}
PROCESSES = {"code server": "grpc", "web server": "dagster_webserver", "daemon": "dagster._daemon"}
SETTLED_SECONDS = 15.0


def memory(*, rounds: int) -> list[Comparison]:
    """One row for each process, and one for all three."""
    samples = take_turns({name: partial(_sample, module) for name, module in MODULES.items()}, rounds=rounds)
    ours, nothing = ([one | {"all three processes": sum(one.values())} for one in samples[name]] for name in MODULES)
    said = f"{SETTLED_SECONDS:.0f} s after the page was served, {rounds} starts of each"
    return [_row(process, [one[process] for one in ours], [one[process] for one in nothing], said) for process in ours[0]]


def _row(process: str, ours: list[float], nothing: list[float], said: str) -> Comparison:
    mine, floor = median(ours), median(nothing)
    return Comparison(f"memory of the {process}", "an empty project's", mine, floor, "MB", mine / floor, None, said)


def _sample(module: str) -> dict[str, float]:
    """Resident megabytes by process."""
    with tempfile.TemporaryDirectory(prefix="goldsignal-memory-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's server account must be able to enter
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GOLDSIGNAL_", "DAGSTER_"))}
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.graph_memory", module, name],
            cwd=PROJECT,
            env=kept
            | {
                "GOLDSIGNAL_ENV_FILE": str(folder / "absent"),
                "GOLDSIGNAL_HOME": name,  # else the addresses that an `up` of this folder generated
                "GOLDSIGNAL_PROVIDER": "simulated",
                "PYTHONPATH": str(PROJECT),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode:
            raise RuntimeError(f"{module} ended with {finished.returncode}:\n{finished.stderr[-4000:]}")
        told: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
        return told


def _start(module: str, home: str) -> dict[str, float]:
    """In a process of its own: start all, let it settle, read the sizes, stop all."""
    from goldsignal_pipeline.cli.services.stack import Stack, StackOptions
    from goldsignal_pipeline.settings import Settings

    stack = Stack(Settings(home=Path(home), provider="simulated"), say=lambda _: None, options=StackOptions(module=module))
    try:
        stack.start()
        time.sleep(SETTLED_SECONDS)
        return _sizes()
    finally:
        stack.stop()


def _sizes() -> dict[str, float]:
    commands = {child.pid: (child, child.cmdline()) for child in psutil.Process().children()}
    found = {}
    for name, word in PROCESSES.items():
        (process,) = [child for child, command in commands.values() if word in command]
        found[name] = process.memory_info().rss / 1e6
    return found


if __name__ == "__main__":
    print(json.dumps(_start(*sys.argv[1:])))
