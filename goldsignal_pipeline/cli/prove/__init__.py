"""`goldsignal prove ...`: what can be proved by trying it out; one module per proof."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import typer

PROOF_MODULES: Final = ("bias", "parity", "backfill", "reproduce", "crash", "alerts")


def commands(app: typer.Typer) -> None:
    """Register the group `prove`."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_group)
    for name in PROOF_MODULES:
        import_module(f"goldsignal_pipeline.cli.prove.{name}").commands(group)
    app.add_typer(group, name="prove", rich_help_panel="Proof")


def _group() -> None:
    """Prove by trying it out."""
