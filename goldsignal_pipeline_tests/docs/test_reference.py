"""The reference pages say what the code says."""

from __future__ import annotations

from pathlib import Path

from goldsignal_pipeline_tests.docs.generate import PAGES, stale_pages


def test_the_reference_is_current() -> None:
    assert stale_pages() == [], "run `python -m goldsignal_pipeline_tests.docs.generate`"


def test_a_page_that_was_edited_by_hand_is_found(tmp_path: Path) -> None:
    for name, page in PAGES.items():
        (tmp_path / name).write_text(page())
    (tmp_path / "settings.md").write_text(PAGES["settings.md"]() + "more\n")
    assert stale_pages(tmp_path) == ["settings.md"]


def test_no_page_names_a_folder_of_the_machine_it_was_made_on() -> None:
    assert all(str(Path.cwd()) not in page() and str(Path.home()) not in page() for page in PAGES.values())
