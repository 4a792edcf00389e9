"""What our definitions and one of our steps cost beside Dagster's own: seconds and peak memory of fresh processes.

Every sample is a new interpreter of its own, started in turns with the other side, with compiled bytecode, as `goldsignal up`
starts them. Peak memory is the largest resident size that the operating system reports for the finished process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.harness import Comparison, Promise, median, take_turns

DEFINITIONS = "goldsignal_pipeline.definitions"
PROJECT = Path(__file__).resolve().parent.parent
LAUNCH = Path(__file__).with_name("launch.py")
STEP = Path(__file__).with_name("one_step.py")
MONTHS = tuple(f"2024-{month:02d}" for month in range(1, 13))


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished process: wall seconds from start to exit, peak megabytes, and what it printed."""

    seconds: float
    megabytes: float
    printed: str


def compare() -> list[Comparison]:
    """Definitions against `import dagster`, and one step of ours against an empty asset's."""
    return [*_definitions(DEFINITIONS), *_one_step()]


def _definitions(module: str) -> list[Comparison]:
    samples = take_turns({name: partial(_run, "-c", f"import {name}") for name in (module, "dagster")})
    ours, floor = samples[module], samples["dagster"]
    seconds = [median([sample.seconds for sample in side]) for side in (ours, floor)]
    megabytes = [median([sample.megabytes for sample in side]) for side in (ours, floor)]
    work = "floor is a part of ours"
    return [
        _row("load definitions", "import dagster", seconds, "s", work, promise=Promise("<=", 1.5)),
        _row("load definitions, peak memory", "import dagster", megabytes, "MB", work),
    ]


def _one_step() -> list[Comparison]:
    with _database() as environment:
        months = iter(MONTHS)  # a fresh month each time, so that every first step stores one
        ways = {
            "ours": lambda: _run(str(STEP), "ours", next(months), environment=environment),
            "empty": lambda: _run(str(STEP), "empty", MONTHS[0], environment=environment),
        }
        samples = take_turns(ways)
    results = {name: [json.loads(sample.printed) for sample in side] for name, side in samples.items()}
    stored = {int(result["rows"]) for result in results["ours"]}
    times = {
        (name, step): median([1000.0 * float(result[step]) for result in side])
        for name, side in results.items()
        for step in ("first", "again")
    }
    megabytes = [median([sample.megabytes for sample in samples[name]]) for name in ("ours", "empty")]
    rows = f"{min(stored):,} to {max(stored):,} rows stored, floor does nothing"
    first = [times["ours", "first"], times["empty", "first"]]
    again = [times["ours", "again"], times["empty", "again"]]
    return [
        _row("one step: raw_candles, a new month of M5", "empty asset", first, "ms", rows),
        _row("the same step again, nothing new", "empty asset", again, "ms", "0 rows stored, floor does nothing"),
        _row("one step, peak memory", "empty asset", megabytes, "MB", "ours with pandas and database"),
    ]


def _row(
    work: str, against: str, medians: list[float], unit: str, same_work: str, *, promise: Promise | None = None
) -> Comparison:
    ours, floor = medians
    return Comparison(
        work=work,
        against=against,
        ours=ours,
        floor=floor,
        unit=unit,  # type: ignore[arg-type]
        ratio=ours / floor,
        promise=promise,
        same_work=same_work,
    )


@contextmanager
def _database() -> Iterator[dict[str, str]]:
    """Settings of a throw-away server with migrated, empty tables, fed by the simulated market."""
    from goldsignal_pipeline.storage import migrations
    from goldsignal_pipeline.storage.embedded import EmbeddedServer

    with tempfile.TemporaryDirectory(prefix="goldsignal-bench-") as folder:
        Path(folder).chmod(0o755)  # root's server account must be able to enter
        with EmbeddedServer(Path(folder)) as server:
            migrations.upgrade(server.url())
            yield {
                "GOLDSIGNAL_HOME": folder,
                "GOLDSIGNAL_ENV_FILE": str(Path(folder) / "absent"),
                "GOLDSIGNAL_DATABASE_URL": server.url(),
                "GOLDSIGNAL_PROVIDER": "simulated",
            }


def _run(*arguments: str, environment: dict[str, str] | None = None) -> Sample:
    """Run a fresh interpreter in the project's folder; a failure stops the benchmark with what the process said."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        finished = subprocess.run(
            [sys.executable, "-S", str(LAUNCH), str(figures), sys.executable, *arguments],
            cwd=PROJECT,
            env={**inherited, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode:
            raise RuntimeError(f"python {' '.join(arguments)} ended with {finished.returncode}:\n{finished.stderr}")
        return Sample(**json.loads(figures.read_text()), printed=finished.stdout)
