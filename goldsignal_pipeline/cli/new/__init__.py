"""`goldsignal new ...`: a beginning, written into a folder of your own; one module per kind of thing."""

from __future__ import annotations

import typer

from goldsignal_pipeline.cli.new import strategy


def commands(app: typer.Typer) -> None:
    """Register the group `new`."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_group)
    strategy.commands(group)
    app.add_typer(group, name="new", rich_help_panel="Proof")


def _group() -> None:
    """Begin something of your own."""
