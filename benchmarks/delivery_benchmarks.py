"""From a closed bar to the message at the chat: real processes of Dagster, a vendor and a Telegram on sockets of this machine.

1. Two months of the simulated market are decided in advance, to know which bars of five minutes bring a signal; a copy of the
   database from before them then lives through some of them. Before each, one cycle brings the record up to its last bar.
2. What is measured begins when the clock reaches the tick, the bar's close and the grace that a vendor needs to settle it: that
   wait is a setting, and no work. It ends when the message of the new signal, known by its id, has arrived.
3. The clock is the system's, moved from one chosen bar to the next. The scheduler looks at it four times a second, where in use
   it wakes with the minute. The sender is the one of `goldsignal up`, in this process.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
import psycopg
from pydantic import SecretStr
from sqlalchemy import text

from benchmarks.harness import ROUNDS, Comparison, median
from goldsignal_pipeline.alerts.messages import message_id
from goldsignal_pipeline.alerts.telegram import Telegram
from goldsignal_pipeline.assets.alert_pictures import picture_of
from goldsignal_pipeline.assets.partitions import month_start, months_between, next_month
from goldsignal_pipeline.assets.refresh import refresh
from goldsignal_pipeline.assets.registering import register
from goldsignal_pipeline.cli.prove.graph import Run, run_graph
from goldsignal_pipeline.cli.prove.telegram_server import Call, TelegramServer
from goldsignal_pipeline.cli.services.addresses import embedded_addresses
from goldsignal_pipeline.cli.services.sending import sender_of
from goldsignal_pipeline.market.hours import TradingCalendar, load_calendar
from goldsignal_pipeline.market.sources import REAL_SYMBOL, Side, Source
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.providers.base import FetchWindow
from goldsignal_pipeline.providers.simulated import SimulatedProvider
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage import migrations
from goldsignal_pipeline.storage.alerts import Claim
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline_tests.automation.live_stack import LiveStack, live_runs, wait_until
from goldsignal_pipeline_tests.vendor_market import VendorMarket

HISTORY: Final = tuple(months_between("2024-10", "2024-12"))
LIVED: Final = ("2025-01", "2025-02")
BAR: Final = Timeframe.M5
SEED: Final = 7
STAGES: Final = {
    "start": "tick, queue, process of the run",
    "fetch": "fetch",
    "candles": "candles",
    "signals": "setups to signals",
    "owed": "results, checks, message owed",
    "wait": "until the sender looks",
    "picture": "picture",
    "http": "claim and HTTP",
}
_STEP_ENDS: Final = {"fetch": "raw_candles", "candles": "candles", "signals": "signals", "owed": "alerts"}


class _SameVendor(SimulatedProvider):
    """The simulated market as Twelve Data would have delivered it, to fill a database without calls."""

    @property
    def symbol(self) -> str:
        return REAL_SYMBOL

    @property
    def source(self) -> Source:
        return Source("twelvedata", Side.MID)


@dataclass
class _Desk:
    """What the benchmark lets live: the processes, the database, the chat, and when pictures were drawn."""

    stack: LiveStack
    database: Database
    instance: dg.DagsterInstance
    telegram: TelegramServer
    settings: Settings
    drawn: dict[str, tuple[float, float]] = field(default_factory=dict)

    def draw(self, claimed: Claim) -> bytes | None:
        """The picture of a message; begin and end are kept by its natural key."""
        begin = time.time()
        picture = picture_of(self.database, claimed, now=self.stack.time.now())
        self.drawn[claimed.natural_key] = (begin, time.time())
        return picture

    def rows(self, query: str, **parameters: object) -> list[Any]:
        """Rows of the database."""
        with self.database.transaction(read_only=True) as connection:
            return list(connection.execute(text(query), parameters).all())

    def cycle(self, close: datetime) -> tuple[float, dg.DagsterRun]:
        """When the tick of a bar came, and its finished run."""
        self.stack.time.set(close + self.settings.grace)
        begin = time.time()

        def finished() -> dg.DagsterRun | None:
            runs = live_runs(self.instance).get(f"{close:%Y-%m-%d %H:%M}", [])
            return runs[-1] if runs and runs[-1].is_finished else None

        run = wait_until(finished, f"the cycle of {close}")
        if not run.is_success:
            raise RuntimeError(f"the cycle of {close} failed:\n{self.stack.logs()}")
        return begin, run


def compare() -> list[Comparison]:
    """The whole way, and a row for each stage with its share."""
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="goldsignal-delivery-")))
        folder.chmod(0o755)  # root's server account must be able to enter
        server = exits.enter_context(EmbeddedServer(folder / "server"))
        settings = Settings(base_timeframe=BAR)
        closes = _prepare(server, settings)
        desk = exits.enter_context(_desk(folder, server, settings, start=closes[0]))
        measured: list[dict[str, float]] = []
        tried = 0
        while tried < len(closes) and len(measured) <= ROUNDS:
            stages = _measure(desk, closes[tried])
            measured += [] if stages is None else [stages]
            tried += 1
    if len(measured) <= ROUNDS:
        raise RuntimeError(f"of {tried} bars {len(measured)} brought a signal, expected {ROUNDS + 1}")
    # The first pays for what processes pay once.
    return _rows(measured[1:], settings, told=f"median of {ROUNDS} bars, each message that of its new signal")


def _rows(measured: list[dict[str, float]], settings: Settings, *, told: str) -> list[Comparison]:
    """The first row is told from the bar's close on; shares are of what comes after the grace."""
    work = median([sum(stages.values()) for stages in measured])
    grace = settings.grace.total_seconds()
    whole = Comparison(
        "closed bar to delivered message", "the grace alone, a setting", grace + work, grace, "s", 1 + work / grace, None, told
    )
    parts = {name: median([stages[name] for stages in measured]) for name in STAGES}
    return [
        whole,
        *(
            Comparison(
                f"of it: {words}", "all after the grace", parts[name], work, "s", parts[name] / work, None, "the same bars"
            )
            for name, words in STAGES.items()
        ),
    ]


