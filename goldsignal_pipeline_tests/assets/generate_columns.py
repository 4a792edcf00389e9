"""Writes `goldsignal_pipeline/assets/columns.json` from the SQLAlchemy tables.

Run as `python -m goldsignal_pipeline_tests.assets.generate_columns` after a change of the tables.
"""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy.dialects import postgresql

import goldsignal_pipeline.storage.tables  # noqa: F401  (registers every table)
from goldsignal_pipeline.storage.tables.base import METADATA

TARGET = Path(__file__).resolve().parents[2] / "goldsignal_pipeline" / "assets" / "columns.json"


def rendered() -> str:
    dialect = postgresql.dialect()
    tables = {
        table.name: [
            {
                "name": column.name,
                "type": column.type.compile(dialect=dialect).removesuffix(' COLLATE "C"').lower(),
                "nullable": bool(column.nullable),
                "comment": column.comment,
            }
            for column in table.columns
        ]
        for table in METADATA.sorted_tables
    }
    return json.dumps(dict(sorted(tables.items())), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(rendered(), encoding="utf-8")
