"""The command line's root: registers every command, turns errors into words and exit codes, starts fast.

Modules of commands import pandas, SQLAlchemy and Dagster inside their functions only, so `goldsignal --help` needs none of
them. A `GoldSignalError` is shown as what happened, what was done and what helps; anything else as one line and the log
that holds its trace.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from goldsignal_pipeline import __version__
from goldsignal_pipeline.cli import exits, logs, output
from goldsignal_pipeline.errors import GoldSignalError

COMMAND_MODULES: Final = (
    "up",
    "down",
    "status",
    "doctor",
    "import_files",
    "backfill",
    "candles",
    "explain",
    "gate",
    "change_settings",
    "tables",
    "news",
    "report",
    "alerts",
    "gaps",
    "backup",
    "psql",
    "config",
    "prove",
    "simulate",
    "new",
)


class ErrorRenderingGroup(TyperGroup):
    """A group whose commands end with a message and an exit code, never with a trace."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer vendors click; its Context is ours
        """Run the command; render what it raises."""
        try:
            result = super().invoke(ctx)
            # A closed pipe shows itself here and not at the interpreter's end, where nothing could answer it.
            sys.stdout.flush()
        except GoldSignalError as error:
            output.show_error(error, as_json=bool(ctx.meta.get(output.JSON_KEY)))
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            # The reader (`| head`) went away; that is its right. Keep the interpreter from complaining at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Exception as error:
            if type(error).__module__.startswith("typer."):
                raise
            output.show_unexpected(error, trace=logs.write_trace(error), as_json=bool(ctx.meta.get(output.JSON_KEY)))
            raise typer.Exit(GoldSignalError.exit_code) from None
        return result


def create_app() -> typer.Typer:
    """The application with every command registered."""
    application = typer.Typer(
        cls=ErrorRenderingGroup,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=exits.hint(),
    )
    application.callback()(_root)
    for name in COMMAND_MODULES:
        try:
            module = import_module(f"goldsignal_pipeline.cli.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"goldsignal_pipeline.cli.{name}":
                raise
            continue
        module.commands(application)
    return application


def main() -> None:
    """Run the command line; the console script `goldsignal`."""
    create_app()(prog_name="goldsignal")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"goldsignal {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Gold (XAU/USD) candles into trade signals that can be proved."""
