"""The application behind a real socket: its server in a thread, on a free port, until the test is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from fastapi import FastAPI

from goldsignal_pipeline.api.serving import PATIENCE, server_of

PATIENCE_SECONDS = 30.0


@contextmanager
def served(app: FastAPI, *, patience: timedelta = PATIENCE) -> Iterator[str]:
    """The address at which the application answers."""
    server = server_of(app, host="127.0.0.1", port=0, patience=patience)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not server.started:
            if time.monotonic() > until or not thread.is_alive():
                raise RuntimeError("the application did not start")
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=PATIENCE_SECONDS)
