"""The feed's age counts open minutes only: a weekend makes nothing late, a feed that stops in trading time is seen."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from goldsignal_pipeline.checks.freshness import feed_is_fresh
from goldsignal_pipeline_tests.automation.conftest import Deployment


def checked(deployment: Deployment) -> tuple[bool, Any]:
    """Whether the check passes now, and the age it tells in trading minutes."""
    result = feed_is_fresh(**deployment.resources())
    assert isinstance(result, dg.AssetCheckResult)
    assert result.severity is dg.AssetCheckSeverity.WARN
    age = result.metadata.get("age_trading_minutes")
    return result.passed, age.value if age is not None else None


@pytest.fixture
def until_friday(deployment: Deployment) -> Deployment:
    """Everything up to the close of Friday 2024-03-15, 21:00 UTC."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert deployment.at("2024-03-15 21:10").materialize("2024-03", "2024-03", instance=instance).success
    return deployment


def test_age_is_counted_in_open_minutes(until_friday: Deployment) -> None:
    expected = {
        "2024-03-15 21:10": (True, 0),
        "2024-03-16 12:00": (True, 0),  # Saturday
        "2024-03-17 21:59": (True, 0),  # a minute before Sunday's open
        "2024-03-17 23:30": (True, 90),  # the first bar of an hour became due
        "2024-03-18 01:02": (True, 182),  # two intervals, the forming bar and the grace
        "2024-03-18 01:03": (False, 183),
        "2024-03-18 12:00": (False, 840),
    }
    assert {now: checked(until_friday.at(now)) for now in expected} == expected


def test_a_feed_that_never_delivered_is_not_fresh(deployment: Deployment) -> None:
    assert checked(deployment) == (False, None)


def test_a_clock_behind_the_newest_bar_has_age_zero(until_friday: Deployment) -> None:
    assert checked(until_friday.at("2024-03-15 20:00")) == (True, 0)
