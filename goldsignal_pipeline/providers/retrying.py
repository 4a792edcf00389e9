"""When a vendor call is tried again: outages with jitter, a used-up minute at the next one, nothing else.

A bounded number of attempts; every other error (wrong key, wrong plan, wrong shape, used-up day) passes through at once,
because a second call would fail alike and cost a credit.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from goldsignal_pipeline.errors import ProviderError
from goldsignal_pipeline.providers.base import MinuteLimitError, VendorUnavailableError

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 4
_OUTAGE_WAIT: Final = wait_exponential_jitter(initial=1.0, max=20.0, jitter=1.0)


def retrying(*, sleep: Callable[[float], None], clock: Callable[[], datetime]) -> Retrying:
    """A retry policy that waits with `sleep` and reads the wall clock from `clock` (aware UTC)."""

    def wait(state: RetryCallState) -> float:
        if isinstance(_error_of(state), MinuteLimitError):
            # The vendor counts wall-clock minutes by its own clock: a little beyond the edge, never on it.
            return seconds_to_next_minute(clock()) + random.uniform(0.5, 2.0)  # noqa: S311 - spreads calls, guards nothing
        return _OUTAGE_WAIT(state)

    return Retrying(
        sleep=sleep,
        wait=wait,
        stop=stop_after_attempt(ATTEMPTS),
        retry=retry_if_exception_type((VendorUnavailableError, MinuteLimitError)),
        before_sleep=_log_attempt,
        retry_error_callback=_give_up,
    )


def seconds_to_next_minute(now: datetime) -> float:
    """Seconds from `now` to the next wall-clock minute, above 0 and at most 60."""
    return 60.0 - now.second - now.microsecond / 1e6


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _log_attempt(state: RetryCallState) -> None:
    pause = state.next_action.sleep if state.next_action is not None else 0.0
    logger.warning("%s Attempt %d of %d; next in %.0f s.", _error_of(state), state.attempt_number, ATTEMPTS, pause)


def _give_up(state: RetryCallState) -> Any:
    error = _error_of(state)
    if isinstance(error, ProviderError):
        raise type(error)(error.what, done=f"Tried {state.attempt_number} times and gave up.", fix=error.fix) from error
    raise AssertionError("only provider errors are retried") from error
