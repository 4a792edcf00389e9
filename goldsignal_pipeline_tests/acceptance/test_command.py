"""`goldsignal import` of recorded files: one command stores, derives and says what it cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.record import BUDIMANLAI, OANDA, PROVE, compare, counts, held, recorded

pytestmark = [pytest.mark.recorded, pytest.mark.daemon]

FILE = OANDA if PROVE else BUDIMANLAI


def _import(path: Path, source: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "goldsignal_pipeline.cli", "import", str(path), "--source", source, "--json"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert finished.returncode == 0, finished.stderr
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def test_a_recorded_file_is_one_command_that_tells_its_time_and_the_share_in_postgresql(
    own_record: Database, shared_data: Path
) -> None:
    """Ten months of H1, or with PROVE=1 thirteen years; the same command again changes nothing (I19)."""
    name = FILE.name if PROVE else "H1_mt5-budimanlai"
    path = shared_data / "candles" / f"xauusd_{name}.csv.gz"
    report = _import(path, FILE.source)
    stored, quarantined = (74254, 2245) if PROVE else (4858, 0)
    file = report["files"][0]
    assert (file["stored"], sum(file["quarantined"].values()), file["folded"]) == (stored, quarantined, 0)
    assert all(run["succeeded"] for run in report["runs"])
    assert 0 < report["postgres_seconds"] < report["seconds"]
    assert 0 < report["postgres_share"] < 1
    assert compare(held(own_record, "H1"), recorded(shared_data, name)).figures() == (stored, 0, quarantined, 0)
    before = counts(own_record, "candles", "timeframe")
    again = _import(path, FILE.source)
    assert (again["files"][0]["unchanged"], again["runs"]) == (stored, [])
    assert counts(own_record, "candles", "timeframe") == before
