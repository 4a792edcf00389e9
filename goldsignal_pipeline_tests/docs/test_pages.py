"""The written pages lead somewhere: links, pictures, promised tests; and they tell nothing of the machine of their making."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from goldsignal_pipeline.market.reasons import MissingReason, RejectReason
from goldsignal_pipeline.settings import PREFIX, PROJECT_ROOT, Settings
from goldsignal_pipeline_tests.docs.make_chart_screenshots import PICTURES
from goldsignal_pipeline_tests.docs.make_screenshots import FOLDER, LARGEST_BYTES, pictures
from goldsignal_pipeline_tests.docs.pages import DOCS, pages

TESTS = PROJECT_ROOT / "goldsignal_pipeline_tests"
PROMISES = DOCS / "explanation" / "promises.md"
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PROMISED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve()
        assert target.is_file(), link
        assert not anchor or anchor in headings(target), link


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", page.read_text())) <= known


def test_every_promise_names_a_test_that_exists() -> None:
    promised = _PROMISED.findall(PROMISES.read_text())
    assert len(promised) > 30
    missing = [f"{file}::{name}" for file, name in promised if name not in functions(TESTS / file) and name]
    assert missing == []
    assert [file for file, _ in promised if not (TESTS / file).is_file()] == []


def test_every_row_of_promises_names_what_holds_it() -> None:
    rows = [line for line in PROMISES.read_text().splitlines() if line.startswith("| ") and "| held by |" not in line]
    assert [row for row in rows if "`" not in row.split("|")[2]] == []


def test_every_reason_is_explained() -> None:
    explained = (DOCS / "explanation" / "candles.md").read_text() + (DOCS / "how-to" / "repair.md").read_text()
    assert [reason for reason in (*RejectReason, *MissingReason) if f"`{reason}`" not in explained] == []


def test_the_calendars_figures_are_those_of_the_table() -> None:
    rows = (PROJECT_ROOT / "goldsignal_pipeline" / "market" / "calendar.csv").read_text().splitlines()[2:]
    recorded = sum(row.endswith("recorded candles") for row in rows)
    text = (DOCS / "explanation" / "time.md").read_text()
    assert f"({len(rows) - recorded} of its {len(rows)} rows)" in text
    assert f"({recorded} rows)" in text


def test_the_pictures_are_there_and_small() -> None:
    for picture in (*pictures("2025-01"), *PICTURES):
        assert 0 < (FOLDER / f"{picture.name}.png").stat().st_size < LARGEST_BYTES


def test_no_page_names_a_folder_of_the_machine_it_was_written_on() -> None:
    for page in pages():
        text = page.read_text()
        assert str(PROJECT_ROOT) not in text
        assert str(Path.home()) not in text


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as a code host makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def functions(file: Path) -> set[str]:
    """The names of the functions of a module, methods included."""
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}
