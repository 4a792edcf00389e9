"""Who may ask, and what browsers may do with the answers.

On a loopback address only requests that name this machine are answered, so that no page of another site can read the API by
letting its own name point here. A token, where one is set, is asked for by every route but the page's own files.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from goldsignal_pipeline.api.errors import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_bearer = HTTPBearer(auto_error=False, description="The token of GOLDSIGNAL_API_TOKEN, where one is set.")


class Guard:
    """Adds the headers to every answer, and turns away requests under a foreign name where `only_local`."""

    def __init__(self, app: ASGIApp, *, only_local: bool) -> None:
        self._app = app
        self._only_local = only_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self._only_local and _host(Headers(scope=scope).get("host", "")) not in LOOPBACK:
            told = refusal(421, "wrong_host", "The API of this machine was asked for under another name.", fix="Use 127.0.0.1.")
            await told(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


async def require_token(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None) -> None:
    """Refuse a request without the token, where one is set."""
    wanted = request.app.state.token
    if wanted is None:
        return
    if given is None or not hmac.compare_digest(given.credentials.encode(), wanted.encode()):
        raise HTTPException(
            401, "The token is missing or wrong; send it as `Authorization: Bearer ...`.", headers={"WWW-Authenticate": "Bearer"}
        )


def _host(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()
