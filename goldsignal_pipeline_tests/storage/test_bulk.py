from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import text

from goldsignal_pipeline.errors import DataError, StorageError
from goldsignal_pipeline.storage import binary_encoding, bulk, kinds
from goldsignal_pipeline.storage.binary_encoding import NO_VALUE
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.kinds import Kind

KINDS = {
    "instant": Kind.INSTANT,
    "day": Kind.DAY,
    "price": Kind.TICKS,
    "stop": Kind.LEVEL,
    "money": Kind.MONEY,
    "volume": Kind.VOLUME,
    "units": Kind.UNITS,
    "metric": Kind.METRIC,
    "number": Kind.INTEGER,
    "truth": Kind.BOOLEAN,
    "label": Kind.TEXT,
    "document": Kind.JSON,
    "words": Kind.TEXTS,
}
TABLE = sql.Identifier("public", "bulk_trial")
DDL = (
    'CREATE TABLE public.bulk_trial (place integer, "instant" timestamptz, "day" date, price numeric(10, 2) NOT NULL,'
    " stop numeric(10, 2), money numeric(15, 2) NOT NULL, volume numeric(15, 2), units numeric(10, 4), metric numeric(10, 4),"
    " number integer, truth boolean NOT NULL, label text, document json, words text[] NOT NULL)"
)
LIMIT_PRICE, LIMIT_MONEY = 10**10 - 1, 10**15 - 1
PLAIN: dict[str, Any] = {
    "instant": datetime(2026, 1, 1),
    "day": date(2026, 1, 1),
    "price": 1,
    "stop": 1,
    "money": 1,
    "volume": 1,
    "units": 1,
    "metric": 0.5,
    "number": 1,
    "truth": True,
    "label": "x",
    "document": {},
    "words": ["late"],
}

printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
values_of_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
instants = st.datetimes(
    min_value=pd.Timestamp("1900-01-01").to_pydatetime(), max_value=pd.Timestamp("2200-01-01").to_pydatetime()
)
row_of_any_kind = st.fixed_dictionaries(
    {
        "instant": st.none() | instants,
        "day": st.none() | st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 1, 1)),
        "price": st.integers(-LIMIT_PRICE, LIMIT_PRICE),
        "stop": st.none() | st.integers(1, LIMIT_PRICE),
        "money": st.integers(-LIMIT_MONEY, LIMIT_MONEY),
        "volume": st.none() | st.integers(-(10**12), 10**12),
        "units": st.none() | st.integers(-LIMIT_PRICE, LIMIT_PRICE),
        "metric": st.none() | st.floats(-999_999, 999_999) | st.floats(-3, 3),
        "number": st.none() | st.integers(-(2**31), 2**31 - 1),
        "truth": st.booleans(),
        "label": printable,
        "document": st.none() | st.lists(values_of_json, max_size=3) | st.dictionaries(printable, values_of_json, max_size=3),
        "words": st.lists(printable.filter(bool), max_size=4),
    }
)
rows_of_any_kind = st.lists(row_of_any_kind, max_size=20)


@pytest.fixture
def trial(database: Database) -> Database:
    with database.transaction() as connection:
        connection.execute(text(DDL))
    return database


def row(**different: Any) -> dict[str, Any]:
    return {**PLAIN, **different}


def kept(metric: float | None) -> float:
    """A metric as it is kept: rounded half-even at its fourth decimal."""
    return np.nan if metric is None else float(np.rint(metric * 10_000)) / 10_000 + 0.0


