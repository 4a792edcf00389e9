"""Every native file goes the whole way: each of its rows is stored, unchanged, a repetition or quarantined, and candles follow.

Reading is tested beside the reader; here the expectations of that table are carried on through the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from goldsignal_pipeline.assets.ingest import IngestReport
from goldsignal_pipeline.assets.partitions import months_between
from goldsignal_pipeline.checks.findings import candle_findings
from goldsignal_pipeline.errors import GoldSignalError
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.acceptance.record import counts, derive_stale, import_file
from goldsignal_pipeline_tests.providers.files.test_recorded import EXPECTED, Read, Refused

pytestmark = [pytest.mark.recorded, pytest.mark.fault("files")]


@dataclass(frozen=True)
class Kept:
    """What a file leaves in the database."""

    stored: int
    quarantined: dict[str, int] = field(default_factory=dict)
    candles: int = 0


KEPT: dict[str, Kept] = {
    "raw/mt5-export/XAUUSD_H1.csv": Kept(4858, {}, 6341),
    "raw/mt5-export/XAUUSD_H4.csv": Kept(1175, {"misaligned": 96}, 1371),
    "raw/mt5-export/XAUUSD_M15_dst-mismatch-2025-03.csv": Kept(1831, {}, 3345),
    "raw/mt5-export/XAUUSD_M5_head6000.csv": Kept(6000, {}, 9657),
    "raw/mt5-python/XAUUSD_M1_head8000.csv": Kept(8000, {}, 10583),
    "raw/mt5-points/XAUUSDd1_points.csv": Kept(2399, {"holiday": 1}, 2399),
    "raw/mt5-points/XAUUSDh1_points_tail6000.csv": Kept(6000, {}, 7832),
    "raw/mt5-appended/XAUUSD_D1_asrecorded.csv": Kept(4863, {"forming": 14, "holiday": 9, "weekend": 109}, 4863),
    "raw/mt5-appended/XAUUSD_H1_2018-transition-daily-to-hourly.csv": Kept(437, {"misaligned": 33}, 570),
    "raw/mt5-appended/XAUUSD_H1_2026-03-20_on.csv": Kept(920, {"unreadable": 1}, 1200),
    "raw/mt5-appended/XAUUSD_H4_tail500_mixed-date-format.csv": Kept(500, {}, 584),
    "raw/histdata-mt/DAT_MT_XAUUSD_M1_202401_head7000_out-of-order.csv": Kept(7000, {}, 9260),
    "raw/lean-oanda/20140501_quote.zip": Kept(2724, {"closed_hours": 26}, 1808),
    "raw/lean-oanda/20140504_quote.zip": Kept(240, {}, 160),
    "raw/lean-oanda/20140505_quote.zip": Kept(2754, {"closed_hours": 24}, 1823),
    "raw/lean-oanda/20140511_quote.zip": Kept(240, {}, 160),
    "raw/lean-oanda/daily_xauusd.zip": Kept(0, {"misaligned": 7898}, 0),
    "raw/oanda-v20/candles_D_sample.json": Kept(2, {}, 1),
    "raw/twelvedata/time_series_M15_csv_UTC_2026-08-07_to_20_incl-weekend_last-row-forming.csv": Kept(
        854, {"closed_hours": 28, "weekend": 392}, 1562
    ),
    "raw/twelvedata/time_series_M5_csv_UTC_good-friday-2026-04-03_frozen.csv": Kept(132, {"holiday": 288, "weekend": 576}, 215),
    "raw/twelvedata/time_series_M5_csv_UTC_weekend-2026-02-07_moving.csv": Kept(132, {"weekend": 588}, 214),
    "raw/twelvedata/derived_time_series_15min_UTC_desc_last-forming.json": Kept(30, {}, 57),
    "raw/twelvedata/derived_time_series_15min_EXCHANGE-SYDNEY_desc.json": Kept(30, {}, 57),
}

READABLE = [name for name, expected in EXPECTED.items() if isinstance(expected, Read) and name.startswith("raw/")]
REFUSED = [name for name, expected in EXPECTED.items() if isinstance(expected, Refused)]


def test_the_table_names_every_native_file_that_can_be_read() -> None:
    assert sorted(KEPT) == sorted(READABLE)


@pytest.mark.parametrize("name", READABLE)
def test_every_row_of_a_native_file_is_accounted_for_and_its_candles_are_sound(
    database: Database, shared_data: Path, name: str
) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Read)
    report = import_file(database, shared_data / name, zone=expected.named)
    assert report.read == expected.rows * len(expected.sources)
    assert report.read == report.stored + report.unchanged + report.folded + sum(report.quarantined.values())
    assert counts(database, "raw_candles", "'rows'").get("rows", 0) == report.stored
    kept = counts(database, "quarantined_candles", "reason", "timestamp IS NOT NULL")
    assert kept == {reason: rows for reason, rows in report.quarantined.items() if reason != "unreadable"}
    derived = derive_stale(database)
    candles = sum(counts(database, "candles", "timeframe").values())
    assert Kept(report.stored, dict(sorted(report.quarantined.items())), candles) == KEPT[name]
    for first, last in derived:
        findings = candle_findings(database, months=months_between(first, last))
        assert {name: found.count for name, found in findings.items() if name != "trading_days_are_complete"} == {
            "prices_are_ordered": 0,
            "keys_are_unique": 0,
            "nothing_outside_hours": 0,
            "derived_equals_base": 0,
        }
    _a_second_import_changes_nothing(database, shared_data / name, first=report, zone=expected.named)


def _a_second_import_changes_nothing(database: Database, path: Path, *, first: IngestReport, zone: str | None) -> None:
    """I19."""
    second = import_file(database, path, zone=zone)
    assert (second.stored, second.unchanged, second.months) == (0, first.stored, ())
    assert second.quarantined == first.quarantined
    assert sum(counts(database, "quarantined_candles", "reason").values()) == sum(first.quarantined.values())
    assert derive_stale(database) == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_file_leaves_nothing_behind(database: Database, shared_data: Path, name: str) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Refused)
    with pytest.raises(GoldSignalError, match=expected.reason):
        import_file(database, shared_data / name)
    for table in ("raw_candles", "quarantined_candles", "partition_digests"):
        assert counts(database, table, "'rows'") == {}
