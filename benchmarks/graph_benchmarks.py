"""What the whole graph costs in Dagster on PostgreSQL, beside what cannot be spared: the core, raw COPY, and Dagster by itself.

1. A backfill of ten years of hourly bars of the simulated market with every strategy.
2. A year in twelve runs of a month beside one run of twelve.
3. The live cycle beside an empty job of as many steps, whole and until the signals have committed; what Dagster
   writes of it.
4. A live cycle with thirteen years in the tables beside one with a single year.
5. The memory of the three processes of `goldsignal up` beside those of a project without any asset (`graph_memory`).

Ratios are of processor time, ours and the server's together; the clock's is told beside. Backfills take minutes a round and a
start of all processes half a minute, so there are three rounds of each, and their rows say so; of live cycles there are seven.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import fmean

from benchmarks.graph_core import copy_bare, counts
from benchmarks.graph_memory import memory
from benchmarks.graph_stage import Spent, Stage, stage
from benchmarks.harness import Comparison, Promise, median, take_turns

CYCLES_A_DAY = 276
"""Live cycles of a full trading day in bars of five minutes."""
LIVE_FROM = datetime(2025, 1, 14, 8, tzinfo=UTC)
_STAMPED = {"raw_candles", "gate_events", "strategies"}
"""Tables whose rows say when they were written."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; smaller sizes serve to try the benchmark itself. History is in months."""

    years: int = 10
    long_rounds: int = 3
    rounds: int = 3
    months: int = 12
    cycles: int = 7
    live_months: int = 6
    little_history: int = 12
    much_history: int = 12 * 13


FULL = Size()


def compare(size: Size = FULL) -> Iterator[Comparison]:
    """Memory, live cycle, backfill, chunks and flatness: what takes longest comes last."""
    yield from memory(rounds=size.rounds)
    yield from five_minutes(size)
    yield from hourly(size)


def hourly(size: Size) -> Iterator[Comparison]:
    """What is measured on hourly bars."""
    with stage(base_timeframe="H1") as here:
        yield flatness(here, size)
        yield from twelve_months(here, size)
        yield from ten_years(here, size)


def five_minutes(size: Size) -> list[Comparison]:
    """What is measured on bars of five minutes, as `goldsignal up` fetches them."""
    with stage(base_timeframe="M5") as here:
        return live_cycle(here, size)


# -- 1. ten years ------------------------------------------------------------------------------------------------------------


def ten_years(here: Stage, size: Size) -> list[Comparison]:
    """The backfill beside the sum of its parts."""
    years = range(2025 - size.years, 2025)
    runs = [(f"{year}-01", f"{year}-12") for year in years]
    spent: dict[str, list[Spent]] = {"ours": [], "core": [], "copy": [], "empty": []}
    told = ""
    for _ in range(size.long_rounds):
        database = here.database()
        spent["ours"].append(_backfill(here, "ours", runs, database=database))
        spent["empty"].append(_backfill(here, "empty", runs, database=database))
        core = here.work("core", database=database, first=runs[0][0], last=runs[-1][1])
        told = _same_rows(core.pop("rows"), counts(here.libpq(database)))
        spent["core"].append(Spent(**core))
        spent["copy"].append(copy_bare(here.libpq(database), postmaster=here.postmaster))
        here.drop(database)
    work = f"backfill of {size.years} years of H1, {len(runs)} runs of 12 months"
    rounds = f"{size.long_rounds} rounds"
    return [
        _ten_years_row(work, spent, same_work=f"{told}; {rounds}", unit_of="processor"),
        _ten_years_row(f"{work}, on the clock", spent, same_work=_shares(spent), unit_of="wall"),
    ]


