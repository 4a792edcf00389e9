"""Conditions as text: nothing is lost, and they are those of their setup."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.strategies.setup_text import CONDITION_FIELDS, condition_texts
from goldsignal_pipeline_tests.selection.walk_data import walk_history


def test_the_texts_hold_every_condition_of_each_setup_bit_for_bit() -> None:
    evaluation = walk_history().evaluation
    texts = condition_texts(evaluation)
    told = pd.DataFrame([one for text in texts for one in json.loads(text)])
    assert list(told.columns) == list(CONDITION_FIELDS)
    assert evaluation.conditions["measured"].isna().any()
    for name in CONDITION_FIELDS:
        expected, found = evaluation.conditions[name].to_numpy(), told[name].to_numpy()
        kind = expected.dtype if expected.dtype.kind == "f" else object
        np.testing.assert_array_equal(expected.astype(kind), found.astype(kind))
    counts = evaluation.conditions.groupby("strategy").size() / evaluation.setups.groupby("strategy").size()
    assert [len(json.loads(text)) for text in texts] == evaluation.setups["strategy"].map(counts).tolist()


def test_conditions_of_other_setups_are_refused() -> None:
    evaluation = walk_history().evaluation
    with pytest.raises(DataError, match="not those"):
        condition_texts(replace(evaluation, setups=evaluation.setups.iloc[1:]))
    with pytest.raises(DataError, match="not those"):
        condition_texts(replace(evaluation, setups=evaluation.setups.iloc[::-1]))