def _measure(desk: _Desk, close: datetime) -> dict[str, float] | None:
    """Seconds of each stage for the bar that closes then; None when it brought no signal."""
    desk.cycle(close - BAR.length)
    _deliver_all(desk)
    before = desk.rows("SELECT coalesce(max(id), 0) FROM alerts")[0][0]
    begin, run = desk.cycle(close)
    new = desk.rows("SELECT natural_key FROM alerts WHERE id > :before AND kind = 'published' ORDER BY id", before=before)
    _deliver_all(desk)
    given = desk.rows("SELECT 1 FROM signals WHERE confirmed_at = :close AND origin = 'live'", close=close)
    if not new or len(new) != len(given):
        return None
    key = new[0][0]
    return _stages(desk, run, begin=begin, key=key, arrived=_arrival(desk.telegram, key))


def _stages(desk: _Desk, run: dg.DagsterRun, *, begin: float, key: str, arrived: float) -> dict[str, float]:
    """Ends of the stages, and what lies between them."""
    begun, ended = (
        {one.step_key: one.timestamp for one in desk.instance.all_logs(run.run_id, of_type=kind)}
        for kind in (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS)
    )
    looked, drawn = desk.drawn[key]
    # The message is committed before Dagster is told that its step ended: a quick sender looks before.
    ends = {"start": min(begun.values()), **{name: ended[step] for name, step in _STEP_ENDS.items()}}
    ends |= {"owed": min(ends["owed"], looked), "wait": looked, "picture": drawn, "http": arrived}
    marks = [begin, *(ends[name] for name in STAGES)]
    return {name: after - before for name, before, after in zip(STAGES, marks, marks[1:], strict=False)}


