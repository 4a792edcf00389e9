"""`goldsignal new strategy`: a small package with a strategy that works, its test and its bias check.

The files are those of `templates`, with the name put in; nothing that exists is overwritten. The package registers itself in the
entry-point group of strategies, so installing it is all it takes.
"""

from __future__ import annotations

import keyword
import re
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer
from rich.console import Console

from goldsignal_pipeline.cli.output import JsonOption, Output
from goldsignal_pipeline.errors import UsageError

LONGEST_NAME: Final = 40
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

FILES: Final[dict[str, str]] = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "strategy.py.txt": "${name}_strategy.py",
    "test_strategy.py.txt": "test_${name}.py",
    "test_bias.py.txt": "test_${name}_bias.py",
}
"""Templates and what their files are called."""


def commands(group: typer.Typer) -> None:
    """Register `strategy`."""
    group.command()(strategy)


def strategy(
    *,
    name: Annotated[str, typer.Argument(help="Name of the strategy: lower case, digits and underscores, such as quiet_open.")],
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to write; a folder of its name here when absent.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a strategy that works, with its test and its bias check."""
    check_name(name)
    written = write(name, folder=Path(name) if folder is None else folder)

    def render(console: Console) -> None:
        for path in written:
            console.print(str(path), soft_wrap=True)
        console.print(f"Next: read {written[1]}", style="dim", soft_wrap=True)

    Output(as_json).emit({"strategy": name, "files": written}, render=render)


def check_name(name: str) -> None:
    """Raises `UsageError` for a name that no module can bear or that an installed strategy has."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{name!r} cannot be the name of a strategy.",
            done="Nothing was written.",
            fix=f"Use a letter, then letters, digits and single underscores, in all at most {LONGEST_NAME}, such as quiet_open.",
        )
    from goldsignal_pipeline.strategies.registry import ENTRY_POINT_GROUP

    if name in entry_points(group=ENTRY_POINT_GROUP).names:
        raise UsageError(f"A strategy {name!r} is installed already.", done="Nothing was written.", fix="Choose another name.")


def write(name: str, *, folder: Path) -> list[Path]:
    """Write all files, or none: raises `UsageError` when one of them exists."""
    words = {"name": name, "class_name": "".join(word.title() for word in name.split("_")), "package": name.replace("_", "-")}
    paths = {folder / Template(target).substitute(words): source for source, target in FILES.items()}
    there = [path for path in paths if path.exists()]
    if there:
        raise UsageError(
            f"{there[0]} exists.", done="Nothing was written.", fix="Choose another name, or another place with --folder."
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", done="Nothing was written.", fix="Choose another place with --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for path, source in paths.items():
        text = resources.files("goldsignal_pipeline.cli.new").joinpath("templates", source).read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    return list(paths)
