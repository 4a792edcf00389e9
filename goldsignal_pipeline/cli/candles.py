"""`goldsignal candles`: the record as a table, CSV or JSON; today's, or as it was known at an instant.

1. The range is settled: `--from` and `--to` as given, otherwise the newest bars.
2. Today's candles are read from their table (`stored`); with `--as-of T` the observations known at T go through the one
   projection of the core with T as the clock (`known_at`), so what was unknown or still forming then is absent.
3. The rows are shown: prices in USD/oz, times in the zone of the settings in tables, UTC in CSV and JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from goldsignal_pipeline.cli import session
from goldsignal_pipeline.cli.output import JsonOption, Output, local_text, table, utc_text
from goldsignal_pipeline.cli.times import parse_instant, parse_range
from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from goldsignal_pipeline.market.timeframes import Timeframe
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.database import Database

NEWEST_BARS: Final = 20
TABLE_ROWS: Final = 500
PRICES: Final = ("open", "high", "low", "close")
COLUMNS: Final = ("timestamp", *PRICES, "volume", "source", "base_timeframe", "base_bars", "flag")
RECORD_BEGINS: Final = datetime(2003, 5, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Question:
    """Which bars are wanted: those that open in [start, end), or without a start the newest before `end`; known at `as_of`."""

    symbol: str
    timeframe: Timeframe
    start: datetime | None
    end: datetime
    as_of: datetime | None


def commands(app: typer.Typer) -> None:
    """Register `candles`."""
    app.command(rich_help_panel="Data")(candles)


def candles(
    *,
    timeframe: Annotated[str, typer.Option("--timeframe", "-t", help="M1, M5, M15, M30, H1, H4 or D1.")] = "H1",
    start: Annotated[str | None, typer.Option("--from", help="First open, inclusive; the newest bars when absent.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the range, exclusive; now when absent.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Show what was known at this time.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="XAUUSD or XAUUSD-SIM; the feed's when absent.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV (times in UTC).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show candles: the newest, a range, or what was known at a time."""
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other.", fix="Choose one.")
    asked_timeframe = parse_timeframe(timeframe)
    settings = session.start()
    zone, now = settings.display_zone, datetime.now(UTC)
    first, last = parse_range(start, end, zone=zone)
    question = Question(
        symbol=symbol or session.default_symbol(settings),
        timeframe=asked_timeframe,
        start=first,
        end=last or now,
        as_of=parse_as_of(as_of, zone=zone, now=now) if as_of else None,
    )
    with session.open_database(settings) as database:
        rows = stored(database, question) if question.as_of is None else known_at(database, question, settings=settings)
    if as_csv:
        write_csv(rows)
        return
    payload: dict[str, Any] = {"symbol": question.symbol, "timeframe": question.timeframe, "as_of": question.as_of}
    if as_json:
        payload["candles"] = list(_records(rows))
    Output(as_json).emit(payload, render=lambda console: _render(console, rows, question, zone=zone))


def parse_timeframe(text: str) -> Timeframe:
    """The timeframe of that name, in any case; raises `UsageError`."""
    from goldsignal_pipeline.market.timeframes import Timeframe

    try:
        return Timeframe(text.upper())
    except ValueError:
        raise UsageError(f"{text!r} is not a timeframe.", fix=f"Choose one of {', '.join(Timeframe)}.") from None


def parse_as_of(text: str, *, zone: ZoneInfo, now: datetime) -> datetime:
    """The instant whose knowledge is wanted; raises `UsageError` when it has not come yet."""
    instant = parse_instant(text, zone=zone)
    if instant > now:
        raise UsageError(
            f"{local_text(instant, zone=zone)} has not come yet; it is {local_text(now, zone=zone)}.",
            done="Nothing is known as of then.",
            fix="Give a time that has passed, or leave out --as-of for what is known now.",
        )
    return instant


def stored(database: Database, question: Question) -> pd.DataFrame:
    """Today's candles that answer the question, by time."""
    from goldsignal_pipeline.assets import kept_candles

    with database.transaction(read_only=True) as connection:
        for start in _starts(question):
            rows = kept_candles.read(
                connection, symbol=question.symbol, timeframes=[question.timeframe], start=start, end=question.end
            )[question.timeframe]
            if question.start is not None or len(rows) >= NEWEST_BARS:
                break
    return rows if question.start is not None else rows.tail(NEWEST_BARS)


def known_at(database: Database, question: Question, *, settings: Settings) -> pd.DataFrame:
    """The candles that answer the question as they were known at `as_of`, by time."""
    for start in _starts(question):
        rows = _project(database, question, start=start, settings=settings)
        if question.start is not None or len(rows) >= NEWEST_BARS:
            break
    return rows if question.start is not None else rows.tail(NEWEST_BARS)


