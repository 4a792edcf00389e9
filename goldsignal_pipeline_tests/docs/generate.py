"""Write docs/reference from the code: commands, settings, tables, exit codes.

Run with `python -m goldsignal_pipeline_tests.docs.generate`; `--check` changes nothing and fails when a page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from goldsignal_pipeline.cli.app import create_app
from goldsignal_pipeline.cli.exits import EXIT_CODES
from goldsignal_pipeline.settings import PREFIX, PROJECT_ROOT, Settings

REFERENCE = PROJECT_ROOT / "docs" / "reference"
NOTICE = "<!-- Made by `python -m goldsignal_pipeline_tests.docs.generate`; do not edit. -->"


def cli_page() -> str:
    """Every command with its options."""
    group: Any = typer.main.get_command(create_app())
    lines = [f"# Commands\n\n{NOTICE}\n", f"{group.help}\n", "Every command knows `--json` (result as JSON on standard output,"]
    lines.append("times in UTC) and `--help`. Progress and log lines go to standard error. See [exit codes](exit-codes.md).\n")
    for name, command in leaves(group):
        lines.extend(_command(name, command))
    return "\n".join(lines)


def leaves(group: Any, *above: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with the groups above it in its name, in alphabetical order."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from leaves(command, *above, name)
        else:
            yield " ".join((*above, name)), command


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join(["goldsignal", name, *(_usage(argument) for argument in arguments), "[OPTIONS]"])
    yield f"## `{name}`\n\n{_cell(command.help or '', newlines=True)}\n\n```\n{usage}\n```\n"
    if arguments:
        yield from _table(("argument", "meaning"), [(f"`{_usage(p)}`", _cell(p.help or "")) for p in arguments])
    yield from _table(("option", "default", "meaning"), [_option(p) for p in options])


def _usage(argument: Any) -> str:
    text = (argument.metavar or argument.name).upper() + ("..." if argument.nargs == -1 else "")
    return text if argument.required else f"[{text}]"


def _option(option: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in option.opts)
    default = option.default
    if option.required:
        return names, "required", _cell(option.help or "")
    shown = "" if default in (None, False, (), []) or callable(default) else f"`{_plain(default)}`"
    return names, shown, _cell(option.help or "")


def _plain(value: object) -> str:
    return str(getattr(value, "value", value)).replace(f"{PROJECT_ROOT}/", "")


def settings_page() -> str:
    """Every setting with its default."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = field.get_default(call_default_factory=True)
        default = "" if value in (None, (), {}) else f"`{_plain(value)}`"
        rows.append((f"`{PREFIX}{name.upper()}`", default, _cell(field.description or "")))
    return "\n".join([f"# Settings\n\n{NOTICE}\n", f"{_first_paragraphs()}\n", *_table(("setting", "default", "meaning"), rows)])


def _first_paragraphs() -> str:
    import goldsignal_pipeline.settings as module

    return (module.__doc__ or "").strip()


def exit_codes_page() -> str:
    """What each exit code means."""
    rows = [(str(code), short, meaning) for code, (short, meaning) in EXIT_CODES.items()]
    return "\n".join([f"# Exit codes\n\n{NOTICE}\n", *_table(("code", "name", "meaning"), rows)])


def tables_page() -> str:
    """Every business table with its columns and comments."""
    from goldsignal_pipeline.storage.tables import METADATA

    lines = [f"# Tables\n\n{NOTICE}\n"]
    for shown in sorted(METADATA.tables.values(), key=lambda table: table.name):
        lines.append(f"## `{shown.name}`\n\n{shown.comment or ''}\n")
        keys = {column.name for column in shown.primary_key}
        rows = [
            (
                f"`{column.name}`" + (" (key)" if column.name in keys else ""),
                _type(column),
                "yes" if column.nullable else "no",
                _cell(column.comment or ""),
            )
            for column in shown.columns
        ]
        lines.extend(_table(("column", "type", "null", "meaning"), rows))
    return "\n".join(lines)


def _type(column: Any) -> str:
    from sqlalchemy.dialects import postgresql

    text = column.type.compile(dialect=postgresql.dialect())
    return text.removesuffix(' COLLATE "C"').replace("TIMESTAMP WITH TIME ZONE", "timestamptz").lower()


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _cell(text: str, *, newlines: bool = False) -> str:
    return text.strip() if newlines else " ".join(text.split()).replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "settings.md": settings_page,
    "tables.md": tables_page,
    "exit-codes.md": exit_codes_page,
}


def stale_pages(folder: Path = REFERENCE) -> list[str]:
    """Names of the pages whose text is not what the code says."""
    return [name for name, page in PAGES.items() if not (folder / name).is_file() or _read(folder / name) != page()]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write the pages, or only say which are stale."""
    stale = stale_pages()
    if "--check" in arguments:
        print("\n".join(f"stale: docs/reference/{name}" for name in stale) or "docs/reference is current")
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (REFERENCE / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
