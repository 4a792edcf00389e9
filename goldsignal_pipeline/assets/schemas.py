"""Column schemas of the asset tables for the Dagster UI, read from `columns.json`.

The file is generated from the SQLAlchemy tables (`make reference`) and a test holds it to them, because importing SQLAlchemy
here would cost every Dagster process a fifth of a second.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import dagster as dg


def table_metadata(table: str) -> dict[str, Any]:
    """`dagster/column_schema` and `dagster/table_name` of one of our tables; raises KeyError for an unknown one."""
    columns = [
        dg.TableColumn(
            name=column["name"],
            type=column["type"],
            description=column["comment"],
            constraints=dg.TableColumnConstraints(nullable=column["nullable"]),
        )
        for column in _columns()[table]
    ]
    return {"dagster/column_schema": dg.TableSchema(columns=columns), "dagster/table_name": f"goldsignal.{table}"}


@cache
def _columns() -> dict[str, list[dict[str, Any]]]:
    text = resources.files("goldsignal_pipeline.assets").joinpath("columns.json").read_text(encoding="utf-8")
    loaded: dict[str, list[dict[str, Any]]] = json.loads(text)
    return loaded
