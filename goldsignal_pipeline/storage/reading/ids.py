"""The id of a signal in SQL, equal to `selection.signal_ids.signal_id`, so that one is found by it."""

from __future__ import annotations

from typing import Final

from psycopg import sql

from goldsignal_pipeline.selection.signal_ids import ID_LENGTH
from goldsignal_pipeline.storage.reading.queries import Query

# Bars open on whole minutes, so an instant in ISO form never has a fraction here.
_ID: Final = (
    "left(encode(sha256(convert_to(concat_ws(E'\\n', {0}.symbol, {0}.timeframe, {0}.strategy, {0}.direction,"
    " to_char({0}.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"')), 'UTF8')), 'hex'), {1})"
)


def id_of(alias: str) -> sql.Composable:
    """The expression for the id of the row `alias`, which has the columns of a setup's key."""
    return sql.SQL(_ID).format(sql.Identifier(alias), sql.Literal(ID_LENGTH))


def keys_with_id(identity: str) -> Query:
    """The keys of the signals and judged setups that have this id: one row, or none."""
    key = sql.SQL("symbol, timeframe, strategy, direction, timestamp")
    statement = sql.SQL(
        "SELECT {key} FROM goldsignal.gate_decisions AS judged WHERE {judged} = %(id)s"
        " UNION SELECT {key} FROM goldsignal.signals AS given WHERE {given} = %(id)s"
    ).format(key=key, judged=id_of("judged"), given=id_of("given"))
    return Query(statement, {"id": identity})
