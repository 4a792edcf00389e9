"""The documentation as data: its pages, the fenced blocks of commands in them, and what a page says about a block.

A block marked `bash` holds commands. One marked `console` holds commands after `$ ` and lines of their output, where `...` stands
for anything. A comment directly above a block says what is special about it: `<!-- not run: why -->`, `<!-- exit code 6 -->` (of
its last command), `<!-- output varies -->` (only words are compared, because numbers differ each time).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from goldsignal_pipeline.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
_FENCE = re.compile(
    r"(?:^[ ]*<!-- (?P<remark>[^\n]+) -->\n)?^(?P<indent>[ ]*)```(?P<kind>bash|console)\n(?P<body>.*?)^(?P=indent)```$",
    re.M | re.S,
)
_EXIT_CODE = re.compile(r"exit code (\d+)")


@dataclass(frozen=True)
class Block:
    """Commands of a page with the output they are said to have; `skipped` says why they are not run."""

    page: str
    line: int
    commands: tuple[str, ...]
    output: tuple[str, ...]
    skipped: str
    exit_code: int
    varies: bool


def pages() -> list[Path]:
    """README and every page below docs but the generated reference."""
    written = (path for path in sorted(DOCS.rglob("*.md")) if "reference" not in path.relative_to(DOCS).parts)
    return [PROJECT_ROOT / "README.md", *written]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of commands of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        lines = [line.removeprefix(match["indent"]) for line in match["body"].splitlines()]
        console = match["kind"] == "console"
        commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] if console else [*filter(None, lines)]
        remark = match["remark"] or ""
        code = _EXIT_CODE.fullmatch(remark)
        yield Block(
            page=str(page.relative_to(PROJECT_ROOT)),
            line=text.count("\n", 0, match.start("indent")) + 1,
            commands=tuple(commands),
            output=tuple(line for line in lines if console and line.strip() and not line.startswith("$ ")),
            skipped=remark.removeprefix("not run: ") if remark.startswith("not run: ") else "",
            exit_code=int(code[1]) if code else 0,
            varies=remark == "output varies",
        )


def differences(block: Block, shown: str) -> list[str]:
    """The lines of the block's output that `shown` does not have in that order; whitespace does not count."""
    if block.varies:
        expected, found = _words(" ".join(block.output)), iter(_words(shown))
        return [word for word in expected if word not in found]
    position, missing = 0, []
    flat = " ".join(shown.split())
    for line in block.output:
        pattern = r".*?".join(re.escape(" ".join(part.split())) for part in line.split("..."))
        match = re.compile(pattern).search(flat, position)
        if match is None:
            missing.append(line)
        else:
            position = match.end()
    return missing


def _words(text: str) -> list[str]:
    return re.findall(r"(?<![\w.:-])[A-Za-z]{4,}(?![\w.:-])", text)
