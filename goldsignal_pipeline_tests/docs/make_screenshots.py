"""Take the pictures of `docs/screenshots` from a running `goldsignal up` with headless Chromium.

Run with `python -m goldsignal_pipeline_tests.docs.make_screenshots [ADDRESS]` while `up` runs; the address is that of its page.

1. Chromium starts in a new, empty profile and is driven over the DevTools protocol.
2. Each page is opened and waited for until it holds what the picture is about, because Dagster's page draws itself late.
3. The picture is reduced to 128 colours; one of 300 kB or more is refused.
"""

from __future__ import annotations

import io
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from PIL import Image

from goldsignal_pipeline.settings import PROJECT_ROOT
from goldsignal_pipeline_tests.browser import Page, browser_page

FOLDER = PROJECT_ROOT / "docs" / "screenshots"
LARGEST_BYTES = 300_000

# Every group is unfolded; the page folds them, and then shows no asset.
GROUPS = ("market", "research", "signals", "news", "report")
GRAPH = "/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS)
ASSETS = (
    "raw_candles",
    "candles",
    "setups",
    "strategies",
    "backtest_trades",
    "backtest_results",
    "signals",
    "outcomes",
    "alerts",
    "news_events",
    "report",
)

HIDE_NAVIGATION = "[...document.querySelectorAll('*')].filter(e => e.innerText === 'Hide navigation').pop()?.click()"
RELOAD = "location.reload()"  # the graph is fitted into the room that there is when it is first drawn
# Afterwards there is room for the buttons, which otherwise lie over an asset.
HIDE_LIST = "[...document.querySelectorAll('[aria-label=panel_show_right]')].pop().closest('button').click()"
SHOW_CHART = "[...document.querySelectorAll('*')].filter(e => e.innerText === '[Show Markdown]').pop().click()"


@dataclass(frozen=True)
class Picture:
    """A page, the texts that must stand on it, what is clicked before the picture is taken, and its size."""

    name: str
    path: str
    texts: tuple[str, ...]
    clicks: tuple[str, ...] = (HIDE_NAVIGATION,)
    width: int = 1280
    height: int = 720


def pictures(month: str) -> tuple[Picture, ...]:
    """The pictures of the documentation; `month` is a finished month that holds candles."""
    partition = f"/assets/candles?view=partitions&partition={month}"
    texts = ("by_timeframe", "chart_XAUUSD-SIM")
    return (
        Picture("asset-graph", GRAPH, ASSETS, (HIDE_NAVIGATION, RELOAD, HIDE_LIST), width=1400, height=940),
        Picture("candles-month", partition, texts, width=1500, height=1120),
        Picture("candles-chart", partition, texts, (HIDE_NAVIGATION, SHOW_CHART), height=600),
        Picture("automation", "/automation", ("live_cycle_schedule", "run_failure_events"), height=800),
    )


def take(page: Page, picture: Picture, *, address: str) -> bytes:
    """The picture as PNG."""
    page.size(picture.width, picture.height)
    page.open(address + picture.path)
    page.wait_for(picture.texts)
    for click in picture.clicks:
        page.value(click)
        time.sleep(1.0)
        page.wait_for(picture.texts)
    time.sleep(2.0)  # the graph glides into its place
    return reduced(page.picture())


def reduced(drawn: bytes) -> bytes:
    """A PNG in 128 colours."""
    small = io.BytesIO()
    Image.open(io.BytesIO(drawn)).convert("RGB").quantize(colors=128, dither=Image.Dither.NONE).save(
        small, format="png", optimize=True
    )
    return small.getvalue()


def main(address: str) -> None:
    """Take every picture and write it."""
    today = datetime.now(UTC)
    last_month = f"{today.year - (today.month == 1)}-{(today.month - 2) % 12 + 1:02d}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with browser_page() as page:
        for picture in pictures(last_month):
            content = take(page, picture, address=address)
            if len(content) >= LARGEST_BYTES:
                raise SystemExit(f"{picture.name} has {len(content):,} bytes, more than {LARGEST_BYTES:,}.")
            (FOLDER / f"{picture.name}.png").write_bytes(content)
            print(f"{picture.name}.png {len(content):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
