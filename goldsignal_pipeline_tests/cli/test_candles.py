"""`goldsignal candles` and `gaps`: the record as it is, as it was known, and what it lacks."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from goldsignal_pipeline.assets.derive import derive
from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.candles import parse_as_of
from goldsignal_pipeline.market.hours import load_calendar
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.files import read_file
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.cli.market_files import FIRST, write_csv

GRACE = timedelta(seconds=120)
KNOWN = datetime(2026, 3, 20, 12, tzinfo=UTC)
MISSING_BAR = 60


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(create_app(), [*arguments, "--symbol", REAL_SYMBOL])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def record(own_database: str, tmp_path: Path) -> Database:
    """Twelve days of H1 bars without bar 60, observed on 20 March, derived as of then."""
    write_csv(tmp_path / "gold.csv", skip=MISSING_BAR)
    database = Database(own_database)
    _observe(database, tmp_path / "gold.csv", now=KNOWN)
    derive(database, months=["2026-03"], now=KNOWN, grace=GRACE, source_order=(), run_id=None)
    yield database
    database.dispose()


def _observe(database: Database, path: Path, *, now: datetime) -> None:
    reading = read_file(path, calendar=load_calendar())
    ingest(
        database,
        symbol=REAL_SYMBOL,
        deliveries=reading.deliveries,
        calendar=load_calendar(),
        now=now,
        grace=GRACE,
        run_id=None,
    )


@pytest.mark.usefixtures("record")
def test_csv_holds_the_bars_of_the_file_to_the_cent_in_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DISPLAY_TIMEZONE", "Asia/Tokyo")
    shown = _run("candles", "-t", "H1", "--from", "2026-03-02T00:00Z", "--to", "2026-03-14T00:00Z", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(shown)))
    given = list(csv.DictReader((tmp_path / "gold.csv").open()))
    columns = ("timestamp", "open", "high", "low", "close")
    assert [tuple(row[name] for name in columns) for row in rows] == [tuple(row[name] for name in columns) for row in given]
    assert {row["volume"] for row in rows} == {"100.00"}


@pytest.mark.usefixtures("record")
def test_json_and_csv_agree_and_the_table_shows_the_users_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDSIGNAL_DISPLAY_TIMEZONE", "Asia/Tokyo")
    span = ("candles", "-t", "H4", "--from", "2026-03-03T00:00Z", "--to", "2026-03-05T00:00Z")
    rows = list(csv.DictReader(io.StringIO(_run(*span, "--csv").stdout)))
    values: list[dict[str, Any]] = json.loads(_run(*span, "--json").stdout)["candles"]
    assert len(rows) == len(values) > 0
    assert [(row["timestamp"], float(row["close"])) for row in rows] == [(value["timestamp"], value["close"]) for value in values]
    assert {value["base_timeframe"] for value in values} == {"H1"}
    shown = _run(*span).stdout
    assert "times in Asia/Tokyo" in shown
    tokyo = datetime.fromisoformat(values[0]["timestamp"]) + timedelta(hours=9)
    assert f"{tokyo:%Y-%m-%d %H:%M}" in shown


@pytest.mark.usefixtures("record")
def test_without_a_range_the_newest_twenty_bars_are_shown() -> None:
    values = json.loads(_run("candles", "--json").stdout)["candles"]
    assert len(values) == 20
    assert values[-1]["timestamp"] == "2026-03-13T20:00:00Z"


def test_as_of_shows_the_value_that_was_known_then_and_nothing_that_was_not(record: Database, tmp_path: Path) -> None:
    """I5: what was observed later does not exist in the view of an earlier instant."""
    given = (tmp_path / "gold.csv").read_text().splitlines()
    stamp, first, high, low, _, volume = given[-1].split(",")
    revised = tmp_path / "revised.csv"
    revised.write_text("\n".join([*given[:-1], f"{stamp},{first},{high},{low},{low},{volume}"]) + "\n")
    _observe(record, revised, now=KNOWN + timedelta(days=1))
    derive(record, months=["2026-03"], now=KNOWN + timedelta(days=1), grace=GRACE, source_order=(), run_id=None)

    def newest(*arguments: str) -> Any:
        values = json.loads(_run("candles", "-t", "H1", "--from", "2026-03-12T00:00Z", "--json", *arguments).stdout)["candles"]
        return values[-1]["close"] if values else None

    assert newest() == float(low)
    assert newest("--as-of", "2026-03-20T13:00Z") == float(given[-1].split(",")[4])
    assert newest("--as-of", "2026-03-22T00:00Z") == float(low)
    assert newest("--as-of", "2026-03-20T11:00Z") is None


def test_as_of_now_equals_the_stored_candles_in_every_timeframe(record: Database) -> None:
    for timeframe in Timeframe:
        span = ("candles", "-t", timeframe.value, "--from", "2026-03-02T00:00Z", "--to", "2026-03-14T00:00Z", "--csv")
        assert _run(*span, "--as-of", "2026-03-20T12:00Z").stdout == _run(*span).stdout


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_what_is_known_in_the_future_is_refused_and_no_database_started(
    zone: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next minute is refused in whatever zone it is written; the last one is not."""
    monkeypatch.setenv("GOLDSIGNAL_DISPLAY_TIMEZONE", zone)
    now = datetime.now(ZoneInfo(zone))
    future = CliRunner().invoke(create_app(), ["candles", "--as-of", f"{now + timedelta(minutes=2):%Y-%m-%d %H:%M}"])
    assert future.exit_code == 2
    assert "has not come yet" in future.stderr
    assert "leave out --as-of" in future.stderr
    assert not (home / "postgres").exists()
    assert parse_as_of(f"{now:%Y-%m-%d %H:%M}", zone=ZoneInfo(zone), now=now) <= now


