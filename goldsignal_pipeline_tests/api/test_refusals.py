"""What is refused, and how: nobody's slip widens an answer, no value reaches SQL as SQL, no route writes, no stranger reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import text

from goldsignal_pipeline.api.answers import decoded, encoded
from goldsignal_pipeline.api.database import Readers
from goldsignal_pipeline.errors import UsageError
from goldsignal_pipeline.storage.database import Database, DatabaseError
from goldsignal_pipeline.storage.reading.queries import Query
from goldsignal_pipeline.storage.reading.signals import SIGNAL_ORDER
from goldsignal_pipeline_tests.api.graph_served import asked, client_of, settings_of

TOKEN = "a-token-of-a-test"
ATTACKS = (
    "'; DROP TABLE goldsignal.signals; --",
    "XAUUSD' OR '1'='1",
    "XAUUSD\x00",
    '") UNION SELECT rolpassword FROM pg_authid --',
    "%(symbol)s",
    "../../etc/passwd",
    "XAUUSD\n",
)
QUESTIONS = {
    "/candles": ("symbol", "timeframe", "start", "end", "limit", "as_of", "form"),
    "/signals": ("symbol", "strategy", "timeframe", "direction", "status", "origin", "cursor", "as_of", "start"),
    "/outcomes": ("symbol", "strategy", "result", "cursor"),
    "/performance": ("symbol", "strategy", "window_days", "cursor", "start"),
    "/gaps": ("symbol", "cursor", "start"),
    "/silence": ("symbol", "start"),
    "/strategies": ("symbol",),
}


def shape(answer: httpx.Response) -> str:
    told = answer.json()
    assert set(told) == {"error", "message", "done", "fix"}, told
    return str(told["error"])


@pytest.fixture(scope="module")
def guarded(filled_graph: Database) -> Iterator[httpx.Client]:
    with client_of(settings_of(filled_graph, api_token=SecretStr(TOKEN))) as client:
        yield client


@pytest.mark.parametrize("path", QUESTIONS)
def test_unknown_repeated_and_unprintable_parameters_are_refused_by_name(api: httpx.Client, path: str) -> None:
    for query in ("limt=1", "symbol=XAUUSD&symbol=XAUUSD", "symbol=XAUUSD%00"):
        answer = api.get(f"{path}?{query}")
        assert (answer.status_code, shape(answer)) == (422, "invalid_request"), query
        assert query.split("=")[0] in answer.json()["message"]


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_addresses_for_machines_take_no_parameter(api: httpx.Client, path: str) -> None:
    answer = api.get(f"{path}?x=1")
    assert (answer.status_code, shape(answer)) == (422, "invalid_request")


@pytest.mark.parametrize(("path", "parameters"), QUESTIONS.items())
def test_values_made_for_sql_are_refused_and_change_nothing(api: httpx.Client, path: str, parameters: tuple[str, ...]) -> None:
    before = asked(api, "/signals", limit=1)
    for attack in ATTACKS:
        for name in parameters:
            answer = api.get(path, params={name: attack})
            assert answer.status_code == 422, (name, attack, answer.text)
            shape(answer)
    assert asked(api, "/signals", limit=1) == before


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80) | st.lists(st.text(max_size=8) | st.integers() | st.none(), max_size=6).map(encoded))
def test_a_cursor_that_no_answer_held_is_refused_before_the_database(cursor: str) -> None:
    with pytest.raises(UsageError, match="cursor"):
        decoded(cursor, SIGNAL_ORDER)


def test_no_route_writes_and_each_refusal_says_so(api: httpx.Client) -> None:
    for path in (*QUESTIONS, "/health", "/metrics", "/"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = api.request(method, path)
            assert (answer.status_code, shape(answer)) == (405, "method_not_allowed")


def test_the_connections_cannot_write_even_if_a_route_tried(filled_graph: Database) -> None:
    async def write_and_ask() -> tuple[str, list[dict[str, object]]]:
        readers = Readers(filled_graph.url.render_as_string(hide_password=False))
        await readers.open()
        try:
            with pytest.raises(DatabaseError) as refused:
                await readers.rows(Query(sql.SQL("DELETE FROM goldsignal.signals")))
            with pytest.raises(DatabaseError):
                await readers.in_thread(lambda connection: connection.execute(text("DELETE FROM signals")))
            return str(refused.value), await readers.rows(Query(sql.SQL("SELECT current_user::text AS name")))
        finally:
            await readers.close()

    told, who = asyncio.run(write_and_ask())
    assert "permission denied" in told or "read-only" in told
    assert who == [{"name": "goldsignal_reader"}]


def test_a_page_of_another_site_cannot_read_the_api_by_its_own_name(api: httpx.Client) -> None:
    for name in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]:80"):
        answer = api.get("/signals", headers={"Host": name})
        assert (answer.status_code, shape(answer)) == (421, "wrong_host")
    for name in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert api.get("/strategies", headers={"Host": name}).status_code == 200


def test_answers_forbid_scripts_and_frames_of_others_and_are_shared_with_no_site(api: httpx.Client) -> None:
    for path in ("/", "/signals", "/nothing", "/signals?limt=1"):
        headers = api.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_every_route_asks_for_the_token_where_one_is_set_and_the_page_itself_does_not(guarded: httpx.Client) -> None:
    routes = list(guarded.get("/openapi.json").json()["paths"])
    assert len(routes) > 10
    for path in routes:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = guarded.get(path.replace("{id}", "abcdef012345"), headers=headers)
            assert (answer.status_code, shape(answer)) == (401, "unauthorized"), path
            assert TOKEN not in answer.text
    assert guarded.get("/").status_code == 200
    assert guarded.get("/strategies", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
