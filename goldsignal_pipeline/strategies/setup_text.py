"""Setups as text: the conditions of each as one canonical JSON text, so that what is stored, published and digested is the same.

A text is a list in the order of the strategy; every condition has its name, `required`, `points`, `measured`, `comparison`,
`threshold`, `unit` and `passed`. Floats are written so that they read back bit for bit, NaN is null.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import numpy as np

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.strategies.setups import SETUP_KEY, Evaluation

CONDITION_FIELDS: Final = ("name", "required", "points", "measured", "comparison", "threshold", "unit", "passed")


def condition_texts(evaluation: Evaluation) -> list[str]:
    """The conditions of every row of `evaluation.setups`, in their order."""
    setups, conditions = evaluation.setups, evaluation.conditions
    starts = np.flatnonzero(conditions["position"].to_numpy() == 0)
    belongs = len(starts) == len(setups) and all(
        np.array_equal(conditions[name].to_numpy()[starts], setups[name].to_numpy()) for name in SETUP_KEY
    )
    if not belongs:
        raise DataError("the conditions are not those of the setups", done="no text was made", fix="pass one whole evaluation")
    columns = [_plain(conditions[name].tolist()) for name in CONDITION_FIELDS]
    rows = [dict(zip(CONDITION_FIELDS, row, strict=True)) for row in zip(*columns, strict=True)]
    ends = [*starts[1:].tolist(), len(rows)]
    return [canonical(rows[start:end]) for start, end in zip(starts.tolist(), ends, strict=True)]


def canonical(content: Any) -> str:
    """The one text of a JSON value: keys in their given order, no blanks; NaN is refused."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def _plain(values: list[Any]) -> list[Any]:
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