def text_of(document: Any) -> str:
    return "" if document is None else json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def decimal(whole: int | None, *, scale: int) -> Decimal | None:
    return None if whole is None else Decimal(whole).scaleb(-scale)


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {name: [one[name] for one in rows] for name in KINDS}

    def whole(name: str, *, empty: int) -> np.ndarray[Any, Any]:
        return np.array([empty if value is None else value for value in columns[name]], dtype=np.int64)

    return pd.DataFrame(
        {
            "instant": pd.Series(columns["instant"], dtype="datetime64[us]").dt.tz_localize("UTC"),
            "day": np.array(columns["day"], dtype="datetime64[D]"),
            "price": whole("price", empty=0),
            "stop": whole("stop", empty=0),
            "money": whole("money", empty=0),
            "volume": np.array([np.nan if value is None else value / 100 for value in columns["volume"]], dtype=np.float64),
            "units": whole("units", empty=NO_VALUE),
            "metric": np.array([kept(value) for value in columns["metric"]], dtype=np.float64),
            "number": whole("number", empty=NO_VALUE),
            "truth": np.array(columns["truth"], dtype=bool),
            "label": pd.Series(columns["label"], dtype="str"),
            "document": pd.Series([text_of(value) for value in columns["document"]], dtype="str"),
            "words": pd.Series(["\n".join(value) for value in columns["words"]], dtype="str"),
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
@given(rows=rows_of_any_kind, per_block=st.sampled_from([1, 3, 8_192]), few=st.sampled_from([0, 64]))
def test_whatever_is_copied_in_is_read_back_exactly(
    trial: Database, rows: list[dict[str, Any]], per_block: int, few: int
) -> None:
    frame = frame_of(rows)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(binary_encoding, "ROWS_PER_BLOCK", per_block)
        patched.setattr(binary_encoding, "_FEW", few)
        store(trial, frame)
    read = read_back(trial)
    pd.testing.assert_frame_equal(read, frame, check_exact=True)
    for name, kind in KINDS.items():
        assert np.array_equal(kinds.comparable(read[name], kind=kind), kinds.comparable(frame[name], kind=kind))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_any_kind)
def test_the_server_holds_the_values_that_were_meant(trial: Database, rows: list[dict[str, Any]]) -> None:
    store(trial, frame_of(rows))
    with trial.transaction() as connection:
        query = "SELECT *, document::text AS document FROM public.bulk_trial ORDER BY place"
        held = [dict(one) for one in connection.execute(text(query)).mappings()]
    expected = [
        {
            "place": place,
            **one,
            "instant": None if one["instant"] is None else pd.Timestamp(one["instant"], tz="UTC"),
            **{
                name: None if one[name] is None else Decimal(one[name]).scaleb(-2)
                for name in ("price", "stop", "money", "volume")
            },
            "units": None if one["units"] is None else Decimal(one["units"]).scaleb(-4),
            "metric": None if one["metric"] is None else Decimal(int(np.rint(one["metric"] * 10_000))).scaleb(-4),
            "label": one["label"] or None,
            "document": text_of(one["document"]) or None,
        }
        for place, one in enumerate(rows)
    ]
    assert held == expected


@settings(max_examples=60, deadline=None)
@given(left=row_of_any_kind, right=row_of_any_kind, shared=st.sets(st.sampled_from(list(KINDS))))
def test_values_compare_as_equal_exactly_when_the_same_is_sent_to_the_database(
    left: dict[str, Any], right: dict[str, Any], shared: set[str]
) -> None:
    ours, theirs = frame_of([left]), frame_of([right | {name: left[name] for name in shared}])
    for name, kind in KINDS.items():
        same = kinds.comparable(ours[name], kind=kind)[0] == kinds.comparable(theirs[name], kind=kind)[0]
        fields = [kinds.column_field(frame[name], kind=kind) for frame in (ours, theirs)]
        sent = [b"".join(binary_encoding.encode([field], rows=1)) for field in fields]
        assert same == (sent[0] == sent[1]), name
        assert same or name not in shared


@pytest.mark.parametrize("price", [0, 1, 99, 100, 9_999, 10_000, 999_999, 1_000_000, 99_999_999, 100_000_000, LIMIT_PRICE])
@pytest.mark.parametrize("name", ["price", "units"])
def test_numbers_at_the_edges_of_digit_groups_survive(trial: Database, name: str, price: int) -> None:
    frame = frame_of([row(**{name: price}), row(**{name: 5}), row(**{name: -price})])
    store(trial, frame)
    pd.testing.assert_frame_equal(read_back(trial), frame)


@pytest.mark.parametrize(
    ("metric", "held"),
    [(1 / 32, 0.0312), (3 / 32, 0.0938), (-1 / 32, -0.0312), (-0.00005, 0.0), (1 / 3, 0.3333), (2 / 3, 0.6667)],
)
def test_a_metric_is_rounded_half_even_once(trial: Database, metric: float, held: float) -> None:
    store(trial, frame_of([row()]).assign(metric=metric))
    assert read_back(trial)["metric"].tolist() == [held]


@pytest.mark.parametrize("metric", [np.inf, -np.inf, 1e6, -999_999.99995])
def test_a_metric_that_its_column_cannot_hold_is_refused_before_it_is_sent(metric: float) -> None:
    with pytest.raises(DataError, match=r"metric holds .* NUMERIC\(10,4\)"):
        kinds.column_field(pd.Series([0.5, metric], name="metric"), kind=Kind.METRIC)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, NO_VALUE + 1])
def test_an_integer_that_would_wrap_around_is_refused(number: int) -> None:
    with pytest.raises(DataError, match="does not fit an integer column"):
        kinds.column_field(pd.Series([1, number], name="rank"), kind=Kind.INTEGER)


def test_many_long_and_different_texts_pass_through_all_blocks(trial: Database) -> None:
    documents = [{"number": number, "text": "é" * (number % 300)} for number in range(20_000)]
    frame = frame_of([row(document=one, label=str(number % 700)) for number, one in enumerate(documents)])
    store(trial, frame)
    pd.testing.assert_frame_equal(read_back(trial), frame)


def test_a_text_with_the_separator_is_not_read_as_two(trial: Database) -> None:
    store(trial, frame_of([row(label=f"a{kinds.SEPARATOR}b")]))
    with pytest.raises(StorageError, match="control character"):
        read_back(trial)


def test_nothing_is_copied_and_nothing_is_read(trial: Database) -> None:
    store(trial, frame_of([]))
    read = read_back(trial)
    assert len(read) == 0
    assert read.dtypes.to_dict() == frame_of([row()]).dtypes.to_dict()
