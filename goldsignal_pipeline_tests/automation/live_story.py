"""The story of a live stack: what the test lets happen, one tick after another, and what may be asked of it afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from sqlalchemy import text

from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.automation.live_stack import LiveStack, live_runs, wait_until

UNFINISHED = dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))


def at(label: str) -> datetime:
    return datetime.fromisoformat(label).replace(tzinfo=UTC)


@dataclass
class Story:
    """What the ticks left behind; the fields from `cycles` on with what was pruned."""

    stack: LiveStack
    database: Database
    instance: dg.DagsterInstance
    instants: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """From the scheduled instant of a tick to the end of its run."""
    cycles: dict[str, list[dg.DagsterRun]] = field(default_factory=dict)
    skipped_ticks: dict[str, str] = field(default_factory=dict)
    failure_log: str = ""
    runs: dict[str, dg.RunRecord] = field(default_factory=dict)

    def rows(self, query: str) -> list[Any]:
        with self.database.transaction(read_only=True) as connection:
            return list(connection.execute(text(query)).mappings())

    def tick(self, label: str) -> None:
        """Let its time come, once nothing runs any more: to Dagster a leap looks like a run that does not get on."""
        self.quiet()
        self.stack.time.set(at(label))
        self.instants.append(label)

    def tick_of(self, instant: datetime) -> str:
        """The chosen tick in whose time an instant lies: a busy machine takes minutes for what a quiet one does in seconds."""
        return max(label for label in self.instants if at(label) <= instant)

    def cycle(self, label: str, *, bar: str) -> dg.DagsterRun:
        """The finished run of a tick for the bar that closed at `bar`."""
        self.tick(label)
        begin = time.monotonic()
        run = self.finished(bar)
        self.seconds[label] = round(time.monotonic() - begin, 1)
        return run

    def finished(self, bar: str) -> dg.DagsterRun:
        def found() -> dg.DagsterRun | None:
            runs = live_runs(self.instance).get(bar, [])
            return runs[-1] if runs and runs[-1].is_finished else None

        return wait_until(found, f"the cycle of {bar}")

    def skipped(self, label: str, *, at_tick: str | None = None) -> str:
        """Why the tick of an instant, or the last one before it, asked for no run."""
        self.tick(label)
        return wait_until(lambda: self.skips().get(at_tick or label), f"the tick of {at_tick or label}")

    def quiet(self) -> None:
        """Wait for the end of every run."""
        wait_until(lambda: self.instance.get_runs_count(UNFINISHED) == 0, "the end of every run")

    def run_of(self, job: str, *, since: datetime) -> dg.DagsterRun:
        """The finished run of a job that was asked for since an instant."""
        wanted = dg.RunsFilter(job_name=job, created_after=since)

        def found() -> dg.DagsterRun | None:
            runs = self.instance.get_runs(wanted, limit=1)
            return runs[0] if runs and runs[0].is_finished else None

        return wait_until(found, f"a run of {job}")

    def remember(self) -> None:
        """Keep what the tests ask about runs and ticks that may be pruned afterwards."""
        self.cycles |= live_runs(self.instance)
        self.skipped_ticks |= self.skips()
        self.runs |= {record.dagster_run.run_id: record for record in self.instance.get_run_records()}
        failed = [record.dagster_run.run_id for record in self.runs.values() if not record.dagster_run.is_success]
        self.failure_log += "".join(entry.to_json() for run_id in failed for entry in self.instance.all_logs(run_id))

    def ticks(self, name: str) -> list[InstigatorTick]:
        """The evaluations of a schedule or sensor, the newest first."""
        (state,) = [state for state in self.instance.all_instigator_state() if state.name == name]
        return list(self.instance.get_ticks(state.instigator_origin_id, state.selector_id))

    def skips(self) -> dict[str, str]:
        """Why ticks of the live cycle asked for no run."""
        return {label_of(tick): tick.skip_reason for tick in self.ticks("live_cycle_schedule") if tick.skip_reason}


def label_of(tick: InstigatorTick) -> str:
    """The minute of a tick, as these tests write it."""
    return f"{datetime.fromtimestamp(tick.timestamp, tz=UTC):%Y-%m-%d %H:%M}"
