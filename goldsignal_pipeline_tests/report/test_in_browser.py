"""The report in a real browser: it asks for nothing, nothing complains, a phone need not scroll sideways; skipped without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsignal_pipeline.report.page import render
from goldsignal_pipeline_tests.browser import browser_page, chromium
from goldsignal_pipeline_tests.report.test_page import HOSTILE, facts, signal

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium")

PAPER = "getComputedStyle(document.body).backgroundColor"


def test_a_report_opens_from_a_file_light_dark_and_on_a_phone_without_asking_for_anything(tmp_path: Path) -> None:
    saved = tmp_path / "report.html"
    saved.write_text(render(facts(signals=[signal(), signal(strategy=HOSTILE)])), encoding="utf-8")
    papers = []
    with browser_page() as page:
        page.watch()
        for theme in ("light", "dark"):
            page.prefer(theme)
            page.open(saved.as_uri())
            page.until("document.querySelectorAll('section').length >= 7 && document.querySelectorAll('svg path').length > 2")
            papers.append(page.value(PAPER))
        page.size(390, 844, phone=True)
        assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.value("document.querySelector('svg').getBoundingClientRect().width > 200")
        assert HOSTILE in page.value("document.body.innerText")
        assert page.complaints == []
        assert set(page.requests) == {saved.as_uri()}
    assert papers == ["rgb(255, 255, 255)", "rgb(21, 24, 27)"]
