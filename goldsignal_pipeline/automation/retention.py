"""Retention: Dagster's own records (runs, their events and compute logs), and derived candles of short bars where you say so.

Observations are never touched, and derived candles only where `GOLDSIGNAL_KEEP_CANDLES` names their timeframe: what is deleted is
made of the observations again by whoever reads it (`assets.kept_candles`).

Two kinds of runs are kept whatever their age: those that hold the newest materialization of any partition, because deleting them
makes Dagster call the partition missing, and the newest good live cycle, from which the next one reaches on.
"""

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg

from goldsignal_pipeline.resources import ClockResource, DatabaseResource, SettingsResource

_BATCH: Final = 500


@dg.op(description="Deletes finished runs past their age, with their events and compute logs.")
def delete_old_runs(context: dg.OpExecutionContext, clock: ClockResource, settings: SettingsResource) -> dict[str, int]:
    """Delete what is old and owed to nobody; says how many runs were deleted and kept."""
    chosen = settings.read()
    deleted, kept = prune_runs(
        context.instance,
        now=clock.now(),
        live_age=timedelta(days=chosen.live_run_days),
        other_age=timedelta(days=chosen.run_days),
    )
    context.add_output_metadata({"runs_deleted": deleted, "runs_kept_as_newest": kept})
    return {"deleted": deleted, "kept": kept}


@dg.op(description="Deletes derived candles of short bars past the months that are kept of them; observations give them again.")
def delete_old_candles(
    context: dg.OpExecutionContext, database: DatabaseResource, clock: ClockResource, settings: SettingsResource
) -> int:
    """Delete candles by timeframe, where the settings ask for it; says how many rows of which months."""
    from goldsignal_pipeline.assets.kept_candles import prune
    from goldsignal_pipeline.assets.summaries import table
    from goldsignal_pipeline.storage.pruned_candles import complete_from

    with database.open() as opened:
        pruned = prune(opened, settings.read(), now=clock.now())
        with opened.transaction(read_only=True) as connection:
            whole = complete_from(connection)
    months = [{"symbol": one.symbol, "timeframe": one.timeframe.value, "month": one.month, "rows": one.rows} for one in pruned]
    by_timeframe = Counter[str]()
    for one in pruned:
        by_timeframe[one.timeframe.value] += one.rows
    context.add_output_metadata(
        {
            "rows_deleted": by_timeframe.total(),
            "rows_deleted_by_timeframe": dict(by_timeframe),
            "months_deleted": table(months),
            "complete_from": table(whole),
        }
    )
    return by_timeframe.total()


@dg.job(
    name="retention",
    executor_def=dg.in_process_executor,
    tags={"goldsignal/kind": "live"},
    description=(
        "Keeps live runs for days and other runs for weeks, never deletes what a partition's state rests on; deletes old derived "
        "candles of short bars where the settings name them."
    ),
)
def retention() -> None:
    """Delete Dagster's records that nobody needs, and candles that observations give again."""
    delete_old_runs()
    delete_old_candles()


def prune_runs(instance: dg.DagsterInstance, *, now: datetime, live_age: timedelta, other_age: timedelta) -> tuple[int, int]:
    """Delete finished runs older than their age; returns (deleted, kept because something rests on them)."""
    newest = newest_materialization_runs(instance) | _last_good_cycle(instance)
    deleted = 0
    kept: set[str] = set()
    for tags, age in (({"goldsignal/kind": "live"}, live_age), ({}, other_age)):
        filters = dg.RunsFilter(tags=tags, statuses=_FINISHED, created_before=now.astimezone(UTC) - age)
        for run_id in instance.get_run_ids(filters):
            if run_id in newest:
                kept.add(run_id)
                continue
            instance.delete_run(run_id)
            _delete_compute_logs(instance, run_id)
            deleted += 1
    return deleted, len(kept)


def newest_materialization_runs(instance: dg.DagsterInstance) -> set[str]:
    """Ids of the runs that hold the newest materialization of any asset or partition."""
    storage = instance.event_log_storage
    runs: set[str] = set()
    for record in instance.get_asset_records():
        entry = record.asset_entry
        if entry.last_materialization_record is not None:
            runs.add(entry.last_materialization_record.event_log_entry.run_id)
        events = storage.get_latest_storage_id_by_partition(entry.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        runs |= _runs_of_events(instance, entry.asset_key, list(events.values()))
    return runs


def _last_good_cycle(instance: dg.DagsterInstance) -> set[str]:
    good = dg.RunsFilter(job_name="live_cycle", statuses=[dg.DagsterRunStatus.SUCCESS])
    return set(instance.get_run_ids(good, limit=1))


_FINISHED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def _runs_of_events(instance: dg.DagsterInstance, asset_key: dg.AssetKey, storage_ids: list[int]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(storage_ids), _BATCH):
        batch = storage_ids[start : start + _BATCH]
        chosen = dg.AssetRecordsFilter(asset_key=asset_key, storage_ids=batch)
        found |= {record.run_id for record in instance.fetch_materializations(chosen, limit=len(batch)).records}
    return found


def _delete_compute_logs(instance: dg.DagsterInstance, run_id: str) -> None:
    folder = Path(instance.storage_directory()) / run_id
    shutil.rmtree(folder, ignore_errors=True)
