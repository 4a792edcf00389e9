"""What we ask Dagster's web server: is the page there, did the code load, end this run."""

from __future__ import annotations

import time
from typing import Any, Final

import httpx

from goldsignal_pipeline.errors import ServiceError

_LOCATIONS: Final = """
query { workspaceOrError { __typename
  ... on PythonError { message }
  ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }
"""
_TERMINATE: Final = """
mutation ($ids: [String!]!, $policy: TerminateRunPolicy!) {
  terminateRuns(runIds: $ids, terminatePolicy: $policy) { __typename ... on PythonError { message } } }
"""


def answers(address: str) -> bool:
    """Whether a server at an address such as http://127.0.0.1:8000 serves its page."""
    try:
        return httpx.get(address, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


class WebServer:
    """Dagster's web server at an address such as http://127.0.0.1:3000."""

    def __init__(self, address: str) -> None:
        self.address = address
        # `trust_env` off: a proxy of the user's shell must not stand between us and our own machine.
        self._client = httpx.Client(base_url=address, timeout=10.0, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def serves_page(self) -> bool:
        """Whether the page is served."""
        try:
            return self._client.get("/", timeout=2.0).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def check_code_loaded(self, *, seconds: float = 60.0) -> None:
        """Return once every code location has loaded; raises `ServiceError` with the error of the code otherwise."""
        deadline = time.monotonic() + seconds
        while True:
            fault, loading = self._code_state()
            if fault is not None:
                raise ServiceError(
                    f"The definitions did not load: {fault.strip()}",
                    done="Everything that was started is stopped again.",
                    fix="Correct the code; `.venv/bin/dagster definitions validate` shows the same error.",
                )
            if not loading:
                return
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"The definitions did not load within {seconds:.0f} s.", done="Everything that was started is stopped again."
                )
            time.sleep(0.1)

    def terminate(self, run_ids: list[str], *, force: bool) -> None:
        """Ask for the end of runs; `force` marks them as cancelled whatever their process does."""
        policy = "MARK_AS_CANCELED_IMMEDIATELY" if force else "SAFE_TERMINATE"
        self._ask(_TERMINATE, {"ids": run_ids, "policy": policy})

    def _code_state(self) -> tuple[str | None, bool]:
        """The first error of a location, and whether any is still loading."""
        workspace = self._ask(_LOCATIONS, {})["workspaceOrError"]
        if workspace["__typename"] == "PythonError":
            return workspace["message"], False
        entries = workspace["locationEntries"]
        for entry in entries:
            loaded = entry["locationOrLoadError"]
            if loaded is not None and loaded["__typename"] == "PythonError":
                return loaded["message"], False
        return None, not entries or any(entry["loadStatus"] == "LOADING" or not entry["locationOrLoadError"] for entry in entries)

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._client.post("/graphql", json={"query": query, "variables": variables})
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceError(f"The web server at {self.address} does not answer: {error}.") from None
        if answer.get("errors"):
            raise ServiceError(f"The web server at {self.address} refused a question: {answer['errors'][0].get('message')}")
        return dict(answer["data"])
