"""`goldsignal config`: every setting, its value (secrets masked) and where it came from."""

from __future__ import annotations

import typer
from rich.console import Console, Group
from rich.text import Text

from goldsignal_pipeline.cli.output import JsonOption, Output, table


def commands(app: typer.Typer) -> None:
    """Register `config`."""
    app.command(rich_help_panel="Care")(config)


def config(as_json: JsonOption = False) -> None:
    """Show every setting, its value (secrets masked) and where it came from."""
    from goldsignal_pipeline.settings import describe, dotenv_path, load_settings

    rows = describe(load_settings())
    payload = {"file": str(dotenv_path()), "settings": rows}

    def render(console: Console) -> None:
        cells = [(_name(row), Text(row["value"] or "-"), _origin(row["origin"])) for row in rows]
        console.print(Group(table("setting", "value", "origin", rows=cells), Text()))
        console.print(f"Change a value in {dotenv_path()} (see .env.example) or in the environment.", style="dim")

    Output(as_json).emit(payload, render=render)


def _name(row: dict[str, str]) -> Text:
    return Text(row["name"], style="bold" if row["origin"] != "default" else "", no_wrap=True)


def _origin(origin: str) -> Text:
    return Text(origin, style="dim" if origin == "default" else "green", no_wrap=True)