@pytest.mark.usefixtures("record")
def test_the_one_missing_bar_is_a_gap_with_its_reason_and_closed_time_is_counted() -> None:
    expected = load_calendar().expected_opens(timeframe=Timeframe.H1, start=FIRST, end=FIRST + timedelta(days=12))
    missing = f"{str(expected[MISSING_BAR])[:19]}Z"
    report = json.loads(_run("gaps", "--from", "2026-03-02T00:00Z", "--to", "2026-03-14T00:00Z", "--json").stdout)
    assert [(gap["start"], gap["missing_bars"], gap["reason"], gap["timeframe"]) for gap in report["gaps"]] == [
        (missing, 1, "not_fetched", "H1")
    ]
    # Eight daily breaks; a weekend of 48 hours, because New York's clock jumps in it, and the first three hours of the next.
    assert report["closed_minutes"] == {"closed_hours": 8 * 60, "weekend": 48 * 60 + 3 * 60}


@pytest.mark.usefixtures("record")
def test_days_that_were_never_derived_are_missing_not_fine() -> None:
    """Mistake 18: an empty record must not look healthy."""
    report = json.loads(_run("gaps", "--from", "2025-07-01T00:00Z", "--to", "2025-07-02T00:00Z", "--json").stdout)
    # 23 open hours of five-minute bars.
    assert report["missing_bars"] == {"not_fetched": 276}
    assert (report["gaps"][0]["start"], report["gaps"][-1]["end"]) == ("2025-07-01T00:00:00Z", "2025-07-02T00:00:00Z")


def test_a_quarantined_row_is_named_as_the_reason_of_its_gap(record: Database) -> None:
    expected = load_calendar().expected_opens(timeframe=Timeframe.H1, start=FIRST, end=FIRST + timedelta(days=12))
    with record.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO quarantined_candles (symbol, source, timeframe, timestamp, reason, payload, stage, calendar_version,"
                " observed_at) VALUES ('XAUUSD', 'x:bid', 'H1', :at, 'price_order', 'row', 'observation', '1', now())"
            ),
            {"at": f"{expected[MISSING_BAR]}Z"},
        )
    report = json.loads(_run("gaps", "--from", "2026-03-02T00:00Z", "--to", "2026-03-14T00:00Z", "--json").stdout)
    assert report["missing_bars"] == {"quarantined": 1}


def test_an_unknown_timeframe_and_two_formats_at_once_are_refused(home: Path) -> None:
    wrong = CliRunner().invoke(create_app(), ["candles", "-t", "H2"])
    assert (wrong.exit_code, "M1, M5, M15" in wrong.stderr) == (2, True)
    assert CliRunner().invoke(create_app(), ["candles", "--csv", "--json"]).exit_code == 2
    assert not home.exists()
