"""How an asset fails: a typed error becomes a Dagster failure that says what happened, what was done and what to do.

Only what can pass by itself is tried again; wrong data, keys and settings are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from goldsignal_pipeline.errors import GoldSignalError

RETRY_TRANSIENT: Final = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def told() -> Iterator[None]:
    """Turn an error into a `dagster.Failure`, retried only when it is ours and calls itself retryable."""
    try:
        yield
    except GoldSignalError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"what": error.what, "done": error.done, "fix": error.fix, "error": type(error).__name__},
            allow_retries=error.retryable,
        ) from error
    except Exception as error:
        # A fault of the program: doing it again cannot help, and Dagster would.
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error
