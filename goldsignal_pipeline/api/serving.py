"""The server of the application: uvicorn, and an end to clients that stall.

Uvicorn bounds neither how long a client takes to read its answer nor how long it takes to ask. `PatientServer` looks at every
connection once in `patience`: one that waits for its client and has not moved since the last look is cut off. A slow reader that
does read, and a question that is being answered, are left alone.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import uvicorn

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

logger = logging.getLogger(__name__)

PATIENCE: Final = timedelta(seconds=30)
LAST_ANSWERS_SECONDS: Final = 3


class PatientServer(uvicorn.Server):
    """Uvicorn that cuts off whoever stalls for longer than `patience`, and at the latest after twice that."""

    def __init__(self, config: uvicorn.Config, *, patience: timedelta = PATIENCE) -> None:
        super().__init__(config)
        self._patience = patience
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and to look."""
        await super().startup(sockets=sockets)
        self._watch = asyncio.create_task(self._cut_off_stalled())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End both."""
        if self._watch is not None:
            self._watch.cancel()
        await super().shutdown(sockets=sockets)

    async def _cut_off_stalled(self) -> None:
        before: dict[Any, tuple[int, Any]] = {}
        while True:
            await asyncio.sleep(self._patience.total_seconds())
            connections: list[Any] = list(self.server_state.connections)
            waiting = {one: (one.transport.get_write_buffer_size(), one.cycle) for one in connections if _waits_for_client(one)}
            stalled = [one for one, state in waiting.items() if before.get(one) == state]
            for one in stalled:
                one.transport.abort()
            if stalled:
                logger.info("%d connections were cut off: their clients neither read nor asked.", len(stalled))
            before = waiting


def _waits_for_client(connection: Any) -> bool:
    """Whether the next step is the client's: to read, or to ask."""
    answering = connection.cycle is not None and not connection.cycle.response_complete
    return not answering or connection.transport.get_write_buffer_size() > 0


def server_of(app: FastAPI, *, host: str, port: int, patience: timedelta = PATIENCE) -> PatientServer:
    """The server of an application."""
    # Addresses hold no secret (the token travels in a header), but a line for each request would only fill the log.
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
    )
    return PatientServer(config, patience=patience)
