"""What the API costs beside a bare FastAPI route that answers with the same bytes ready made, both in processes of their own.

Latency is the 95th percentile of requests under load: `CLIENTS` ask again and again, each as soon as it was answered. 100,000
candles are one request.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks.harness import Comparison, median, take_turns
from benchmarks.storage_benchmarks import END, START, SYMBOL, million_candles
from goldsignal_pipeline.cli.services import serving
from goldsignal_pipeline.storage import candles, migrations, ports
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline_tests.graph import MONTHS, compute_graph, fill_candles

BARS = 100_000
CLIENTS = 8
REQUESTS = 160
QUESTIONS = {
    "signals": "/signals?symbol=XAUUSD-SIM&limit=100",
    "candles": f"/candles?symbol={SYMBOL}&timeframe=M5&limit=1500",
    "all_candles": f"/candles?symbol={SYMBOL}&timeframe=M5&limit={BARS}",
}
_READY_SECONDS = 60.0


def compare() -> list[Comparison]:
    """p95 of `/signals` and `/candles` under load, and 100,000 candles at once."""
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="goldsignal-benchmark-")))
        ours = exits.enter_context(_ours(folder))
        held = {name: httpx.get(ours + path, timeout=60, trust_env=False).content for name, path in QUESTIONS.items()}
        bare = exits.enter_context(_bare(folder, held))
        rows = [_under_load(name, ours=ours, bare=bare) for name in ("signals", "candles")]
        return [*rows, _at_once(ours, bare)]


def _under_load(name: str, *, ours: str, bare: str) -> Comparison:
    ways = {"ours": lambda: asyncio.run(_load(ours + QUESTIONS[name])), "floor": lambda: asyncio.run(_load(f"{bare}/{name}"))}
    samples = take_turns(ways)
    work = f"p95 of /{name}, {CLIENTS} clients"
    return _row(work, samples, same_work="equal bytes in every answer")


def _at_once(ours: str, bare: str) -> Comparison:
    ways = {"ours": _once(ours + QUESTIONS["all_candles"]), "floor": _once(f"{bare}/all_candles")}
    return _row(f"{BARS:,} candles in one answer", take_turns(ways), same_work="equal bytes")


def _row(work: str, samples: dict[str, list[tuple[float, int]]], *, same_work: str) -> Comparison:
    sizes = {size for side in samples.values() for _, size in side}
    assert len(sizes) == 1, sizes
    ours, floor = (median([seconds * 1000 for seconds, _ in samples[side]]) for side in ("ours", "floor"))
    return Comparison(
        work=work,
        against="bare FastAPI, bytes ready made",
        ours=ours,
        floor=floor,
        unit="ms",
        ratio=ours / floor,
        promise=None,
        same_work=same_work,
    )


async def _load(url: str) -> tuple[float, int]:
    """The 95th percentile of the seconds that a request took, and the bytes of each answer."""
    taken: list[float] = []
    sizes: set[int] = set()

    async def ask(client: httpx.AsyncClient) -> None:
        for _ in range(REQUESTS // CLIENTS):
            begin = time.perf_counter()
            answer = await client.get(url)
            taken.append(time.perf_counter() - begin)
            sizes.add(len(answer.raise_for_status().content))

    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        await asyncio.gather(*(ask(client) for _ in range(CLIENTS)))
    (size,) = sizes
    return sorted(taken)[int(len(taken) * 0.95)], size


def _once(url: str) -> Callable[[], tuple[float, int]]:
    def run() -> tuple[float, int]:
        begin = time.perf_counter()
        answer = httpx.get(url, timeout=60, trust_env=False).raise_for_status()
        return time.perf_counter() - begin, len(answer.content)

    return run


@contextmanager
def _ours(folder: Path) -> Iterator[str]:
    """The API as `goldsignal up` starts it, on a server with a filled graph and 100,000 candles."""
    folder.chmod(0o755)  # root's server account must be able to enter
    with EmbeddedServer(folder / "server") as server:
        migrations.upgrade(server.url())
        database = Database(server.url())
        fill_candles(database, MONTHS)
        compute_graph(database, MONTHS)
        with database.transaction() as connection:
            candles.replace_range(connection, symbol=SYMBOL, start=START, end=END, candles=million_candles().tail(BARS))
        database.dispose()
        port = ports.free_for(folder, "ours")
        environment = {**os.environ, "GOLDSIGNAL_DATABASE_URL": server.url(), "GOLDSIGNAL_HOME": str(folder / "home")}
        with _process(serving.command(host="127.0.0.1", port=port), port, environment) as address:
            yield address


@contextmanager
def _bare(folder: Path, held: dict[str, bytes]) -> Iterator[str]:
    answers = folder / "answers"
    answers.mkdir()
    for name, content in held.items():
        (answers / name).write_bytes(content)
    port = ports.free_for(folder, "bare")
    with _process([sys.executable, "-m", "benchmarks.api_bare", str(port), str(answers)], port, dict(os.environ)) as address:
        yield address


@contextmanager
def _process(command: list[str], port: int, environment: dict[str, str]) -> Iterator[str]:
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment) as process:
        try:
            until = time.monotonic() + _READY_SECONDS
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"it does not answer: {command}")
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        httpx.get(f"{address}/strategies", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return True
