"""Kill points: the places at which a worker of a proof kills itself, as a power cut would.

The product knows nothing of them. In the process of a worker, functions on the way are wrapped; whoever reaches a point for the
asked time ends by SIGKILL, with no chance to tidy up. Without a point the same wraps count how often each is reached.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Point(StrEnum):
    """Where a run may be killed."""

    BEFORE_STAGING = "before_staging"
    DURING_COPY = "during_copy"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    BETWEEN_ASSETS = "between_assets"


MEANINGS: Final = {
    Point.BEFORE_STAGING: "before rows are sent",
    Point.DURING_COPY: "in the middle of a COPY",
    Point.BEFORE_COMMIT: "before COMMIT",
    Point.AFTER_COMMIT: "after COMMIT",
    Point.BETWEEN_ASSETS: "between two assets",
}


@dataclass
class Killer:
    """Counts how often each point is reached, and kills this process at `point` when it is reached for the nth time."""

    point: Point | None = None
    occurrence: int = 0
    reached: Counter[Point] = field(default_factory=Counter)

    def reach(self, point: Point) -> None:
        """A point on the way."""
        self.reached[point] += 1
        if point is self.point and self.reached[point] == self.occurrence:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Wrap what lies on the way of every transaction of this process."""
        import psycopg
        from sqlalchemy import Engine, event

        from goldsignal_pipeline.storage import binary_encoding, bulk

        copy_into, encode, commit = bulk.copy_into, binary_encoding.encode, psycopg.Connection.commit

        def before_staging(*arguments: Any, **options: Any) -> None:
            self.reach(Point.BEFORE_STAGING)
            copy_into(*arguments, **options)

        def during_copy(*arguments: Any, **options: Any) -> Iterator[bytes]:
            for block in encode(*arguments, **options):
                yield block
                self.reach(Point.DURING_COPY)

        def after_commit(connection: psycopg.Connection[Any]) -> None:
            commit(connection)
            self.reach(Point.AFTER_COMMIT)

        bulk.copy_into = before_staging
        bulk.encode = during_copy  # type: ignore[attr-defined]
        psycopg.Connection.commit = after_commit  # type: ignore[method-assign,assignment]
        event.listen(Engine, "commit", lambda _: self.reach(Point.BEFORE_COMMIT))