def _ten_years_row(work: str, spent: Mapping[str, Sequence[Spent]], *, same_work: str, unit_of: str) -> Comparison:
    seconds = {name: median([getattr(one, unit_of) for one in side]) for name, side in spent.items()}
    floor = seconds["core"] + seconds["copy"] + seconds["empty"]
    return Comparison(
        work=work,
        against="core in memory + raw COPY + empty graph",
        ours=seconds["ours"],
        floor=floor,
        unit="s",
        ratio=seconds["ours"] / floor,
        promise=Promise("<=", 3.0) if unit_of == "processor" else None,
        same_work=same_work,
    )


def _shares(spent: Mapping[str, Sequence[Spent]]) -> str:
    """Where the clock's time of ours went: Dagster is the empty graph, PostgreSQL our waiting for it less Dagster's own."""
    total = median([one.wall for one in spent["ours"]])
    waited = {name: median([one.waited for one in spent[name]]) for name in ("ours", "empty")}
    parts = {
        "Dagster": median([one.wall for one in spent["empty"]]),
        "PostgreSQL": waited["ours"] - waited["empty"],
        "core": median([one.wall for one in spent["core"]]),
    }
    parts["shell"] = total - sum(parts.values())
    return "share: " + ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in parts.items())


def _same_rows(made: Mapping[str, int], stored: Mapping[str, int]) -> str:
    """That both sides have as many rows of every table, or which have not."""
    different = {table: (stored[table], rows) for table, rows in made.items() if stored[table] != rows}
    if different:
        raise RuntimeError(f"stored and computed in memory are not as many rows: {different}")
    return f"{sum(made.values()):,} rows of {len(made)} tables on both sides, {stored['candles']:,} candles"


# -- 2. a year in chunks -----------------------------------------------------------------------------------------------------


def twelve_months(here: Stage, size: Size) -> list[Comparison]:
    """The second year of a record, in one run and month by month."""
    before = here.database()
    _backfill(here, "ours", [("2022-01", "2022-12")], database=before)
    months = [f"2023-{month:02d}" for month in range(1, size.months + 1)]
    ways = {"one run": [(months[0], months[-1])], "a run each": [(month, month) for month in months]}
    left: dict[str, str] = {}

    def way(name: str) -> Spent:
        database = here.database(template=before)
        spent = _backfill(here, "ours", ways[name], database=database)
        left[name] = _fingerprints(here, database)
        here.drop(database)
        return spent

    spent = take_turns({name: partial(way, name) for name in ways}, rounds=size.rounds)
    here.drop(before)
    if len(set(left.values())) != 1:
        raise RuntimeError("the tables of both ways are not equal")
    return [
        _row(
            f"{size.months} months of H1, a run for each",
            "one run of them all",
            spent["a run each"],
            spent["one run"],
            f"equal tables after both, {size.rounds} rounds",
        )
    ]


def _fingerprints(here: Stage, database: str) -> str:
    from goldsignal_pipeline.storage.contents import contents
    from goldsignal_pipeline.storage.database import Database

    opened = Database(here.url(database))
    with opened.transaction(read_only=True) as connection:
        held = contents(connection)
    opened.dispose()
    return str({table: content for table, content in held.items() if table not in _STAMPED})


# -- 3. the live cycle -------------------------------------------------------------------------------------------------------


def live_cycle(here: Stage, size: Size) -> list[Comparison]:
    """From a closed bar to the committed signals, beside the empty job; and the bytes that Dagster keeps of it."""
    database = here.database()
    first = _month_before(LIVE_FROM, size.live_months)
    here.work("fill", database=database, first=first, now=LIVE_FROM.isoformat())
    candles = counts(here.libpq(database))["candles"]
    told = here.work(
        "live", database=database, databases={"ours": here.url(database)}, start=LIVE_FROM.isoformat(), rounds=size.cycles
    )
    ours, empty = told["ours"], told["empty"]
    rows = counts(here.libpq(database))["candles"] - candles
    here.drop(database)
    steps = f"{ours[0]['steps']:.0f} and {empty[0]['steps']:.0f} steps, {size.cycles} cycles"
    return [
        _row(
            "live cycle, bars of 5 minutes",
            "empty job of as many steps",
            _spent(ours),
            _spent(empty),
            steps,
            promise=Promise("<=", 1.5),
        ),
        _clock_row("live cycle, on the clock", ours, empty, "wall", f"{rows} candles stored, floor does nothing"),
        _clock_row(
            "from the closed bar to the committed signals",
            ours,
            empty,
            "signalled",
            "until the step `signals` ended",
            promise=Promise("<=", 1.5),
        ),
        _bytes_row(ours, empty),
    ]


