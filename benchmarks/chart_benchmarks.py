"""100,000 candles from navigation to drawn: the chart page, against the chart library alone on a bare page.

Ours asks the API of a filled database page by page, as for somebody who zooms out, and draws after each; the floor fetches one
file with the same bars from a bare FastAPI application and hands it to the library. Both are over when the library holds every
bar and two frames have been painted; the time is the browser's own, since the navigation began. Chromium is needed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from pydantic import SecretStr

from benchmarks.harness import Comparison, median, take_turns
from benchmarks.storage_benchmarks import END, START, SYMBOL, million_candles
from goldsignal_pipeline.api.app import STATIC, create_app
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage import candles, migrations
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline_tests.api.serving import served
from goldsignal_pipeline_tests.browser import Page, browser_page, chromium

BARS = 100_000
PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
BARE = """<!doctype html><meta charset="utf-8"><div id="chart" style="width:1200px;height:700px"></div><script type="module">
import { CandlestickSeries, createChart } from "./vendor/lightweight-charts.standalone.production.mjs";
const bars = await (await fetch("bars.json")).json();
const chart = createChart(document.getElementById("chart"), { timeScale: { minBarSpacing: 0.004 } });
const { time, open, high, low, close } = bars;
chart.addSeries(CandlestickSeries)
    .setData(time.map((at, i) => ({ time: at, open: open[i], high: high[i], low: low[i], close: close[i] })));
chart.timeScale().fitContent();
window.closes = close;
</script>"""


def compare() -> list[Comparison]:
    """One row; none, said on standard error, where there is no browser."""
    if chromium() is None:
        print("left out: Chromium is not installed", file=sys.stderr)
        return []
    bars = million_candles().tail(BARS)
    with _ours(bars) as ours, _bare(bars) as bare, browser_page() as page:
        page.size(1280, 800)
        samples = take_turns({"ours": _drawn(page, ours), "floor": _drawn_bare(page, bare)})
    closes = {total for side in samples.values() for _, total in side}
    assert closes == {int(bars["close"].sum())}, closes
    seconds = [median([second for second, _ in samples[side]]) for side in ("ours", "floor")]
    return [
        Comparison(
            work=f"{BARS:,} candles, navigation to drawn",
            against="the chart library and one static file",
            ours=seconds[0],
            floor=seconds[1],
            unit="s",
            ratio=seconds[0] / seconds[1],
            promise=None,
            same_work=f"{BARS:,} bars held, sum of closes",
        )
    ]


def _drawn(page: Page, address: str) -> Callable[[], tuple[float, int]]:
    view = "document.querySelector('#chart').view"

    def run() -> tuple[float, int]:
        page.open("about:blank")
        page.open(f"{address}/")
        page.until("!!document.querySelector('[data-loaded]')")
        page.value(f"{view}.chart.timeScale().setVisibleLogicalRange({{ from: -{BARS}, to: {view}.count }})")
        page.until(f"Number(document.querySelector('#chart').dataset.bars) === {BARS}")
        return page.value(PAINTED) / 1000, round(page.value(f"{view}.bars.close.reduce((sum, one) => sum + one, 0)") * 100)

    return run


def _drawn_bare(page: Page, address: str) -> Callable[[], tuple[float, int]]:
    def run() -> tuple[float, int]:
        page.open("about:blank")
        page.open(f"{address}/")
        page.until("!!window.closes")
        return page.value(PAINTED) / 1000, round(page.value("window.closes.reduce((sum, one) => sum + one, 0)") * 100)

    return run


@contextmanager
def _ours(bars: pd.DataFrame) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="goldsignal-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server account must be able to enter
        with EmbeddedServer(Path(folder)) as server:
            migrations.upgrade(server.url())
            database = Database(server.url())
            with database.transaction() as connection:
                candles.replace_range(connection, symbol=SYMBOL, start=START, end=END, candles=bars)
            database.dispose()
            with served(create_app(Settings(database_url=SecretStr(server.url())))) as address:
                yield address


@contextmanager
def _bare(bars: pd.DataFrame) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="goldsignal-benchmark-") as folder:
        columns = {"time": (bars["timestamp"].astype("int64") // 1_000_000).tolist()}
        columns |= {name: (bars[name] / 100).tolist() for name in ("open", "high", "low", "close")}
        (Path(folder) / "index.html").write_text(BARE)
        (Path(folder) / "bars.json").write_text(json.dumps(columns))
        app = FastAPI()
        app.mount("/vendor", StaticFiles(directory=STATIC / "vendor"))
        app.mount("/", StaticFiles(directory=folder, html=True))
        with served(app) as address:
            yield address
