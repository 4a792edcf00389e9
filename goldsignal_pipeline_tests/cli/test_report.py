"""`goldsignal report` and `export` from a filled graph, and the report as an asset."""

from __future__ import annotations

import csv
import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pyarrow import parquet
from sqlalchemy import text
from typer.testing import CliRunner

from goldsignal_pipeline.assets.report import report
from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.report.exporting import TIMES, dictionary
from goldsignal_pipeline.report.words import NO_EDGE
from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource
from goldsignal_pipeline.settings import cached_settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.graph import SYMBOL
from goldsignal_pipeline_tests.report.test_page import Reader

RANGE = ("--from", "2026-01-15", "--to", "2026-03", "--symbol", SYMBOL)


@pytest.fixture
def graph(home, filled_graph: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The filled graph as the database of the settings; the commands only read."""
    monkeypatch.setenv("GOLDSIGNAL_DATABASE_URL", filled_graph.url.render_as_string(hide_password=False))
    return filled_graph


def invoke(*arguments: str) -> Any:
    result = CliRunner().invoke(create_app(), [*arguments])
    assert result.exit_code == 0, result.output
    return result


def stored(database: Database, query: str) -> Any:
    with database.transaction(read_only=True) as connection:
        return connection.execute(text(query)).all()


def test_the_report_tells_what_the_tables_hold(graph: Database, tmp_path: Path) -> None:
    out = tmp_path / "a folder" / "report.html"
    told = json.loads(invoke("report", *RANGE, "--out", str(out), "--json").stdout)
    content = out.read_bytes()
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    page = Reader(content.decode())
    assert NO_EDGE in page.text
    window = "symbol = 'XAUUSD-SIM' AND {0} >= '2026-01-15Z' AND {0} < '2026-03-01Z'"
    signals = stored(graph, f"SELECT status, count(*) FROM signal_states WHERE {window.format('confirmed_at')} GROUP BY 1")
    assert told["signals"] == sum(row.count for row in signals) > 0
    ((count, total),) = stored(
        graph, f"SELECT count(net_r), sum(net_r) FROM outcomes WHERE {window.format('resolved_at')} AND net_r IS NOT NULL"
    )
    assert f"{count} results became known, {total:+.2f} R in all" in page.text
    turned = stored(
        graph,
        "SELECT count(*) FROM gate_decisions WHERE NOT is_accepted AND reasons[1] = 'not_eligible' AND strategy = 'ema_momentum'"
        f" AND {window.format('decided_for')}",
    )
    assert f"ema_momentum the strategy's record is too short or harmful {turned[0][0]}" in page.text
    for (digest,) in stored(graph, "SELECT left(digest, 16) FROM partition_digests WHERE month IN ('2026-01', '2026-02')"):
        assert digest in page.text
    ((missing, expected),) = stored(
        graph,
        "SELECT sum(missing_bars), sum(expected_bars) FROM trading_day_states WHERE symbol = 'XAUUSD-SIM'"
        " AND trading_day >= '2026-01-15' AND trading_day < '2026-03-01'",
    )
    assert f"{missing:,} of {expected:,} expected bars are missing" in page.text
    assert list(out.parent.iterdir()) == [out], "nothing unfinished lies about"


def test_the_same_range_gives_the_same_page_but_for_the_time_it_was_made(graph: Database, tmp_path: Path) -> None:
    pages = []
    for name in ("one.html", "two.html"):
        invoke("report", *RANGE, "--out", str(tmp_path / name))
        lines = (tmp_path / name).read_text().split("</p>")
        pages.append([line for line in lines if "Made " not in line])
    assert pages[0] == pages[1]


def test_a_folder_that_cannot_be_written_is_told(graph: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(create_app(), ["report", *RANGE, "--out", str(tmp_path / "file" / "report.html")])
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_exported_files_hold_the_rows_of_the_tables_alike_in_both_forms(graph: Database, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    told = json.loads(invoke("export", *RANGE, "--dir", str(folder), "--json").stdout)
    assert {path.name for path in folder.iterdir()} == {
        "dictionary.md",
        *(f"{name}.{kind}" for name in TIMES for kind in ("csv", "parquet")),
    }
    for one in told["files"]:
        time = TIMES[one["table"]]
        only = f"AND symbol = '{SYMBOL}'" if one["table"] != "news_events" and one["table"] != "gate_events" else ""
        query = f"SELECT count(*) FROM {one['table']} WHERE {time} >= '2026-01-15Z' AND {time} < '2026-03-01Z' {only}"
        assert one["rows"] == stored(graph, query)[0][0], one["table"]
    for name in ("outcomes", "signals", "candles", "strategy_performance", "gate_decisions"):
        with (folder / f"{name}.csv").open(newline="") as source:
            rows = list(csv.DictReader(source))
        table = parquet.read_table(folder / f"{name}.parquet")
        assert len(rows) == table.num_rows > 0
        for position in (0, len(rows) - 1):
            held = table.slice(position, 1).to_pylist()[0]
            assert {key: _shown(value) for key, value in held.items()} == rows[position]
    assert table.schema.field("evidence").metadata[b"comment"].startswith(b"harmful, unproven or proven")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if hasattr(value, "hour"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)


def test_prices_are_exact_in_parquet(graph: Database, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    invoke("export", *RANGE, "--dir", str(folder))
    closes = parquet.read_table(folder / "candles.parquet", columns=["close"])["close"].to_pylist()
    ((total,),) = stored(
        graph,
        f"SELECT sum(close) FROM candles WHERE symbol = '{SYMBOL}' AND timestamp >= '2026-01-15Z' AND timestamp < '2026-03-01Z'",
    )
    assert sum(closes, Decimal(0)) == total


def test_the_dictionary_explains_every_column() -> None:
    lines = [line for line in dictionary().splitlines() if line.startswith("| ") and not line.startswith("| column")]
    assert len(lines) > 100
    assert all(len(line.split(" | ")[2].strip(" |")) > 3 for line in lines)


def test_the_asset_writes_the_report_of_the_night_and_links_to_it(graph: Database, home: Path) -> None:
    cached_settings.cache_clear()
    resources = {"database": DatabaseResource(), "clock": ClockResource(), "settings": SettingsResource()}
    result = dg.materialize([report], resources=resources, instance=dg.DagsterInstance.ephemeral())
    (told,) = result.asset_materializations_for_node("report")
    path = home / "reports" / f"{SYMBOL}.html"
    assert NO_EDGE in path.read_text()
    assert told.metadata["page"].value == path.resolve().as_uri()
    assert told.metadata["sha256"].value == hashlib.sha256(path.read_bytes()).hexdigest()
