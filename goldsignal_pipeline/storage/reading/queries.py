"""A question to the database as a value: SQL and its parameters, to be asked by whichever connection is at hand.

Values never stand in the SQL text, only names and constants of ours do. `page` asks for the part of an answer that follows a
row, in an order that no two rows share: pages neither repeat nor skip a row, whatever is added meanwhile at the other end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy import Connection

from goldsignal_pipeline.storage.database import driver_connection


@dataclass(frozen=True, slots=True)
class Query:
    """SQL with `%(name)s` placeholders, and what they stand for."""

    statement: sql.Composable
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def composed(self) -> sql.Composed:
        """The statement in the form that drivers take."""
        return sql.Composed([self.statement])


@dataclass(frozen=True, slots=True)
class Order:
    """The columns that put an answer in order, all in one direction; together they name a row."""

    columns: tuple[str, ...]
    descending: bool = True


def rows(connection: Connection, query: Query) -> list[dict[str, Any]]:
    """The answer, a mapping per row: decimals exact, instants aware."""
    with driver_connection(connection).cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.composed(), query.parameters).fetchall()


def page(query: Query, *, order: Order, after: Sequence[Any] | None, limit: int) -> Query:
    """At most `limit` rows of `query` in `order`, those that follow the row with the values `after` in it."""
    columns = sql.SQL(", ").join(map(sql.Identifier, order.columns))
    direction = sql.SQL(" DESC" if order.descending else "")
    keys = sql.SQL(", ").join(sql.Identifier(name) + direction for name in order.columns)
    parameters = {**query.parameters, "limit": limit}
    follows: sql.Composable = sql.SQL("")
    if after is not None:
        names = [f"after_{name}" for name in order.columns]
        parameters |= dict(zip(names, after, strict=True))
        follows = sql.SQL(" WHERE ({}) {} ({})").format(
            columns, sql.SQL("<" if order.descending else ">"), sql.SQL(", ").join(map(sql.Placeholder, names))
        )
    statement = sql.SQL("SELECT * FROM ({}) AS found{} ORDER BY {} LIMIT %(limit)s").format(query.statement, follows, keys)
    return Query(statement, parameters)


def conditions(equal: Mapping[str, Any], *, alias: str, named: Mapping[str, str] | None = None) -> sql.Composable:
    """`AND` clauses that hold each named column to its value; one whose value is None is left out.

    The parameter is called as the column, unless `named` calls it otherwise.
    """
    clauses = [
        sql.SQL(" AND {} = {}").format(sql.Identifier(alias, column), sql.Placeholder((named or {}).get(column, column)))
        for column, value in equal.items()
        if value is not None
    ]
    return sql.SQL("").join(clauses)