def _starts(question: Question) -> Sequence[datetime]:
    """Where to look from: the start that was asked for, else ever further back until enough bars are found."""
    if question.start is not None:
        return [question.start]
    end = min(question.end, question.as_of or question.end)
    length = question.timeframe.length * NEWEST_BARS
    # A long weekend closes the market for four days; an older record is looked for from its beginning.
    return [end - length - timedelta(days=4), end - 10 * length - timedelta(days=30), RECORD_BEGINS]


def _project(database: Database, question: Question, *, start: datetime, settings: Settings) -> pd.DataFrame:
    from goldsignal_pipeline.assets.gate_record import read_source_orders
    from goldsignal_pipeline.assets.partitions import month_of, month_start, next_month
    from goldsignal_pipeline.market.hours import load_calendar
    from goldsignal_pipeline.market.projection import project
    from goldsignal_pipeline.storage import raw_candles

    known = question.as_of or question.end
    start = max(start, RECORD_BEGINS)
    first = month_of(start)
    # A bar belongs to the month in which it closes; a D1 bar that opens before the end closes a day later.
    beyond = month_start(next_month(month_of(min(question.end, known) + timedelta(days=1))))
    with database.transaction(read_only=True) as connection:
        observations = raw_candles.newest(
            connection, symbol=question.symbol, start=month_start(next_month(first, steps=-1)), end=beyond, as_of=known
        )
        orders = read_source_orders(
            connection, symbol=question.symbol, otherwise=settings.source_order, recorded_until=question.as_of
        )
    projection = project(
        observations,
        calendar=load_calendar(),
        start=month_start(first),
        end=beyond,
        now=known,
        grace=settings.grace,
        source_order=orders,
    )
    rows = projection.candles
    wanted = (rows["timeframe"] == question.timeframe.value) & (rows["timestamp"] >= start) & (rows["timestamp"] < question.end)
    return rows[wanted].reset_index(drop=True)


def write_csv(rows: pd.DataFrame) -> None:
    """The rows as CSV on standard output: UTC times, prices with two decimals, nothing where there is no volume or flag."""
    shown = rows[list(COLUMNS)].copy()
    shown["timestamp"] = shown["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in PRICES:
        shown[name] = [_price(ticks) for ticks in shown[name].tolist()]
    shown.to_csv(sys.stdout, index=False, float_format="%.2f")


def _records(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in rows[list(COLUMNS)].to_dict("records"):
        values: dict[str, Any] = {str(name): value for name, value in row.items()}
        yield values | {
            "timestamp": utc_text(values["timestamp"].to_pydatetime()),
            **{name: values[name] / 100 for name in PRICES},
            "volume": None if isnan(values["volume"]) else values["volume"],
            "flag": values["flag"] or None,
        }


def _render(console: Console, rows: pd.DataFrame, question: Question, *, zone: ZoneInfo) -> None:
    known = "" if question.as_of is None else f", as known at {local_text(question.as_of, zone=zone)}"
    title = f"{question.symbol} {question.timeframe}{known}"
    if rows.empty:
        console.print(f"{title}: no candles in this range.")
        return
    shown = rows.tail(TABLE_ROWS)
    sources = shown["source"].unique().tolist()
    headers: list[str | tuple[str, str]] = ["open at", *((name, "right") for name in (*PRICES, "volume"))]
    headers += ["made of", *(["source"] if len(sources) > 1 else []), ""]
    cells = [_cells(row, zone=zone, with_source=len(sources) > 1) for row in shown.to_dict("records")]
    origin = "several sources" if len(sources) > 1 else sources[0]
    console.print(table(*headers, rows=cells, title=f"{title}, from {origin}, USD/oz, times in {zone.key}"))
    if len(rows) > TABLE_ROWS:
        console.print(f"The last {TABLE_ROWS} of {len(rows):,}; --csv and --json print all.", style="dim")


def _cells(row: dict[Any, Any], *, zone: ZoneInfo, with_source: bool) -> tuple[str | Text, ...]:
    opened = local_text(row["timestamp"].to_pydatetime(), zone=zone, with_zone=False)
    volume = "" if isnan(row["volume"]) else f"{row['volume']:,.0f}"
    made_of = row["base_timeframe"] if row["base_bars"] == 1 else f"{row['base_timeframe']} x {row['base_bars']}"
    prices = (_price(row[name]) for name in PRICES)
    source = (row["source"],) if with_source else ()
    return (opened, *prices, volume, made_of, *source, Text(row["flag"] or "", style="yellow"))


def _price(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02d}"
