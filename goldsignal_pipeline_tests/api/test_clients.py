"""Clients that are slow or go away hold nothing that others need."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from sqlalchemy import text

from goldsignal_pipeline.api import database as connections
from goldsignal_pipeline.storage.database import Database

QUESTION = "GET /backtests?start=2025-06-01&limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PATIENCE_SECONDS = 20.0


def busy(database: Database) -> int:
    """Connections of the API that are in a statement or a transaction."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'goldsignal api%'"
        " AND state <> 'idle' AND pid <> pg_backend_pid()"
    )
    with database.transaction(read_only=True) as connection:
        return int(connection.execute(query).scalar_one())


def none_busy(database: Database) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while busy(database):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def opened(api: httpx.Client, question: str) -> socket.socket:
    """A client with the smallest of buffers that has asked and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect((api.base_url.host, api.base_url.port))
    client.sendall(question.encode())
    return client


def test_more_slow_readers_than_connections_block_nobody(api: httpx.Client, filled_graph: Database) -> None:
    slow = [opened(api, QUESTION) for _ in range(3 * connections.CONNECTIONS)]
    try:
        for reader in slow:
            assert reader.recv(64).startswith(b"HTTP/1.1 200")  # the answer has begun, and most of it waits
        assert none_busy(filled_graph)
        assert len(api.get("/signals", timeout=PATIENCE_SECONDS).json()["signals"]) > 0
        assert api.get("/health", timeout=PATIENCE_SECONDS).status_code == 200
    finally:
        for reader in slow:
            reader.close()


def test_clients_that_go_away_free_their_connections(api: httpx.Client, filled_graph: Database) -> None:
    for _ in range(5 * connections.CONNECTIONS):
        opened(api, QUESTION).close()
    assert none_busy(filled_graph)
    assert api.get("/signals", timeout=PATIENCE_SECONDS).status_code == 200


def test_more_questions_at_once_than_connections_are_all_answered(api: httpx.Client) -> None:
    paths = ["/signals", "/candles?limit=5000", "/outcomes", "/gaps", "/silence", "/health", "/backtests"] * 6
    with ThreadPoolExecutor(max_workers=len(paths)) as pool:
        answers = list(pool.map(lambda path: httpx.get(f"{api.base_url}{path}", timeout=60).status_code, paths))
    assert answers == [200] * len(paths)