def _clock_row(
    work: str,
    ours: Sequence[Mapping[str, float]],
    empty: Sequence[Mapping[str, float]],
    of: str,
    same: str,
    *,
    promise: Promise | None = None,
) -> Comparison:
    mine, floor = (median([1000.0 * one[of] for one in side]) for side in (ours, empty))
    return Comparison(work, "empty job of as many steps", mine, floor, "ms", mine / floor, promise, same)


def _bytes_row(ours: Sequence[Mapping[str, float]], empty: Sequence[Mapping[str, float]]) -> Comparison:
    mine, floor = (fmean([one["written"] for one in side]) for side in (ours, empty))
    daily = [amount * CYCLES_A_DAY / 1e6 for amount in (mine, floor)]
    told = f"mean; {daily[0]:.1f} MB a day of {CYCLES_A_DAY} cycles, empty {daily[1]:.1f} MB; {ours[0]['events']:.0f} events each"
    return Comparison(
        "Dagster's rows of a live cycle", "empty job of as many steps", mine, floor, "bytes", mine / floor, None, told
    )


# -- 4. flatness -------------------------------------------------------------------------------------------------------------


def flatness(here: Stage, size: Size) -> Comparison:
    """A live cycle with much history beside one with little."""
    names = {f"{months} months": months for months in (size.little_history, size.much_history)}
    databases = {name: here.database() for name in names}
    for name, months in names.items():
        here.work("fill", database=databases[name], first=_month_before(LIVE_FROM, months), now=LIVE_FROM.isoformat())
    rows = [f"{counts(here.libpq(database))['candles']:,}" for database in databases.values()]
    little, much = databases
    told = here.work(
        "live",
        database=databases[little],
        databases={name: here.url(database) for name, database in databases.items()},
        start=LIVE_FROM.isoformat(),
        rounds=size.cycles,
    )
    here.drop(*databases.values())
    return _row(
        f"live cycle on H1, {much} in the tables",
        f"the same, {little}",
        _spent(told[much]),
        _spent(told[little]),
        f"{rows[1]} and {rows[0]} candles, the same bars arrive",
    )


# -- all ---------------------------------------------------------------------------------------------------------------------


def _backfill(here: Stage, side: str, runs: Sequence[tuple[str, str]], *, database: str) -> Spent:
    dagster = here.database(template="dagster")
    spent = Spent(**here.work("backfill", database=database, dagster=dagster, side=side, runs=runs))
    here.drop(dagster)
    return spent


def _spent(told: Sequence[Mapping[str, float]]) -> list[Spent]:
    return [Spent(**{name: one[name] for name in ("wall", "own", "server", "waited")}) for one in told]


def _row(
    work: str,
    against: str,
    ours: Sequence[Spent],
    floor: Sequence[Spent],
    same_work: str,
    *,
    promise: Promise | None = None,
) -> Comparison:
    mine, least = (median([one.processor for one in side]) for side in (ours, floor))
    clock = median([one.wall for one in ours]) / median([one.wall for one in floor])
    told = f"{same_work}; on the clock {clock:.2f}"
    return Comparison(work, against, mine, least, "s", mine / least, promise, told)


def _month_before(instant: datetime, months: int) -> str:
    from goldsignal_pipeline.assets.partitions import month_of, next_month

    return next_month(month_of(instant), steps=-months)
