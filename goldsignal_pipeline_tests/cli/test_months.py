"""Months as commands handle them: how many go into one run, and how they fall into ranges."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from goldsignal_pipeline.cli.launch import chunks
from goldsignal_pipeline.cli.months import months_per_run, ranges
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.storage import digests
from goldsignal_pipeline.storage.database import Database


@pytest.mark.parametrize(
    ("rows", "together"),
    [((), 60), ((500,), 60), ((500, 6_000), 33), ((30_000,), 12)],
    ids=["nothing", "hours", "both", "minutes"],
)
def test_the_fullest_month_decides_how_many_months_one_run_derives(
    database: Database, rows: tuple[int, ...], together: int
) -> None:
    """Hourly bars by five years, five-minute bars by two or three, minutes by one."""
    with database.transaction() as connection:
        for number, count in enumerate(rows, start=1):
            digests.upsert(
                connection,
                asset="raw_candles",
                symbol=REAL_SYMBOL,
                month=f"2025-{number:02}",
                rows=count,
                digest="d",
                inputs_digest="",
                complete=True,
                code_version="1",
                computed_at=datetime(2026, 1, 1, tzinfo=UTC),
                run_id=None,
            )
    assert months_per_run(database, symbol=REAL_SYMBOL, least=12) == together


def test_a_range_is_cut_into_runs_that_follow_each_other() -> None:
    assert chunks("2006-03", "2008-02") == [("2006-03", "2007-02"), ("2007-03", "2008-02")]
    assert chunks("2006-03", "2019-02", months_per_run=60) == [
        ("2006-03", "2011-02"),
        ("2011-03", "2016-02"),
        ("2016-03", "2019-02"),
    ]


def test_months_that_follow_each_other_are_one_range() -> None:
    assert ranges(["2006-11", "2006-12", "2007-01", "2007-03"]) == [("2006-11", "2007-01"), ("2007-03", "2007-03")]
    assert ranges([]) == []
