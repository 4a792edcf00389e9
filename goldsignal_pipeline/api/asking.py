"""What a request brings to every route: settings, connections, the time and the market that is meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from goldsignal_pipeline.api.database import Readers
from goldsignal_pipeline.api.orchestrator import Orchestrator
from goldsignal_pipeline.settings import Settings

if TYPE_CHECKING:
    from goldsignal_pipeline.api.parameters import OfSymbol


@dataclass(frozen=True, slots=True)
class Context:
    """What the application holds, at the time of one request."""

    settings: Settings
    readers: Readers
    now: datetime
    orchestrator: Orchestrator

    def symbol(self, asked: OfSymbol) -> str:
        """The market that is meant."""
        return asked.symbol or self.settings.symbol


def context_of(request: Request) -> Context:
    """The context of a request."""
    state = request.app.state
    return Context(state.settings, state.readers, state.clock(), state.orchestrator)


Asking = Annotated[Context, Depends(context_of)]
