"""`goldsignal up`: database, schema, Dagster, first data, then stay until Ctrl-C; and `goldsignal env` for other programs.

Everything that was started is stopped again, however `up` ends: Ctrl-C (a second one hurries), `goldsignal down`, a closed
terminal, a failed start. Only `kill -9` of `up` itself leaves processes, which the next `up` or `down` ends.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from goldsignal_pipeline.cli.output import JsonOption, Output, span_text
from goldsignal_pipeline.errors import ProviderError

if TYPE_CHECKING:
    from rich.console import Console

    from goldsignal_pipeline.cli.services import Stack
    from goldsignal_pipeline.cli.services.stack import StackOptions
    from goldsignal_pipeline.settings import Settings


PAGES: Final = {
    "Graph": "/asset-groups",
    "Signals": "/assets/signals",
    "Results": "/assets/strategy_performance",
    "Runs": "/runs",
}


def commands(app: typer.Typer) -> None:
    """Register `up` and `env`."""
    app.command(rich_help_panel="Run")(up)
    app.command("env", rich_help_panel="Run")(environment)


def up(
    once: Annotated[bool, typer.Option("--once", help="Stop again as soon as the data are there; for scripts.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the database, Dagster and the feed; runs until Ctrl-C."""
    from goldsignal_pipeline.cli import session

    run(session.start(), once=once, output=Output(as_json))


def environment(as_json: JsonOption = False) -> None:
    """Print the generated addresses as `export` lines: eval "$(.venv/bin/goldsignal env)"."""
    from goldsignal_pipeline.cli import session
    from goldsignal_pipeline.cli.services import shell_exports
    from goldsignal_pipeline.cli.services.addresses import known_addresses

    settings = session.start()
    lines = shell_exports(settings)
    Output(as_json).emit(known_addresses(settings).environment(), render=lambda _: typer.echo(lines))


def run(settings: Settings, *, once: bool, output: Output, options: StackOptions | None = None) -> None:
    """Start, fill, and stay unless `once`; everything is stopped on return. Raises what went wrong."""
    from goldsignal_pipeline.cli.services import Stack
    from goldsignal_pipeline.cli.services.record import up_lock

    begin = time.monotonic()
    teller = _Teller(output, begin)
    with up_lock(settings.home) as ours:
        if not ours:
            raise _already_running(settings)
        stack = Stack(settings, say=teller.say, options=options)
        ready = False
        try:
            with _signals_interrupt():
                stack.start()
                filled = stack.fill()
                ready = True
                _tell_ready(output, stack, filled, seconds=time.monotonic() - begin, once=once)
                if once and not filled.get("complete", True):
                    raise typer.Exit(ProviderError.exit_code)
                if not once:
                    _stay(stack)
        except KeyboardInterrupt:
            teller.say("Stopping")
            if not ready:
                raise typer.Exit(130) from None
        finally:
            stopping = time.monotonic()
            with _signals_hurry(stack):
                stack.stop()
            teller.say(f"Everything is stopped ({span_text(time.monotonic() - stopping)})")


class _Teller:
    """Says each finished step with the time since the start, on standard error."""

    def __init__(self, output: Output, begin: float) -> None:
        self._output = output
        self._begin = begin

    def say(self, text: str) -> None:
        self._output.note(f"{time.monotonic() - self._begin:6.1f} s  {text}", style="")


def _already_running(settings: Settings) -> Exception:
    from goldsignal_pipeline.cli.services.record import read_record
    from goldsignal_pipeline.errors import ServiceError

    record = read_record(settings.home)
    where = "" if record is None else f" (process {record.pid}, {record.web_address})"
    return ServiceError(
        f"GoldSignal runs already for this folder{where}.",
        done="Nothing was started.",
        fix="Open the page, or stop it with `goldsignal down`.",
    )


def _stay(stack: Stack) -> None:
    while stack.failure is None:
        time.sleep(0.2)
    raise stack.failure


def _tell_ready(output: Output, stack: Stack, filled: dict[str, Any], *, seconds: float, once: bool) -> None:
    pages = {"page": stack.web_address, "api": stack.api_address}
    payload = {**pages, "seconds": round(seconds, 1), "filled": filled, "stays": not once}

    def render(console: Console) -> None:
        if "overview" in filled:
            from goldsignal_pipeline.cli.overview import render_overview

            console.print()
            render_overview(console, filled["overview"], zone=stack.settings.display_zone, symbol=filled["symbol"])
        console.print(f"\nReady after {span_text(seconds)}.", style="bold green")
        console.print(f"  Chart     {stack.api_address}")
        console.print(f"  API       {stack.api_address}/openapi.json")
        console.print(f"  Dagster   {stack.web_address}")
        for name, path in PAGES.items():
            console.print(f"  {name:<8}  {stack.web_address}{path}")
        console.print(f"  Database  {_without_password(stack.addresses.database_url)}  (goldsignal psql)")
        console.print(f"  Logs      {stack.home / 'logs'}")
        if not once:
            console.print("\nCtrl-C stops everything; `goldsignal down` does so from another terminal.\n", style="dim")

    output.emit(payload, render=render)


def _without_password(url: str) -> str:
    scheme, rest = url.split("://", 1)
    return f"{scheme.split('+')[0]}://{rest.rsplit('@', 1)[-1].split('?')[0]}"


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM (`goldsignal down`) and SIGHUP (closed terminal) end the command as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with _handlers(interrupt):
        yield


@contextmanager
def _signals_hurry(stack: Stack) -> Iterator[None]:
    """While stopping, a further Ctrl-C does not break off the stop but shortens its waits."""
    with _handlers(lambda *_: stack.hurry.set()):
        yield


@contextmanager
def _handlers(handler: Callable[..., None]) -> Iterator[None]:
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in watched}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
