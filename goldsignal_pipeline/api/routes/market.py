"""`/candles` and `/gaps`: the bars that are held, and those that are missing with the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response

from goldsignal_pipeline.api.answers import JSON, answer, decoded, encoded
from goldsignal_pipeline.api.asking import Asking, Context
from goldsignal_pipeline.api.known_then import ReadThen, Span, corrections
from goldsignal_pipeline.api.parameters import RECORD_BEGINS, CandlesAsked, InRange
from goldsignal_pipeline.api.schemas import CandleRows, Candles, Gaps
from goldsignal_pipeline.assets.missing_bars import find
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.timeframes import bar_open
from goldsignal_pipeline.market.zones import to_instant
from goldsignal_pipeline.storage.reading import candles as reading
from goldsignal_pipeline.storage.reading.candles import PRICES, Bars
from goldsignal_pipeline.storage.reading.queries import Order

GAPS_SPAN: Final = timedelta(days=30)
_GAP_ORDER: Final = Order(("timestamp", "timeframe"), descending=False)

router = APIRouter(tags=["market"])


@router.get("/candles", response_model=Candles | CandleRows)
async def candles(asking: Asking, asked: Annotated[CandlesAsked, Query()]) -> Response:
    """The newest `limit` bars that open in [start, end), ascending; older ones follow with `end` = the first open, while `older`.

    `time` is each open in seconds since 1970, UTC. With `as_of` only bars that had closed by then, and those that were corrected
    since as they read then; a bar that was first seen later counts from when it closed. Where more was corrected than one answer
    reads again, bars before `exact_from` read as today: ask again with it as `end`. Bars that retention deleted are not shown and
    are not missing: the last of them closed before `pruned_until`.
    """
    bars = _bars(asking, asked)
    if asked.form == "rows":
        return await _as_rows(asking, bars)
    (found,) = await asking.readers.rows(reading.columns(bars))
    then = ReadThen([]) if asked.as_of is None or not found["rows"] else await _read_then(asking, asked, bars, found)
    columns = {name: found[name] for name in ("time", *PRICES)}
    if then.bars:
        columns = _with_corrections(columns, {bar[0]: bar[1:] for bar in then.bars})
    text = ",".join(f'"{name}":[{values}]' for name, values in columns.items())
    before = await _before(asking, bars, found["first"])
    head = f'"symbol":{json.dumps(bars.symbol)},"timeframe":"{bars.timeframe}","rows":{found["rows"]}'
    exact = then.exact_from.isoformat() if then.exact_from else None
    return Response(f'{{{head},{text},{before},"exact_from":{json.dumps(exact)}}}', media_type=JSON)


@router.get("/gaps", response_model=Gaps)
async def gaps(asking: Asking, asked: Annotated[InRange, Query()]) -> Response:
    """Runs of missing bars that begin in [start, end), with their reason, ascending; without `start` those of 30 days."""
    after = None if asked.cursor is None else decoded(asked.cursor, _GAP_ORDER)
    end = min(asked.end or asking.now, asking.now)
    start = max(asked.start or end - GAPS_SPAN, RECORD_BEGINS)
    if end <= start:
        return answer({"gaps": [], "next": None})
    symbol = asking.symbol(asked)
    report = await asking.readers.in_thread(
        lambda connection: find(connection, grace=asking.settings.grace, symbol=symbol, start=start, end=end, now=asking.now)
    )
    rows = sorted(report.as_dict()["gaps"], key=lambda row: (row["start"], row["timeframe"]))
    rest = [row for row in rows if after is None or [row["start"], row["timeframe"]] > after]
    shown = rest[: asked.limit]
    more = encoded([shown[-1]["start"], shown[-1]["timeframe"]]) if len(rest) > len(shown) else None
    return answer({"gaps": shown, "next": more})


def _bars(asking: Context, asked: CandlesAsked) -> Bars:
    if asked.as_of is not None and asked.form == "rows":
        raise UsageError("Bars as they read at an instant come in columns only.", fix="Leave out `form`, or `as_of`.")
    start, end = asked.start or RECORD_BEGINS, asked.end or asking.now + timedelta(days=1)
    if end < start:
        raise UsageError("The range ends before it begins.", fix="Give a start before the end.")
    if asked.as_of is not None:
        # The bar that contains the instant had not closed, so those that open before it are all that had.
        running = bar_open(np.array([to_instant(asked.as_of)]), timeframe=asked.timeframe)[0]
        end = min(end, datetime.fromtimestamp(int(running.astype("datetime64[s]").astype(np.int64)), end.tzinfo))
    return Bars(asking.symbol(asked), asked.timeframe.value, start, end, asked.limit)


async def _as_rows(asking: Context, bars: Bars) -> Response:
    found = await asking.readers.rows(reading.as_rows(bars))
    before = await _before(asking, bars, found[0]["timestamp"] if found else None)
    text = ",".join(row["json"] for row in found)
    head = f'"symbol":{json.dumps(bars.symbol)},"timeframe":"{bars.timeframe}","rows":{len(found)}'
    return Response(f'{{{head},"bars":[{text}],{before}}}', media_type=JSON)


async def _before(asking: Context, bars: Bars, first: datetime | None) -> str:
    """What is older in the range than the first bar shown, and what retention deleted of it, as members of the answer."""
    (found,) = await asking.readers.rows(reading.before(bars, first=first or bars.end))
    until = found["pruned_until"] and found["pruned_until"].astimezone(UTC).isoformat()
    return f'"older":{json.dumps(found["older"])},"pruned_until":{json.dumps(until)}'


async def _read_then(asking: Context, asked: CandlesAsked, bars: Bars, found: dict[str, Any]) -> ReadThen:
    as_of = asked.as_of
    assert as_of is not None  # asked for only then
    span = Span(bars.symbol, asked.timeframe, found["first"], bars.end)
    return await asking.readers.in_thread(lambda connection: corrections(connection, asking.settings, span=span, as_of=as_of))


def _with_corrections(columns: dict[str, str], corrected: dict[int, tuple[float, ...]]) -> dict[str, str]:
    values = {name: text.split(",") for name, text in columns.items()}
    for at, second in enumerate(values["time"]):
        for name, price in zip(PRICES, corrected.get(int(second), ()), strict=False):
            values[name][at] = f"{price:.2f}"
    return {name: ",".join(texts) for name, texts in values.items()}
