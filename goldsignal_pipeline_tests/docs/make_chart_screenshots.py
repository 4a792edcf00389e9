"""Take the pictures of the chart and performance pages in `docs/screenshots` with headless Chromium, desktop and phone.

Run with `python -m goldsignal_pipeline_tests.docs.make_chart_screenshots ADDRESS`; the address is that of the API of a
`goldsignal up` that has filled the simulated market.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from goldsignal_pipeline_tests.browser import Page, browser_page
from goldsignal_pipeline_tests.docs.make_screenshots import FOLDER, LARGEST_BYTES, reduced

LOADED = "!!document.querySelector('[data-loaded]')"
# The newest signal is chosen, as by the key P.
CHOOSE = "document.querySelector('#chart').dispatchEvent(new KeyboardEvent('keydown', { key: 'p' }))"
EXPLAIN = "document.querySelector('#last-outcomes button').click()"
EXPLAINED = "!!document.querySelector('.explanation table')"


@dataclass(frozen=True)
class Picture:
    """A page in a size and theme; `act` happens on it and `done` is waited for before the picture is taken."""

    name: str
    path: str = "/"
    width: int = 1280
    height: int = 800
    theme: str = "light"
    act: str = ""
    done: str = LOADED

    @property
    def phone(self) -> bool:
        return self.width < 500


PICTURES = (
    Picture("chart-light", act=CHOOSE),
    Picture("chart-dark", theme="dark", act=CHOOSE),
    Picture("chart-phone", width=390, height=844, act=CHOOSE),
    Picture("chart-phone-dark", width=390, height=844, theme="dark", act=CHOOSE),
    Picture("explanation", act=EXPLAIN, done=EXPLAINED),
    Picture("explanation-phone", width=390, height=844, act=EXPLAIN, done=EXPLAINED),
    Picture("performance-light", "/performance.html", height=1500),
    Picture("performance-phone-dark", "/performance.html", width=390, height=844, theme="dark"),
)


def take(page: Page, picture: Picture, *, address: str) -> bytes:
    """The picture as PNG."""
    page.size(picture.width, picture.height, phone=picture.phone)
    page.prefer(picture.theme)
    page.open(address + picture.path)
    page.until(LOADED)
    if picture.act:
        page.value(picture.act)
    page.until(picture.done)
    time.sleep(0.5)  # the chart draws in the next frames
    return reduced(page.picture())


def main(address: str) -> None:
    """Take every picture and write it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with browser_page() as page:
        for picture in PICTURES:
            content = take(page, picture, address=address)
            if len(content) >= LARGEST_BYTES:
                raise SystemExit(f"{picture.name} has {len(content):,} bytes, more than {LARGEST_BYTES:,}.")
            (FOLDER / f"{picture.name}.png").write_bytes(content)
            print(f"{picture.name}.png {len(content):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
