"""A corrected calendar: what the old one turned away comes back when it is fetched or imported again, and not before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import resources
from pathlib import Path

import dagster as dg
import pytest

from goldsignal_pipeline.assets.ingest import ingest
from goldsignal_pipeline.automation.sensors import repair_sensor
from goldsignal_pipeline.market import hours
from goldsignal_pipeline.market.sources import REAL_SYMBOL
from goldsignal_pipeline.providers.files import read_file
from goldsignal_pipeline_tests.automation.conftest import Deployment
from goldsignal_pipeline_tests.cli.market_files import write_csv

AFTERNOON = "timestamp >= '2024-03-19 17:00Z' AND timestamp < '2024-03-19 21:00Z'"
"""Tuesday from 13:00 in New York to the daily break: four hours, which the old table calls closed."""


@contextmanager
def old_calendar() -> Iterator[None]:
    """The program of before the correction: its table has one early close too many."""
    table = resources.files("goldsignal_pipeline.market").joinpath("calendar.csv").read_text(encoding="utf-8")
    mistaken = hours.parse_calendar(
        table.replace("# version ", "# version before-").rstrip() + "\n2024-03-19,18:00,13:00,early_close,a mistake\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hours, "parse_calendar", lambda text: mistaken)
        hours.load_calendar.cache_clear()
        try:
            yield
        finally:
            hours.load_calendar.cache_clear()


def held(deployment: Deployment) -> tuple[int, int]:
    """Observations and H1 candles of the afternoon."""
    return tuple(
        deployment.rows(f"SELECT count(*) FROM {table} WHERE timeframe = 'H1' AND {AFTERNOON}")[0][0]
        for table in ("raw_candles", "candles")
    )


def jobs_asked_for(deployment: Deployment) -> set[str | None]:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance, resources=deployment.resources()) as context,
    ):
        result = repair_sensor(context)
    return set() if isinstance(result, dg.SkipReason) else {request.job_name for request in result.run_requests}


@pytest.mark.parametrize(("later", "jobs"), [("2024-03-21 12:20", {"derive", "backfill"}), ("2024-04-30 12:20", {"derive"})])
def test_a_backfill_of_the_month_brings_the_hours_back_and_in_the_first_week_the_sensor_asks_for_it(
    later: str, jobs: set[str], deployment: Deployment
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        with old_calendar():
            assert deployment.materialize("2024-03", "2024-03", instance=instance).success
            assert held(deployment) == (0, 0)
            assert deployment.rows(f"SELECT DISTINCT reason FROM quarantined_candles WHERE {AFTERNOON}") == [("early_close",)]
        assert jobs_asked_for(deployment.at(later)) == jobs
        assert deployment.materialize("2024-03", "2024-03", instance=instance, kind="batch").success
        assert held(deployment) == (4, 4)
        assert "backfill" not in jobs_asked_for(deployment.at(later))


def test_the_same_file_imported_again_stores_what_was_turned_away_and_nothing_twice(
    deployment: Deployment, tmp_path: Path
) -> None:
    rows = write_csv(tmp_path / "gold.csv", start=deployment.at("2024-03-18").clock.now, days=3)
    deployment.at("2024-03-25")

    def import_it() -> tuple[int, int, dict[str, int]]:
        report = ingest(
            deployment.database,
            symbol=REAL_SYMBOL,
            deliveries=read_file(tmp_path / "gold.csv", calendar=hours.load_calendar()).deliveries,
            calendar=hours.load_calendar(),
            now=deployment.clock.now,
            grace=timedelta(seconds=120),
            run_id=None,
        )
        return report.stored, report.unchanged, dict(report.quarantined)

    with old_calendar():
        assert import_it() == (rows - 4, 0, {"early_close": 4})
    assert import_it() == (4, rows - 4, {})
