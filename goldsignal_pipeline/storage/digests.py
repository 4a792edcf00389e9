"""`partition_digests`: what a month of an asset contained and what it was made of, so that staleness can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select
from sqlalchemy.dialects.postgresql import insert

from goldsignal_pipeline.storage.tables import PartitionDigest


@dataclass(frozen=True, slots=True)
class Digest:
    """What a month of an asset contained; `computed_at` is when it last changed."""

    rows: int
    digest: str
    inputs_digest: str
    complete: bool
    code_version: str
    computed_at: datetime
    run_id: str | None


def upsert(
    connection: Connection,
    *,
    asset: str,
    symbol: str,
    month: str,
    rows: int,
    digest: str,
    inputs_digest: str,
    complete: bool,
    code_version: str,
    computed_at: datetime,
    run_id: str | None,
) -> bool:
    """Store the digest of a month; returns False, and leaves the row as it is, when nothing but time and run differ."""
    content = {
        "rows": rows,
        "digest": digest,
        "inputs_digest": inputs_digest,
        "complete": complete,
        "code_version": code_version,
    }
    when = {"computed_at": computed_at, "run_id": run_id}
    statement = (
        insert(PartitionDigest)
        .values(asset=asset, symbol=symbol, month=month, **content, **when)
        .on_conflict_do_update(
            index_elements=["asset", "symbol", "month"],
            set_={**content, **when},
            where=or_(*(getattr(PartitionDigest, name).is_distinct_from(value) for name, value in content.items())),
        )
        .returning(PartitionDigest.month)
    )
    return connection.execute(statement).first() is not None


def by_month(connection: Connection, *, asset: str, symbol: str) -> dict[str, Digest]:
    """The digest of every stored month of an asset, months ascending."""
    query = (
        select(PartitionDigest.__table__)
        .where(PartitionDigest.asset == asset, PartitionDigest.symbol == symbol)
        .order_by(PartitionDigest.month)
    )
    return {row.month: _digest(row) for row in connection.execute(query)}


def by_asset(connection: Connection, *, symbol: str) -> dict[str, dict[str, Digest]]:
    """The digest of every stored month of every asset that has any, months ascending."""
    query = select(PartitionDigest.__table__).where(PartitionDigest.symbol == symbol).order_by(PartitionDigest.month)
    found: dict[str, dict[str, Digest]] = {}
    for row in connection.execute(query):
        found.setdefault(row.asset, {})[row.month] = _digest(row)
    return found


def forget(connection: Connection, *, asset: str, symbol: str, months: Sequence[str]) -> None:
    """Remove the digests of months, so that they count as missing."""
    connection.execute(
        delete(PartitionDigest).where(
            PartitionDigest.asset == asset, PartitionDigest.symbol == symbol, PartitionDigest.month.in_(months)
        )
    )


def symbols(connection: Connection, *, asset: str) -> list[str]:
    """The symbols an asset has months of, by name."""
    query = select(PartitionDigest.symbol).where(PartitionDigest.asset == asset).distinct().order_by(PartitionDigest.symbol)
    return list(connection.execute(query).scalars())


def _digest(row: Row[Any]) -> Digest:
    return Digest(
        rows=row.rows,
        digest=row.digest,
        inputs_digest=row.inputs_digest,
        complete=row.complete,
        code_version=row.code_version,
        computed_at=row.computed_at,
        run_id=row.run_id,
    )
