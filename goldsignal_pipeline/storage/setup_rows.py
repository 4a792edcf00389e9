"""Setups as rows: measures and conditions of the core's frames as JSON texts, and back, exactly.

Floats are written by their shortest decimal, which gives them back bit for bit; what is not available (NaN) is null. A text is
the same whenever its values are, so that texts can be compared in place of values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.market.candles import instants_of
from goldsignal_pipeline.market.frames import typed
from goldsignal_pipeline.strategies.setups import CONDITION_DTYPES, SETUP_DTYPES, SETUP_KEY

MEASURES: Final = ("atr", "atr_h1", "median_atr_h1", "volatility_percentile")
CONDITION_WORDS: Final = tuple(name for name in CONDITION_DTYPES if name not in {*SETUP_KEY, "position"})
ROW_COLUMNS: Final = (*(name for name in SETUP_DTYPES if name not in MEASURES), "measures", "conditions")
_KEY: Final = list(SETUP_KEY)
_NUMBERS: Final = tuple(name for name in CONDITION_WORDS if CONDITION_DTYPES[name] == "float64")
_REPEATED: Final = tuple(name for name in CONDITION_WORDS if name not in _NUMBERS)


def to_rows(setups: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Setups (`SETUP_DTYPES`) with their conditions (`CONDITION_DTYPES`) as `ROW_COLUMNS`, in the order of the setups.

    Raises `DataError` for a condition without its setup, or a value that is infinite.
    """
    texts = {
        "measures": pd.Series(measures_texts(setups), dtype="str", index=setups.index),
        "conditions": pd.Series(_conditions_texts(setups, conditions), dtype="str", index=setups.index),
    }
    return setups.assign(**texts)[list(ROW_COLUMNS)]


def setups_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The setups of rows with `measures`, as the core has them (`SETUP_DTYPES`)."""
    parsed = _parsed(rows["measures"])
    measures = {name: np.array([one[name] for one in parsed], dtype=np.float64) for name in MEASURES}
    return typed(measures | {name: rows[name] for name in SETUP_DTYPES if name not in measures}, SETUP_DTYPES)


def conditions_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The conditions of rows with `conditions` and the key, as the core has them (`CONDITION_DTYPES`)."""
    parsed = _parsed(rows["conditions"])
    counts = np.array([len(one) for one in parsed], dtype=np.intp)
    told = [condition for one in parsed for condition in one]
    columns: dict[str, Any] = {name: rows[name].array.repeat(counts) for name in _KEY}
    columns["position"] = np.arange(len(told)) - np.repeat(np.cumsum(counts) - counts, counts)
    for name in CONDITION_WORDS:
        columns[name] = _column([condition[name] for condition in told], dtype=CONDITION_DTYPES[name])
    return typed(columns, CONDITION_DTYPES)


def measures_texts(setups: pd.DataFrame) -> list[str]:
    """What was measured when each setup confirmed, as JSON: one object each."""
    columns = [_numbers(setups[name]) for name in MEASURES]
    form = "{{" + ",".join(f'"{name}":{{}}' for name in MEASURES) + "}}"
    return [form.format(*values) for values in zip(*columns, strict=True)]


def _conditions_texts(setups: pd.DataFrame, conditions: pd.DataFrame) -> list[str]:
    """The conditions of each setup as JSON: one list of objects each."""
    if not _is_grouped(conditions):
        conditions = conditions.sort_values([*_KEY, "position"], kind="stable", ignore_index=True)
    starts = _starts(conditions)
    objects = _condition_texts(conditions)
    ends = np.append(starts[1:], len(objects))[: len(starts)]
    texts = [f"[{','.join(objects[start:end])}]" for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    told = conditions.iloc[starts][_KEY].reset_index(drop=True).assign(text=pd.Series(texts, dtype="str"))
    matched = setups[_KEY].assign(setup=np.arange(len(setups))).merge(told, on=_KEY, how="outer")
    misfits = matched["setup"].isna() | matched.duplicated(_KEY)
    if misfits.any():
        key = matched.loc[misfits, _KEY].iloc[0]
        raise DataError(
            f"The conditions of ({', '.join(map(str, key))}) belong to no setup, or to two.",
            done="Nothing was stored.",
            fix="Report it: an evaluation must never give such conditions.",
        )
    ordered: Sequence[str] = matched.sort_values("setup")["text"].fillna("[]").tolist()
    return list(ordered)


def _condition_texts(conditions: pd.DataFrame) -> list[str]:
    """Each condition as a JSON object; its words repeat over and over, and each set of them is rendered once."""
    codes, firsts = _repeated(conditions)
    forms = [_form(words) for words in conditions.iloc[firsts][list(_REPEATED)].to_dict("records")]
    numbers = zip(*(_numbers(conditions[name]) for name in _NUMBERS), strict=True)
    return [forms[code] % told for code, told in zip(codes, numbers, strict=True)]


def _repeated(conditions: pd.DataFrame) -> tuple[list[int], npt.NDArray[np.intp]]:
    """For each row the number of its set of words, and for each set a row that has it."""
    codes = np.zeros(len(conditions), dtype=np.int64)
    for name in _REPEATED:
        own, distinct = pd.factorize(conditions[name])
        _, codes = np.unique(codes * len(distinct) + own, return_inverse=True)
    _, firsts, numbers = np.unique(codes, return_index=True, return_inverse=True)
    return numbers.tolist(), firsts


def _form(words: Mapping[Any, Any]) -> str:
    """A condition with a place for each of its numbers."""
    told = (f"{json.dumps(name)}:{'%s' if name in _NUMBERS else _escaped(words[name])}" for name in CONDITION_WORDS)
    return f"{{{','.join(told)}}}"


def _escaped(value: Any) -> str:
    return json.dumps(value).replace("%", "%%")


def _is_grouped(conditions: pd.DataFrame) -> bool:
    """Whether the conditions of each setup stand together, in their order."""
    position = conditions["position"].to_numpy()
    starts = _starts(conditions)
    is_start = np.zeros(len(position), dtype=bool)
    is_start[starts] = True
    expected = np.where(is_start, 0, np.concatenate([[0], position[:-1] + 1])[: len(position)])
    return bool(np.array_equal(position, expected))


def _starts(conditions: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Where the key is another than in the row before."""
    changes = np.zeros(len(conditions), dtype=bool)
    changes[:1] = True
    for name in _KEY:
        values = instants_of(conditions[name]) if name == "timestamp" else conditions[name].to_numpy(dtype=object)
        changes[1:] |= np.asarray(values[1:] != values[:-1], dtype=bool)
    return np.flatnonzero(changes)


def _numbers(values: pd.Series) -> list[str]:
    """Floats as JSON numbers, NaN as null."""
    floats = values.to_numpy(dtype=np.float64)
    if np.isinf(floats).any():
        raise DataError(
            f"A value of {values.name} is infinite.",
            done="Nothing was stored.",
            fix="Correct the strategy that measured it: what is not available is NaN.",
        )
    return ["null" if number != number else repr(number) for number in floats.tolist()]  # noqa: PLR0124  # NaN alone differs


def _parsed(texts: pd.Series) -> list[Any]:
    parsed: list[Any] = json.loads(f"[{','.join(texts.tolist())}]")
    return parsed


def _column(values: list[Any], *, dtype: str) -> Any:
    return np.array(values, dtype=np.float64) if dtype == "float64" else pd.Series(values, dtype=dtype)
