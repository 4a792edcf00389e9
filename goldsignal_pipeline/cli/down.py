"""`goldsignal down`: stop a running `up` from another terminal, or what a killed one left behind."""

from __future__ import annotations

import time
from typing import Final

import typer

from goldsignal_pipeline.cli.output import JsonOption, Output

_STOP_SECONDS: Final = 60.0


def commands(app: typer.Typer) -> None:
    """Register `down`."""
    app.command(rich_help_panel="Run")(down)


def down(as_json: JsonOption = False) -> None:
    """Stop what `up` started, from another terminal."""
    from goldsignal_pipeline.cli import session
    from goldsignal_pipeline.cli.services import bring_down
    from goldsignal_pipeline.cli.services.record import read_record, up_lock

    output = Output(as_json)
    home = session.start().home
    record = read_record(home)
    stopped = False
    if record is not None and (process := record.process()) is not None:
        output.note(f"Asking the running `goldsignal up` (process {record.pid}) to stop")
        process.terminate()
        stopped = True
    deadline = time.monotonic() + _STOP_SECONDS
    while True:
        with up_lock(home) as nobody_runs:
            if nobody_runs:
                stopped = bring_down(home, say=output.note) or stopped
                break
        if time.monotonic() > deadline:
            raise _does_not_stop()
        time.sleep(0.1)
    text = "Everything is stopped." if stopped else "Nothing was running."
    output.emit({"stopped": stopped}, render=lambda console: console.print(text))


def _does_not_stop() -> Exception:
    from goldsignal_pipeline.errors import ServiceError

    return ServiceError(
        f"The running `goldsignal up` did not stop within {_STOP_SECONDS:.0f} s.",
        done="It was asked to.",
        fix="End that process by hand, then run `goldsignal down` again: it ends what is left.",
    )
