"""`goldsignal import`: files in, counts out, candles derived; a second run changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.import_files import parse_claims
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.cli.market_files import write_csv


def _counts(url: str) -> dict[str, int]:
    database = Database(url)
    with database.transaction(read_only=True) as connection:
        tables = ("raw_candles", "candles", "quarantined_candles")
        found = {name: int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()) for name in tables}
    database.dispose()
    return found


@pytest.mark.daemon
def test_one_command_imports_a_file_and_derives_its_candles_and_a_second_changes_nothing(
    own_database: str, tmp_path: Path
) -> None:
    """I19, with the real command in a process of its own."""
    rows = write_csv(tmp_path / "gold.csv")
    command = [sys.executable, "-m", "goldsignal_pipeline.cli", "import", str(tmp_path / "gold.csv"), "--source", "mine:mid"]
    first = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    file = report["files"][0]
    assert (file["read"], file["stored"], file["unchanged"], file["quarantined"]) == (rows, rows, 0, {})
    assert (file["sources"], file["zone_is"], file["timeframe"]) == (["mine:mid"], "stated", "H1")
    assert [run["succeeded"] for run in report["runs"]] == [True]
    assert 0 < report["postgres_seconds"] < report["seconds"]
    held = _counts(own_database)
    assert held["raw_candles"] == rows
    assert held["candles"] > rows  # H4 and D1 as well
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert "unchanged" in second.stdout
    assert "in PostgreSQL" in second.stdout
    assert _counts(own_database) == held


def test_rows_of_closed_hours_are_quarantined_and_counted_by_reason(own_database: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "gold.csv")
    with (tmp_path / "gold.csv").open("a") as file:
        file.write("2026-03-14T12:00:00Z,4000.00,4000.40,3999.60,4000.00,1\n")
        file.write("2026-03-13T12:00:00Z,4000.00,3999.00,3999.60,4000.00,1\n")
    result = CliRunner().invoke(create_app(), ["import", str(tmp_path / "gold.csv"), "--no-derive", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["files"][0]["quarantined"] == {"weekend": 1, "price_order": 1}
    assert _counts(own_database)["candles"] == 0


@pytest.mark.fault("files")
def test_a_refused_file_stops_only_itself(own_database: str, tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "good.csv")
    (tmp_path / "bad.csv").write_text("this is no candle file\n")
    files = [str(tmp_path / "bad.csv"), str(tmp_path / "good.csv")]
    result = CliRunner().invoke(create_app(), ["import", *files, "--no-derive", "--json"])
    assert result.exit_code == 6
    bad, good = json.loads(result.stdout)["files"]
    assert bad["refused"]["what"]
    assert good["stored"] == rows == _counts(own_database)["raw_candles"]


@pytest.mark.fault("files")
def test_a_zone_that_the_rows_contradict_is_refused_with_the_right_one(own_database: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "gold.csv", days=40)
    stamped = (tmp_path / "gold.csv").read_text().replace("Z,", ",")
    (tmp_path / "gold.csv").write_text(stamped)
    result = CliRunner().invoke(create_app(), ["import", str(tmp_path / "gold.csv"), "--no-derive", "--zone", "Asia/Tokyo"])
    assert result.exit_code == 6
    assert "refused" in result.stdout
    assert "--zone UTC" in " ".join(result.stdout.split())
    assert _counts(own_database)["raw_candles"] == 0


def test_claims_are_read_from_the_options() -> None:
    claims = parse_claims(timeframe="m5", side=None, source="oanda:ask", zone="UTC")
    assert (claims.timeframe, claims.side, claims.vendor, claims.zone) == (Timeframe.M5, Side.ASK, "oanda", "UTC")
    assert parse_claims(timeframe=None, side="bid", source="oanda", zone=None).side is Side.BID


@pytest.mark.parametrize(
    ("side", "source", "message"), [("bid", "oanda:ask", "Say it once"), ("middle", None, "bid, ask, mid")], ids=["twice", "none"]
)
def test_claims_that_cannot_be_meant_are_refused(side: str, source: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_claims(timeframe=None, side=side, source=source, zone=None)


def test_a_file_that_does_not_exist_is_wrong_usage(home: Path) -> None:
    assert CliRunner().invoke(create_app(), ["import", "nowhere.csv"]).exit_code == 2
    assert not home.exists()
