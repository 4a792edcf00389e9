"""Schemathesis asks every route what its own description allows and forbids; each answer must be as described."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from goldsignal_pipeline.api.app import create_app
from goldsignal_pipeline.api.page_schemas import (
    BreakdownAnswer,
    CorrectionsAnswer,
    PageAnswer,
    PerformanceAnswer,
    SessionsAnswer,
)
from goldsignal_pipeline.api.schemas import Exact
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline_tests.api.graph_served import client_of, settings_of

TOKEN = "a-token-of-a-test"
# The description needs no database.
DESCRIPTION = create_app(Settings(database_url=SecretStr("postgresql://nobody@127.0.0.1:9/nothing"))).openapi()
BOUNDED = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def filled_graph_client(filled_graph: Database) -> Iterator[httpx.Client]:
    with client_of(settings_of(filled_graph, api_token=SecretStr(TOKEN))) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


@pytest.fixture(scope="module")
def described(filled_graph_client: httpx.Client) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{filled_graph_client.base_url}/openapi.json")


def test_only_questions_are_described() -> None:
    assert {method for path in DESCRIPTION["paths"].values() for method in path} == {"get"}


def test_every_answer_in_json_has_a_model() -> None:
    answers = {path: route["get"]["responses"]["200"]["content"] for path, route in DESCRIPTION["paths"].items()}
    assert [path for path, content in answers.items() if not content.get("application/json", {"schema": True})["schema"]] == []


PAGE_ANSWERS: dict[str, tuple[type[Exact], set[str]]] = {
    "/page": (PageAnswer, set()),
    "/page/sessions?start=2026-03-02T00:00:00Z&end=2026-03-07T00:00:00Z": (SessionsAnswer, set()),
    "/page/corrections?timeframe=H1&start=2026-03-02T00:00:00Z&end=2026-03-07T00:00:00Z&as_of=2026-03-07T00:00:00Z": (
        CorrectionsAnswer, {"bars", "exact_from"},
    ),
    "/page/performance": (PerformanceAnswer, set()),
    "/page/breakdown": (BreakdownAnswer, set()),
    "/page/breakdown?strategy=none&kind=signals": (BreakdownAnswer, {"trades", "fan"}),
}  # fmt: skip


@pytest.mark.parametrize("question", PAGE_ANSWERS)
def test_what_the_pages_are_told_is_as_described_and_not_empty(filled_graph_client: httpx.Client, question: str) -> None:
    model, empty = PAGE_ANSWERS[question]
    told = model.model_validate_json(filled_graph_client.get(question).raise_for_status().text)
    assert {name for name, value in told if not value} == empty


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("path", sorted(DESCRIPTION["paths"]))
def test_every_answer_is_as_described(described: schemathesis.BaseSchema, path: str, mode: GenerationMode) -> None:
    operation = described[path]["GET"]
    if mode is GenerationMode.NEGATIVE and not any((operation.query, operation.path_parameters)):
        return  # nothing can be asked wrongly of a route without parameters

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(
            headers={"Authorization": f"Bearer {TOKEN}"},
            # No schema can say that a range ends after it begins, or which cursor an answer held; test_refusals is about those.
            excluded_checks=[positive_data_acceptance],
        )

    ask()
