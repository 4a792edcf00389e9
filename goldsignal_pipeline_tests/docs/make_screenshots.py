"""Take the pictures of `docs/screenshots` from a running `goldsignal up` with headless Chromium.

Run with `python -m goldsignal_pipeline_tests.docs.make_screenshots [ADDRESS]` while `up` runs; the address is that of its page.

1. Chromium starts in a new, empty profile and is driven over the DevTools protocol.
2. Each page is opened and waited for until it holds what the picture is about, because Dagster's page draws itself late.
3. The picture is reduced to 128 colours; one of 300 kB or more is refused.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from websockets.sync.client import ClientConnection, connect

from goldsignal_pipeline.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "screenshots"
LARGEST_BYTES = 300_000
PATIENCE_SECONDS = 60.0
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


HIDE_NAVIGATION = "[...document.querySelectorAll('*')].filter(e => e.innerText === 'Hide navigation').pop()?.click()"
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
    graph = ("raw_candles", "candles", "6 / 6 Passed", "2 / 2 Passed")
    return (
        Picture("asset-graph", "/asset-groups", graph, height=520),
        Picture("candles-month", partition, texts, width=1500, height=1120),
        Picture("candles-chart", partition, texts, (HIDE_NAVIGATION, SHOW_CHART), height=600),
        Picture("automation", "/automation", ("live_cycle_schedule", "run_failure_events"), height=490),
    )


class Page:
    """One tab of the browser, driven over its DevTools socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; raises RuntimeError for a refusal."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def value(self, expression: str) -> Any:
        """The value of an expression on the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)["result"].get("value")

    def wait_for(self, texts: tuple[str, ...]) -> None:
        """Return once all texts are shown; raises RuntimeError with what is there instead."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            shown = self.value("document.body ? document.body.innerText : ''") or ""
            if all(text in shown for text in texts):
                return
            time.sleep(0.25)
        raise RuntimeError(f"expected {', '.join(texts)} on the page, was: {shown[:2000]}")


@contextmanager
def browser_page() -> Iterator[Page]:
    """A tab of a headless Chromium in a profile of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("Chromium is needed for this (Debian: apt-get install chromium).")
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="goldsignal-browser-", ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = _devtools_port(Path(profile) / "DevToolsActivePort")
            targets = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
            address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
            with connect(address, max_size=None, proxy=None) as socket:
                yield Page(socket)
        finally:
            browser.terminate()
            browser.wait(timeout=20)


def _devtools_port(file: Path) -> int:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if file.is_file() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.1)
    raise RuntimeError("Chromium did not start.")


def take(page: Page, picture: Picture, *, address: str) -> bytes:
    """The picture as PNG."""
    size = {"width": picture.width, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
    page.call("Emulation.setDeviceMetricsOverride", **size)
    page.call("Page.navigate", url=address + picture.path)
    page.wait_for(picture.texts)
    for click in picture.clicks:
        page.value(click)
        time.sleep(1.0)
    time.sleep(2.0)  # the graph glides into its place
    drawn = base64.b64decode(page.call("Page.captureScreenshot", format="png")["data"])
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
