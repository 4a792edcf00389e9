"""Answers as JSON text: rows that the database has written, values of ours, and the cursor to the next page.

Numbers are JSON numbers with the digits of the NUMERIC column: rows are written by the database itself, and what passes
through Python has at most 15 significant digits, which a float carries and prints unchanged. Instants are UTC in ISO 8601.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from fastapi.responses import Response
from psycopg import sql

from goldsignal_pipeline.api.database import Readers
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.storage.reading.queries import Order, Query, page

JSON: Final = "application/json"
_KINDS: Final = {"day": date, "window_days": int, "timestamp": datetime, "confirmed_at": datetime, "resolved_at": datetime}
_LONGEST_CURSOR_TEXT: Final = 64
_AS_JSON: Final = "SELECT row_to_json(answer)::text AS json, {columns} FROM ({page}) AS answer ORDER BY {order}"


def answer(content: Mapping[str, Any], *, status: int = 200) -> Response:
    """Values of ours as a response."""
    return Response(json.dumps(content, default=_plain, separators=(",", ":"), allow_nan=False), status, media_type=JSON)


async def page_of(readers: Readers, query: Query, *, name: str, order: Order, cursor: str | None, limit: int) -> Response:
    """One page of a query as `{name: rows, "next": cursor}`; `next` is null on the last."""
    after = None if cursor is None else decoded(cursor, order)
    paged = page(query, order=order, after=after, limit=limit + 1)
    direction = sql.SQL(" DESC" if order.descending else "")
    columns = [sql.Identifier("answer", column) for column in order.columns]
    statement = sql.SQL(_AS_JSON).format(
        columns=sql.SQL(", ").join(columns),
        page=paged.statement,
        order=sql.SQL(", ").join(column + direction for column in columns),
    )
    rows = await readers.rows(Query(statement, paged.parameters))
    more = encoded([rows[limit - 1][column] for column in order.columns]) if len(rows) > limit else None
    text = f'{{"{name}":[{",".join(row["json"] for row in rows[:limit])}],"next":{json.dumps(more)}}}'
    return Response(text, media_type=JSON)


def encoded(values: Sequence[Any]) -> str:
    """The cursor that points behind the row with these values."""
    text = json.dumps([value.isoformat() if isinstance(value, date) else value for value in values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decoded(cursor: str, order: Order) -> list[Any]:
    """The values in a cursor; raises `UsageError` for one that no answer of ours held."""
    try:
        values = list(json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)))
        return [_typed(value, _KINDS.get(column, str)) for column, value in zip(order.columns, values, strict=True)]
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise UsageError("The cursor is none of this list.", fix="Use `next` of an answer, or leave it out.") from None


def _typed(value: Any, kind: type) -> Any:
    if kind is int and type(value) is int and abs(value) < 2**31:
        return value
    if not isinstance(value, str) or kind is int or len(value) > _LONGEST_CURSOR_TEXT:
        raise ValueError
    if kind is datetime:
        at = datetime.fromisoformat(value)
        if at.utcoffset() is None:
            raise ValueError
        return at
    if kind is date:
        return date.fromisoformat(value)
    if not value.isascii() or not value.isprintable():
        raise ValueError
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"expected a plain value, was {type(value).__name__}")
