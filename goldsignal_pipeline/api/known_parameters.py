"""Refuses what no route knows: a misspelt parameter must not widen an answer, one given twice has no meaning."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from fastapi import Request

from goldsignal_pipeline.errors import UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI


async def refuse_unknown(request: Request) -> None:
    """Raise `UsageError` for a parameter that the route does not list, for a repeated one, and for characters nobody prints.

    It runs in the event loop and not in a thread: the first question makes the description, and two at once would break it.
    """
    known = _listed(request.app, request.scope["route"].path)
    given = request.query_params.multi_items()
    for name, count in Counter(name for name, _ in given).items():
        if name not in known:
            raise UsageError(f"There is no parameter {name[:64]!r}.", fix=f"Known: {', '.join(known) or 'none'}.")
        if count > 1:
            raise UsageError(f"The parameter {name} is given {count} times.", fix="Give it once.")
    for name, value in given:
        if not value.isprintable():
            raise UsageError(f"The parameter {name} holds a character that cannot be printed.")


@lru_cache(maxsize=256)
def _listed(app: FastAPI, path: str) -> tuple[str, ...]:
    parameters = app.openapi()["paths"][path]["get"].get("parameters", [])
    return tuple(sorted(one["name"] for one in parameters if one["in"] == "query"))