def _arrival(telegram: TelegramServer, key: str) -> float:
    """When the message about `key` arrived, as a time of day."""
    calls: list[Call] = [call for call in telegram.accepted.values() if message_id(key) in call.text]
    if len(calls) != 1 or calls[0].photo is None:
        raise RuntimeError(f"expected one message with its picture about {key}, found {len(calls)}")
    return calls[0].at + time.time() - time.monotonic()


def _deliver_all(desk: _Desk) -> None:
    """Wait until nothing is owed."""
    owed = "SELECT count(*) FROM alerts LEFT JOIN alert_deliveries ON alert_id = alerts.id WHERE coalesce(state, 'owed') = 'owed'"
    wait_until(lambda: desk.rows(owed)[0][0] == 0, "an empty outbox")


# -- what it lives on --------------------------------------------------------------------------------------------------------


def _prepare(server: EmbeddedServer, settings: Settings) -> list[datetime]:
    """Fill the database with what came before, and find in a copy which bars of the month to come bring a signal."""
    migrations.upgrade(server.url())
    _fill(server.url(), settings, HISTORY)
    with psycopg.connect(_libpq(server.url("postgres")), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ahead TEMPLATE goldsignal")
    database = _fill(server.url("ahead"), settings, (HISTORY[-1], *LIVED))
    with database.transaction(read_only=True) as connection:
        query = text("SELECT DISTINCT confirmed_at FROM signals WHERE confirmed_at >= :start ORDER BY confirmed_at")
        found = list(connection.execute(query, {"start": month_start(LIVED[0])}).scalars())
    database.dispose()
    calendar = load_calendar()
    return [close for close in found if _has_bar_before(calendar, close)]


def _has_bar_before(calendar: TradingCalendar, close: datetime) -> bool:
    """Whether two bars in a row end at `close`."""
    return len(calendar.expected_opens(timeframe=BAR, start=close - 2 * BAR.length, end=close)) == 2


def _fill(url: str, settings: Settings, months: tuple[str, ...]) -> Database:
    """Everything of some months, as of their end; the database is left disposed."""
    start, end = month_start(months[0]), month_start(next_month(months[-1]))
    database = Database(url)
    register(database, now=end)
    refresh(database, _market(end), start=start, end=end, now=end, grace=settings.grace, run_id=None)
    run_graph(Run(database, settings, end, "fill"), months)
    database.dispose()
    return database


def _market(now: datetime) -> _SameVendor:
    return _SameVendor(seed=SEED, calendar=load_calendar(), base_timeframe=BAR, clock=lambda: now)


def _vendor() -> VendorMarket:
    """What the vendor has, from a month before what is lived on."""
    start, end = month_start(HISTORY[-1]), month_start(next_month(LIVED[-1]))
    (page,) = _market(end).fetch(FetchWindow(timeframe=BAR, start=start, end=end))
    return VendorMarket.from_ticks(page.rows)


@contextmanager
def _desk(folder: Path, server: EmbeddedServer, settings: Settings, *, start: datetime) -> Iterator[_Desk]:
    home = folder / "home"
    home.mkdir()
    addresses = embedded_addresses(server)
    with ExitStack() as exits:
        stack = LiveStack(home, market=_vendor(), database_url=addresses.database_url, dagster_url=addresses.dagster_url)
        exits.enter_context(stack.vendor)
        exits.callback(stack.stop)
        stack.time.set(start - timedelta(minutes=20))
        telegram = exits.enter_context(TelegramServer())
        database = Database(addresses.database_url)
        exits.callback(database.dispose)
        desk = _Desk(stack, database, exits.enter_context(stack.instance()), telegram, settings)
        stack.start(location="benchmarks.delivery_location")
        wait_until(desk.instance.all_instigator_state, "the scheduler")
        channel = Telegram(SecretStr("1:token"), chat="-42", base_url=telegram.url)
        exits.enter_context(_sending(replace(sender_of(database, settings, [channel]), clock=stack.time.now, draw=desk.draw).run))
        yield desk


@contextmanager
def _sending(run: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _libpq(url: str) -> str:
    return "postgresql://" + url.split("://", 1)[1]
