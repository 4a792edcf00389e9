"""Only what can pass by itself is tried again."""

from __future__ import annotations

import dagster as dg
import pytest

from goldsignal_pipeline.assets.failures import RETRY_TRANSIENT, told
from goldsignal_pipeline.errors import DataError
from goldsignal_pipeline.providers.base import VendorUnavailableError


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (VendorUnavailableError("The vendor is away.", fix="Wait."), 3),
        (DataError("The rows contradict a rule.", done="Nothing was stored."), 1),
        (ZeroDivisionError("a fault of the program"), 1),
    ],
)
def test_only_a_passing_fault_is_tried_again_and_every_one_is_told(error: Exception, attempts: int) -> None:
    tried = []
    policy = dg.RetryPolicy(max_retries=RETRY_TRANSIENT.max_retries)

    @dg.asset(retry_policy=policy)
    @told()
    def failing() -> None:
        tried.append(1)
        raise error

    result = dg.materialize([failing], raise_on_error=False)
    assert not result.success
    assert len(tried) == attempts
    failure = result.failure_data_for_node("failing")
    assert failure is not None
    assert failure.user_failure_data is not None
    assert str(error) in (failure.user_failure_data.description or "")
