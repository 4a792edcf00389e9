"""A process of the graph's benchmarks: one kind of work in the databases of its environment, told as JSON on its last line.

`python -m benchmarks.graph_worker WORK ORDER`, with the order as JSON; `benchmarks.graph_stage` starts it. Imports and Dagster's
connection are made before the clock runs.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from benchmarks.graph_stage import measured
from benchmarks.graph_twin import empty_twin
from benchmarks.harness import take_turns
from goldsignal_pipeline.assets.partitions import month_of, month_start, months_between, next_month, range_tags
from goldsignal_pipeline.automation.schedules import BAR_CLOSE_TAG
from goldsignal_pipeline.definitions import definitions
from goldsignal_pipeline.resources import ClockResource

DAGSTER_BYTES = (
    "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'dagster'::regnamespace"
)
DELAY = timedelta(seconds=4)
"""How long after its scheduled instant a cycle looks at the clock."""

_quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_virtual = {"now": datetime.now(UTC)}


class SetClock(ClockResource):
    """A clock that stands where the benchmark put it."""

    def now(self) -> datetime:
        """That instant."""
        return _virtual["now"]


def fill(*, first: str, now: str, postmaster: int) -> dict[str, Any]:
    """Everything from the month `first` to the instant `now`, by the functions of the assets, without Dagster."""
    from goldsignal_pipeline.assets.refresh import refresh
    from goldsignal_pipeline.assets.registering import register
    from goldsignal_pipeline.cli.prove.graph import Run, run_in_chunks
    from goldsignal_pipeline.resources import make_provider
    from goldsignal_pipeline.settings import cached_settings
    from goldsignal_pipeline.storage.database import Database

    settings, instant = cached_settings(), datetime.fromisoformat(now)
    database = Database(settings.required_database_url)
    months = months_between(first, month_of(instant))
    with measured(postmaster) as spent:
        register(database, now=instant)
        provider = make_provider(settings, database=database, clock=lambda: instant)
        window = {"start": month_start(months[0]), "end": month_start(next_month(months[-1]))}
        refresh(database, provider, **window, now=instant, grace=settings.grace, run_id=None)
        run_in_chunks(Run(database, settings, instant, "fill"), months)
    database.dispose()
    return asdict(spent)


def backfill(*, side: str, runs: Sequence[tuple[str, str]], postmaster: int) -> dict[str, Any]:
    """The job `backfill` over ranges of months, one run each: of our graph or of its empty twin."""
    job = _graph(side).resolve_job_def("backfill")
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
        with measured(postmaster) as spent:
            for first, last in runs:
                _run(job, instance, tags=range_tags(first, last))
    return asdict(spent)


def live(*, databases: dict[str, str], start: str, rounds: int, postmaster: int) -> dict[str, Any]:
    """Live cycles, one closed bar after the other from `start` on, in each of the databases, in turns with the empty job.

    Of each way a list of what the cycles spent; `signalled` is until the step of `signals` had committed, `written` the bytes
    by which Dagster's tables grew, `events` the rows of its event log.
    """
    empty, ours = (_graph(side).resolve_job_def("live_cycle") for side in ("empty", "ours"))
    closes = {name: iter(_closes(datetime.fromisoformat(start))) for name in ("empty", *databases)}
    with dg.DagsterInstance.get() as instance:

        def way(name: str) -> Callable[[], dict[str, float]]:
            def cycle() -> dict[str, float]:
                if name != "empty":
                    _use(databases[name])
                job = empty if name == "empty" else ours
                return _cycle(job, instance, close=next(closes[name]), postmaster=postmaster)

            return cycle

        return dict(take_turns({name: way(name) for name in closes}, rounds=rounds))


def core(*, first: str, last: str, postmaster: int) -> dict[str, Any]:
    """What our database holds of the months, computed again in memory: fetched, judged, projected, and all that follows."""
    from benchmarks.graph_core import compute_in_memory

    return compute_in_memory(months_between(first, last), postmaster=postmaster)


def _cycle(job: dg.JobDefinition, instance: dg.DagsterInstance, *, close: datetime, postmaster: int) -> dict[str, float]:
    from goldsignal_pipeline.settings import cached_settings

    _virtual["now"] = close + cached_settings().grace + DELAY
    month = month_of(_virtual["now"])
    before, began = _dagster_bytes(), datetime.now(UTC).timestamp()
    with measured(postmaster) as spent:
        run_id = _run(job, instance, tags=range_tags(month, month) | {BAR_CLOSE_TAG: close.isoformat()})
    written = _dagster_bytes() - before
    ends = {one.step_key: one.timestamp for one in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)}
    signals = next(ends[key] for key in ends if key == "signals")
    events = len(instance.all_logs(run_id))
    return asdict(spent) | {"signalled": signals - began, "written": written, "steps": len(ends), "events": events}


def _run(job: dg.JobDefinition, instance: dg.DagsterInstance, *, tags: dict[str, str]) -> str:
    result = job.execute_in_process(instance=instance, tags=tags, run_config=_quiet)
    if not result.success:
        raise RuntimeError(f"{job.name} failed for {tags}")
    return result.run_id


def _graph(side: str) -> dg.Definitions:
    if side == "empty":
        return empty_twin(definitions)
    return dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        jobs=definitions.jobs,
        resources={**(definitions.resources or {}), "clock": SetClock()},
    )


def _closes(start: datetime) -> list[datetime]:
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.market.zones import to_datetime
    from goldsignal_pipeline.settings import cached_settings

    timeframe = cached_settings().base_timeframe
    opens = load_calendar().expected_opens(timeframe=timeframe, start=start, end=start + timedelta(days=14))
    return [to_datetime(one) + timeframe.length for one in opens]


def _use(url: str) -> None:
    from goldsignal_pipeline.settings import cached_settings

    os.environ["GOLDSIGNAL_DATABASE_URL"] = url
    cached_settings.cache_clear()


def _dagster_bytes() -> int:
    import psycopg

    address = os.environ["GOLDSIGNAL_DAGSTER_PG_URL"].split("://", 1)[1]
    with psycopg.connect(f"postgresql://{address}") as connection:
        row = connection.execute(DAGSTER_BYTES).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    works: dict[str, Callable[..., dict[str, Any]]] = {"fill": fill, "backfill": backfill, "live": live, "core": core}
    print(json.dumps(works[sys.argv[1]](**json.loads(sys.argv[2]))))
