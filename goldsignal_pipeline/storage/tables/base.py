"""What every table shares: the schema, naming of constraints, and the few column types that exist.

No column is a float: prices are NUMERIC(10,2) USD/oz, volume NUMERIC(15,2), metrics NUMERIC(10,4). Key texts collate by
byte, so that an index orders the same on every machine and compares fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from sqlalchemy import ARRAY, JSON, CheckConstraint, Date, DateTime, MetaData, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

SCHEMA: Final = "goldsignal"

METADATA: Final = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    },
)


class Base(DeclarativeBase):
    """Root of every typed table of the business schema."""

    metadata = METADATA


KeyText = Annotated[str, mapped_column(Text(collation="C"))]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Day = Annotated[date, mapped_column(Date)]
Price = Annotated[Decimal, mapped_column(Numeric(10, 2))]
Volume = Annotated[Decimal, mapped_column(Numeric(15, 2))]
Metric = Annotated[Decimal, mapped_column(Numeric(10, 4))]
TextList = Annotated[list[str], mapped_column(ARRAY(Text))]
Money = Annotated[Decimal, mapped_column(Numeric(15, 2))]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
JsonText = Annotated[Any, mapped_column(JSON)]
"""JSON kept and compared as the text it was given as."""


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """The constraint that `column` holds one of `values` (or NULL where the column allows it)."""
    # IN would cost twice as much per row as a chain of OR, which is felt when a million candles are loaded.
    return CheckConstraint(" OR ".join(f"{column} = '{value}'" for value in values), name=column)


def price_order() -> CheckConstraint:
    """I1: every price positive, low <= open, close <= high."""
    return CheckConstraint("low > 0 AND low <= open AND low <= close AND open <= high AND close <= high", name="price_order")


def month_form() -> CheckConstraint:
    """A partition month is written YYYY-MM."""
    return CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name="month")
