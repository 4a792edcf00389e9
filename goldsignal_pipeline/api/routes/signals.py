"""`/signals`, one signal with its explanation, `/outcomes` and `/silence`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy import Connection

from goldsignal_pipeline.api.answers import answer, page_of
from goldsignal_pipeline.api.asking import Asking, Context
from goldsignal_pipeline.api.errors import NotFoundError, Refusal
from goldsignal_pipeline.api.parameters import RECORD_BEGINS, OfStrategy, OutcomesAsked, SignalsAsked, SilenceAsked
from goldsignal_pipeline.api.schemas import ExplanationAnswer, Outcomes, Signals, SilenceAnswer
from goldsignal_pipeline.assets.explaining import Explanation, explain_setup, explain_silence
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.market.prices import Direction
from goldsignal_pipeline.selection.gate_inputs import SetupKey
from goldsignal_pipeline.selection.own_account import LEVELS, OwnAccount
from goldsignal_pipeline.storage.reading import signals as reading
from goldsignal_pipeline.storage.reading.ids import keys_with_id
from goldsignal_pipeline.storage.reading.queries import rows

SILENCE_SPAN: Final = timedelta(days=30)
LONGEST_SILENCE: Final = timedelta(days=3 * 366)

router = APIRouter(tags=["signals"])


@router.get("/signals", response_model=Signals)
async def signals(asking: Asking, asked: Annotated[SignalsAsked, Query()]) -> Response:
    """Signals with their standing, newest first, by the close of the confirming bar; as known at `as_of` when given."""
    query = reading.signals(_wanted(asking, asked), as_of=asked.as_of, status=asked.status, origin=asked.origin)
    return await page_of(
        asking.readers, query, name="signals", order=reading.SIGNAL_ORDER, cursor=asked.cursor, limit=asked.limit
    )


@router.get(
    "/signals/{id}",
    response_model=ExplanationAnswer,
    responses={404: {"model": Refusal, "description": "There is no such signal or setup."}},
)
async def signal(asking: Asking, identity: Annotated[str, Path(alias="id", pattern=r"^[0-9a-f]{8,64}$")]) -> Response:
    """Why a signal was given, or a setup turned away: conditions, rules of the gate, versions, steps, outcome, corrections."""
    found = await asking.readers.in_thread(lambda connection: _explained(connection, asking, identity))
    if found is None:
        raise NotFoundError(f"There is no signal or setup {identity}.", fix="`/signals` lists the ids.")
    return answer(found)


@router.get("/outcomes", response_model=Outcomes)
async def outcomes(asking: Asking, asked: Annotated[OutcomesAsked, Query()]) -> Response:
    """How signals ended, newest first, by the instant at which it was known."""
    query = reading.outcomes(_wanted(asking, asked), result=asked.result)
    return await page_of(
        asking.readers, query, name="outcomes", order=reading.OUTCOME_ORDER, cursor=asked.cursor, limit=asked.limit
    )


@router.get("/silence", response_model=SilenceAnswer)
async def silence(asking: Asking, asked: Annotated[SilenceAsked, Query()]) -> Response:
    """What turned candidates away in [start, end), and how near the misses were; at most three years."""
    end = asked.end or asking.now
    start = asked.start or end - SILENCE_SPAN
    if not timedelta() <= end - start <= LONGEST_SILENCE:
        raise UsageError(f"Expected an end after the start and at most {LONGEST_SILENCE.days} days of it.")
    symbol = asking.symbol(asked)
    found = await asking.readers.in_thread(lambda connection: explain_silence(connection, symbol=symbol, start=start, end=end))
    return answer(
        {
            "symbol": symbol,
            "start": start,
            "end": end,
            "accepted": found.accepted,
            "turned_away": found.turned_away,
            "refused": found.refused,
            "near_misses": found.near_misses,
        }
    )


def _wanted(asking: Context, asked: OfStrategy) -> reading.Wanted:
    return reading.Wanted(
        asking.symbol(asked),
        asked.start or RECORD_BEGINS,
        asked.end or asking.now + timedelta(days=1),
        asked.strategy,
        asked.timeframe.value if asked.timeframe else None,
        asked.direction,
    )


def _explained(connection: Connection, asking: Context, identity: str) -> dict[str, Any] | None:
    keys = rows(connection, keys_with_id(identity))
    if not keys:
        return None
    symbol = keys[0].pop("symbol")
    key = SetupKey(**keys[0] | {"direction": Direction(keys[0]["direction"])})
    found = explain_setup(connection, asking.settings, symbol=symbol, key=key, now=asking.now)
    return None if found is None else _told(connection, found, own=asking.settings.own_account)


def _told(connection: Connection, found: Explanation, *, own: OwnAccount) -> dict[str, Any]:
    at = found.setup["confirmed_at"]
    key = found.key
    near = reading.Wanted(found.symbol, at, at + timedelta(microseconds=1), key.strategy, key.timeframe, key.direction.value)
    given = [row for row in rows(connection, reading.signals(near)) if row["id"] == found.id]
    return {
        "id": found.id,
        "signal": given[0] if given else None,
        "own": _own(given[0], own) if given else None,
        "setup": {name: value for name, value in found.setup.items() if name != "conditions"},
        "conditions": found.conditions,
        "readings": found.readings,
        "verdict": found.verdict,
        "events": found.events,
        "outcome": found.outcome,
        "revisions": found.revisions,
    }


def _own(signal: dict[str, Any], own: OwnAccount) -> dict[str, Any]:
    """The published figures as the user's own broker and account have them."""
    levels = {name: None if signal[name] is None else own.level(signal[name]) for name in LEVELS}
    return {"currency": own.currency, "risk": own.money(signal["risk_usd"]), **levels}
