"""Clients that are slow or go away hold nothing that others need."""

from __future__ import annotations

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import psutil
from sqlalchemy import text

from goldsignal_pipeline.api import database as connections
from goldsignal_pipeline.api.app import create_app
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import Told, settings_of
from goldsignal_pipeline_tests.api.serving import served
from goldsignal_pipeline_tests.graph import NOW

QUESTION = "GET /backtests?start=2025-06-01&limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PATIENCE_SECONDS = 20.0
HEALTH_SECONDS = 10.0
PATIENCE = timedelta(seconds=1.5)
QUESTIONS = 24
"""Sent together, so that 14 MB of answers are owed: Linux buffers at most 4 on its side."""
PIECE = 524_288


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


def opened(api: httpx.Client, question: str, *, buffer: int = 2048) -> socket.socket:
    """A client, with the smallest of buffers if not told otherwise, that has asked and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
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


def rest_of(client: socket.socket, *, pace: float = 0.0) -> int:
    """Bytes that come until the other side ends the connection, or nothing came for a second."""
    count = 0
    client.settimeout(1.0)
    with contextlib.suppress(ConnectionError, TimeoutError):
        while part := client.recv(PIECE, socket.MSG_WAITALL if pace else 0):
            count += len(part)
            time.sleep(pace)
    return count


def test_stalled_clients_are_cut_off_and_neither_hold_connections_nor_keep_health_waiting(filled_graph: Database) -> None:
    """Answers are larger than what the system buffers; who reads a piece now and then gets them whole."""
    app = create_app(settings_of(filled_graph), clock=lambda: NOW, orchestrator=Told())
    with served(app, patience=PATIENCE) as address, httpx.Client(base_url=address, trust_env=False) as api:
        answer = len(api.get("/backtests", params={"start": "2025-06-01", "limit": 1000}).content)
        stalled = [opened(api, QUESTION * QUESTIONS) for _ in range(10)] + [opened(api, QUESTION[:20]) for _ in range(10)]
        slow = opened(api, QUESTION * QUESTIONS, buffer=PIECE)
        assert api.get("/health", timeout=HEALTH_SECONDS).status_code == 200
        begin = time.monotonic()
        assert rest_of(slow, pace=0.15) > QUESTIONS * answer
        time.sleep(max(0.0, 3 * PATIENCE.total_seconds() - (time.monotonic() - begin)))
        assert none_busy(filled_graph)
        peers = {client.getsockname() for client in stalled}
        assert [one for one in psutil.Process().net_connections("tcp") if tuple(one.laddr) in peers] != []
        assert [one for one in psutil.Process().net_connections("tcp") if tuple(one.raddr) in peers] == []
        assert max(rest_of(client) for client in stalled[:10]) < QUESTIONS * answer
        for client in (slow, *stalled):
            client.close()


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
