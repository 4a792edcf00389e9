"""Every command of README and docs runs, in a copy of the project, and prints what the page says.

The copy holds the files of the project and no `.goldsignal`, so the commands meet what a new clone has: their own embedded
PostgreSQL, their own Dagster. It borrows `.venv`. One `goldsignal up` runs through the pages, but for those that need it stopped.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from goldsignal_pipeline.cli.services.record import read_record
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import to_wall
from goldsignal_pipeline.settings import PROJECT_ROOT
from goldsignal_pipeline_tests.docs.pages import Block, blocks, differences, pages
from goldsignal_pipeline_tests.folders import open_folder

WITHOUT_UP = "docs/how-to/backup-and-restore.md"
TUTORIAL = "docs/tutorial/first-candles.md"
PATIENCE_SECONDS = 240
CHART = "http://127.0.0.1:8000"
BETWEEN = "\x1e"
"""Told between the outputs of two commands of a block."""


def test_every_command_of_the_documentation_runs() -> None:
    by_page = {str(page.relative_to(PROJECT_ROOT)): [*blocks(page)] for page in pages()}
    # The tutorial shows the first month that is fetched and ends with `down`; what needs `up` stopped comes last.
    last = (TUTORIAL, WITHOUT_UP)
    explained = [name for name in by_page if name.startswith("docs/explanation")]
    others = [name for name in by_page if name not in (*last, *explained)]
    tutorial, stop = by_page[TUTORIAL][:-1], by_page[TUTORIAL][-1:]
    order = [*tutorial, *(block for name in (*explained, *others) for block in by_page[name]), *stop, *by_page[WITHOUT_UP]]
    assert stop[0].commands == (".venv/bin/goldsignal down",)
    with open_folder("goldsignal docs ") as folder:
        copy_of_the_project(folder)
        write_metatrader_export(folder / "XAUUSD_H1.csv")
        with running_up(folder):
            faults = [fault for block in order if not block.skipped for fault in run(block, folder)]
    assert not faults, "\n\n".join(faults)


def test_what_is_not_run_is_listed_here() -> None:
    skipped = {(block.page, block.skipped) for page in pages() for block in blocks(page) if block.skipped}
    assert skipped == {
        ("README.md", "changes the machine"),
        ("README.md", "installs everything again and stays; the tests start what it starts"),
        ("README.md", "it is the suite that runs this page"),
        ("docs/how-to/backfill.md", "stays until Ctrl-C"),
        ("docs/how-to/get-alerts.md", "needs a bot"),
        ("docs/how-to/go-live.md", "needs a key"),
        ("docs/how-to/go-live.md", "needs a key and the internet"),
        ("docs/how-to/own-postgresql.md", "needs a server of your own"),
        ("docs/how-to/own-data.md", "needs files of your own"),
        ("docs/how-to/prove.md", "the tutorial runs it"),
        ("docs/how-to/prove.md", "takes a minute, and the id is of the day"),
        ("docs/how-to/prove.md", "takes a minute; the suite runs it on a short record"),
        ("docs/how-to/prove.md", "takes minutes; the suite kills twenty"),
        ("docs/how-to/prove.md", "takes as long as the one before; the suite runs it on a short record"),
        ("docs/how-to/repair.md", "removes caches of the folder it runs in"),
        ("docs/how-to/run-as-a-service.md", "needs another machine"),
        ("docs/how-to/write-a-strategy.md", "changes the environment that the suite runs in"),
        (TUTORIAL, "clones, installs everything again and stays; the tests start what it starts"),
    }


def test_the_readme_names_the_command_that_proves_it() -> None:
    assert ("make test",) in [block.commands for block in blocks(PROJECT_ROOT / "README.md")]


@pytest.mark.parametrize(
    ("expected", "shown", "varies", "missing"),
    [
        (("one 1", "two 2"), "one   1\ntwo 2\n", False, []),
        (("one 1", "two 2"), "two 2\none 1\n", False, ["two 2"]),
        (("one ... three",), "one two three", False, []),
        (("...", "last"), "anything\nlast", False, []),
        (("price 1.00",), "price 1.01", False, ["price 1.00"]),
        (("daemon ok 5.3 s",), "daemon ok 19 s", True, []),
        (("daemon ok 5.3 s",), "database ok", True, ["daemon"]),
    ],
)
def test_output_is_compared_line_by_line_or_by_words(
    expected: tuple[str, ...], shown: str, varies: bool, missing: list[str]
) -> None:
    assert differences(Block("page", 1, ("true",), expected, "", 0, varies), shown) == missing


def run(block: Block, folder: Path) -> list[str]:
    """Run the commands of a block in one shell; what went wrong, in words."""
    script = "\n".join(["set -e", *(f"{command}\nprintf '{BETWEEN}'" for command in block.commands)])
    if CHART in script and (record := read_record(folder / ".goldsignal")) is not None:
        script = script.replace(CHART, record.api_address)  # another port, where that one is in use
    environment = clean_environment(folder)
    finished = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    where = f"{block.page}:{block.line} ({finished.stdout.count(BETWEEN)} of {len(block.commands)} commands succeeded)"
    if finished.returncode != block.exit_code:
        return [f"{where}: expected exit code {block.exit_code}, was {finished.returncode}:\n{finished.stdout[-3000:]}"]
    missing = differences(block, finished.stdout)
    return [f"{where}: not in the output: {missing}\n{finished.stdout[-3000:]}"] if missing else []


def clean_environment(folder: Path) -> dict[str, str]:
    """What a new terminal has; our package is found in the copy."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"PYTHONPATH": str(folder), "COLUMNS": "110", "LANG": "C.UTF-8"}


def copy_of_the_project(folder: Path) -> None:
    """The files of the project as git would clone them, edits included, and its `.venv`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=PROJECT_ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = PROJECT_ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (folder / ".venv").symlink_to(PROJECT_ROOT / ".venv")


def write_metatrader_export(path: Path) -> None:
    """A MetaTrader export of the hours around the clock changes of spring 2025, by a server on European dates."""
    start, end = datetime(2025, 2, 17, tzinfo=UTC), datetime(2025, 4, 21, tzinfo=UTC)
    opens = load_calendar().expected_opens(timeframe=Timeframe.H1, start=start, end=end)
    walls = to_wall(opens, zone="Europe/Helsinki").astype("datetime64[m]").astype(object)
    closes = np.random.default_rng(7).integers(-150, 151, size=len(opens) + 1).cumsum() + 280_000
    lines = ["<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"]
    for wall, first, last in zip(walls, closes[:-1].tolist(), closes[1:].tolist(), strict=True):
        prices = (first, max(first, last) + 40, min(first, last) - 40, last)
        shown = "\t".join(f"{price / 100:.2f}" for price in prices)
        lines.append(f"{wall:%Y.%m.%d}\t{wall:%H:%M:%S}\t{shown}\t1000\t0\t20")
    path.write_text("\n".join(lines) + "\n")


@contextmanager
def running_up(folder: Path) -> Iterator[None]:
    """`goldsignal up`, which is what `make up` starts, until it is told to stop or the pages are through."""
    log = folder / "up.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [".venv/bin/goldsignal", "up"], cwd=folder, env=clean_environment(folder), stdout=output, stderr=output
        )
        try:
            until = time.monotonic() + PATIENCE_SECONDS
            while "Ready after" not in log.read_text():
                assert child.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.2)
            yield
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
            child.wait(timeout=PATIENCE_SECONDS)
