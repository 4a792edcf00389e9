"""`goldsignal prove alerts`: senders that are killed at any instant lose no message, and repeats say that they are (I17).

Works in a scratch database and against a server on this machine; nothing is sent to anyone.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.exits import UNHEALTHY
from goldsignal_pipeline.cli.output import JsonOption, Output, span_text

if TYPE_CHECKING:
    from rich.console import Console

    from goldsignal_pipeline.cli.prove.alert_senders import Killed


def commands(group: typer.Typer) -> None:
    """Register `alerts`."""
    group.command()(alerts)


def alerts(
    *,
    kills: Annotated[int, typer.Option("--kills", min=1, help="How many senders to kill.")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Another seed kills at other times.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Kill senders of alerts at random; no message may be lost, and every repeat must say so."""
    from goldsignal_pipeline.cli.prove.alert_senders import kill_senders
    from goldsignal_pipeline.storage.scratch import scratch_databases

    output = Output(as_json)
    settings = session.start()
    with session.open_database(settings) as database, scratch_databases(database) as scratch, scratch.empty() as empty:
        killed = kill_senders(empty, kills=kills, seed=seed, note=output.note)
    output.emit({"passed": killed.passed, **asdict(killed)}, render=lambda console: _render(console, killed))
    if not killed.passed:
        raise typer.Exit(UNHEALTHY)


def _render(console: Console, killed: Killed) -> None:
    console.print(
        f"{killed.kills} senders ended by SIGKILL in {span_text(killed.seconds)}: {len(killed.lost)} of {killed.owed:,} messages "
        f"were lost; {killed.cut_off} calls were cut off, {killed.repeats} repeats arrived, {len(killed.unmarked)} silently."
    )
    for one in killed.lost:
        console.print(f"Lost: {one}", style="bold red")
    for one in killed.unmarked:
        console.print(f"Repeated without saying so: {one}", style="bold red")
    console.print("Nothing is lost and no repeat is silent." if killed.passed else "NOT PROVED.")
