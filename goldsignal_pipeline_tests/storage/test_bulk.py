from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import text

from goldsignal_pipeline.errors import StorageError
from goldsignal_pipeline.storage import binary_encoding, bulk, kinds
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.kinds import Kind

KINDS = {
    "instant": Kind.INSTANT,
    "price": Kind.TICKS,
    "volume": Kind.VOLUME,
    "number": Kind.INTEGER,
    "label": Kind.TEXT,
}
TABLE = sql.Identifier("public", "bulk_trial")
DDL = (
    'CREATE TABLE public.bulk_trial (place integer, "instant" timestamptz, price numeric(10, 2), volume numeric(15, 2),'
    " number integer, label text)"
)
LIMIT_PRICE, LIMIT_VOLUME = 10**10 - 1, 10**15 - 1

instants = st.datetimes(
    min_value=pd.Timestamp("1900-01-01").to_pydatetime(), max_value=pd.Timestamp("2200-01-01").to_pydatetime()
)
labels = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
rows_of_any_kind = st.lists(
    st.tuples(
        instants,
        st.integers(-LIMIT_PRICE, LIMIT_PRICE),
        st.one_of(st.none(), st.integers(-(10**12), 10**12)),
        st.integers(-(2**31), 2**31 - 1),
        labels,
    ),
    max_size=40,
)


@pytest.fixture
def trial(database: Database) -> Database:
    with database.transaction() as connection:
        connection.execute(text(DDL))
    return database


def frame_of(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    moments, prices, volumes, numbers, texts = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return pd.DataFrame(
        {
            "instant": pd.Series(list(moments), dtype="datetime64[us]").dt.tz_localize("UTC"),
            "price": np.array(prices, dtype=np.int64),
            "volume": np.array([np.nan if value is None else value / 100 for value in volumes], dtype=np.float64),
            "number": np.array(numbers, dtype=np.int64),
            "label": pd.Series(list(texts), dtype="str"),
        }
    )


def store(database: Database, frame: pd.DataFrame) -> None:
    fields = {name: kinds.column_field(frame[name], kind=kind) for name, kind in KINDS.items()}
    place = {"place": binary_encoding.IntegerField(np.arange(len(frame)))}
    with database.transaction() as connection:
        connection.execute(text("TRUNCATE public.bulk_trial"))
        bulk.copy_into(connection, table=TABLE, fields={**place, **fields}, rows=len(frame))


def read_back(database: Database) -> pd.DataFrame:
    query = sql.SQL("SELECT * FROM public.bulk_trial WHERE %(start)s::timestamptz IS NOT NULL ORDER BY place")
    moment = pd.Timestamp("2020-01-01", tz="UTC").to_pydatetime()
    with database.transaction() as connection:
        return bulk.read_frame(
            connection, rows=query, columns=KINDS, parameters={}, start=moment, end=moment + pd.Timedelta("1D").to_pytimedelta()
        )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_any_kind, per_block=st.sampled_from([1, 3, 8_192]))
def test_whatever_is_copied_in_is_read_back_exactly(trial: Database, rows: list[tuple[object, ...]], per_block: int) -> None:
    frame = frame_of(rows)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(binary_encoding, "ROWS_PER_BLOCK", per_block)
        store(trial, frame)
    pd.testing.assert_frame_equal(read_back(trial), frame)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_any_kind)
def test_the_server_holds_the_decimals_that_were_meant(trial: Database, rows: list[tuple[object, ...]]) -> None:
    store(trial, frame_of(rows))
    with trial.transaction() as connection:
        held = connection.execute(
            text('SELECT "instant", price, volume, number, label FROM public.bulk_trial ORDER BY place')
        ).all()
    expected = [
        (
            pd.Timestamp(moment, tz="UTC"),
            Decimal(price).scaleb(-2),
            None if volume is None else Decimal(volume).scaleb(-2),
            number,
            label or None,
        )
        for moment, price, volume, number, label in rows
    ]
    assert [tuple(row) for row in held] == expected


@pytest.mark.parametrize("price", [0, 1, 99, 100, 9_999, 10_000, 999_999, 1_000_000, 99_999_999, 100_000_000, LIMIT_PRICE])
def test_prices_at_the_edges_of_digit_groups_survive(trial: Database, price: int) -> None:
    frame = frame_of([(pd.Timestamp("2026-01-01"), price, None, 1, "x"), (pd.Timestamp("2026-01-01"), 5, 0, 1, "")])
    store(trial, frame)
    pd.testing.assert_frame_equal(read_back(trial), frame)


def test_a_text_with_the_separator_is_not_read_as_two(trial: Database) -> None:
    store(trial, frame_of([(pd.Timestamp("2026-01-01"), 1, None, 1, f"a{kinds.SEPARATOR}b")]))
    with pytest.raises(StorageError, match="control character"):
        read_back(trial)


def test_nothing_is_copied_and_nothing_is_read(trial: Database) -> None:
    store(trial, frame_of([]))
    read = read_back(trial)
    assert len(read) == 0
    assert [str(kind) for kind in read.dtypes] == ["datetime64[us, UTC]", "int64", "float64", "int64", "str"]
