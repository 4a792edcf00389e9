"""Telegram: HTML messages, pictures with captions, answers to earlier messages.

1. One call sends one letter: `sendPhoto` with a caption when there is a picture, else `sendMessage`.
2. What Telegram refuses for its form is sent again at once in a simpler one: without the picture, without markup. A group that
   became a supergroup is written to at its new address.
3. What can pass by itself (429, 5xx, no connection) is `Later`, everything else `Refused`. Telegram knows no repeats: a call that
   broke off after it was sent may have arrived.

The token is part of the address; no error, log line or representation shows it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Final

import httpx
from pydantic import SecretStr

from goldsignal_pipeline.alerts.channels import Answer, Delivered, Later, Letter, Refused, channel_name
from goldsignal_pipeline.alerts.messages import CAPTION_UNITS, TEXT_UNITS, html, plain
from goldsignal_pipeline.providers.redaction import Redactor
from goldsignal_pipeline.providers.transport import Timeouts, Watchdog, ssl_context

# Its lines name the whole address.
logging.getLogger("httpx").setLevel(logging.WARNING)

_TIMEOUTS: Final = Timeouts(connect_seconds=10.0, read_seconds=20.0, total_seconds=40.0)
_DEFAULT_WAIT_SECONDS: Final = 5.0
_LONGEST_WAIT_SECONDS: Final = 86_400.0
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a letter is sent."""

    with_picture: bool
    with_markup: bool
    chat: str


class Telegram:
    """A chat that a bot writes to."""

    def __init__(
        self, token: SecretStr, *, chat: str, base_url: str = "https://api.telegram.org", timeouts: Timeouts = _TIMEOUTS
    ) -> None:
        self.name: Final = channel_name("telegram", chat)
        self._token = token
        self._chat = chat
        self._base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self._redactor = Redactor([token.get_secret_value()])

    def __repr__(self) -> str:
        return f"Telegram({self.name})"

    def send(self, letter: Letter) -> Answer:
        """Send a letter, in the simplest form that Telegram takes."""
        form = _Form(letter.picture is not None, True, letter.moved_to or self._chat)
        moved_to = None
        while True:
            status, body = self._call(letter, form)
            if isinstance(body, Later):
                return body
            if status == 200 and body.get("ok") is True:
                return Delivered(reference=_reference(body), moved_to=moved_to)
            simpler = _simpler(form, status, body)
            if simpler is None:
                return self._fault(status, body)
            if simpler.chat != form.chat:
                moved_to = simpler.chat
            form = simpler

    def _call(self, letter: Letter, form: _Form) -> tuple[int, dict[str, Any] | Later]:
        method = "sendPhoto" if form.with_picture else "sendMessage"
        url = f"{self._base_url}/bot{self._token.get_secret_value()}/{method}"
        limit = httpx.Timeout(self._timeouts.read_seconds, connect=self._timeouts.connect_seconds)
        with Watchdog(seconds=self._timeouts.total_seconds) as watchdog:
            try:
                with httpx.Client(verify=ssl_context(), timeout=limit, follow_redirects=False) as client:
                    response = client.post(url, extensions={"trace": watchdog.observe}, **_request(letter, form))
            except _NOT_SENT as error:
                return 0, Later(f"Telegram could not be reached ({type(error).__name__}).", may_have_arrived=False)
            except httpx.HTTPError as error:
                # Its text may repeat what was sent to where.
                return 0, Later(f"Telegram did not answer ({type(error).__name__}).", may_have_arrived=True)
        if watchdog.has_fired:
            return 0, Later(f"Telegram did not answer within {self._timeouts.total_seconds:g} s.", may_have_arrived=True)
        return response.status_code, _content(response)

    def _fault(self, status: int, body: dict[str, Any]) -> Answer:
        told = self._redactor.mask(str(body.get("description") or "no reason given"))[:500]
        why = f"Telegram answered {status}: {told}"
        if status == 429:
            return Later(why, may_have_arrived=False, after_seconds=_wait(body))
        if status >= 500 or status == 200:
            return Later(why, may_have_arrived=True)
        return Refused(why)


def _request(letter: Letter, form: _Form) -> dict[str, Any]:
    write = html if form.with_markup else plain
    text = write(letter.message, units=CAPTION_UNITS if form.with_picture else TEXT_UNITS)
    fields: dict[str, Any] = {"chat_id": form.chat, "caption" if form.with_picture else "text": text}
    if form.with_markup:
        fields["parse_mode"] = "HTML"
    if not form.with_picture:
        fields["link_preview_options"] = {"is_disabled": True}
    if letter.replies_to is not None:
        fields["reply_parameters"] = {"message_id": int(letter.replies_to), "allow_sending_without_reply": True}
    if not form.with_picture:
        return {"json": fields}
    parts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return {"data": parts, "files": {"photo": ("chart.png", letter.picture, "image/png")}}


def _simpler(form: _Form, status: int, body: dict[str, Any]) -> _Form | None:
    """The form in which a refused letter may be taken; None when there is none."""
    if status not in (400, 413):
        return None
    parameters = body.get("parameters")
    moved = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
    if moved is not None and str(moved) != form.chat:
        return _Form(form.with_picture, form.with_markup, str(moved))
    told = str(body.get("description", "")).lower()
    if "chat not found" in told:
        return None
    if "can't parse entities" in told and form.with_markup:
        return _Form(form.with_picture, False, form.chat)
    return _Form(False, form.with_markup, form.chat) if form.with_picture else None


def _content(response: httpx.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        return {"description": "an answer that is not JSON"}
    return content if isinstance(content, dict) else {"description": "an answer that is no object"}


def _reference(body: dict[str, Any]) -> str | None:
    result = body.get("result")
    number = result.get("message_id") if isinstance(result, dict) else None
    return str(number) if isinstance(number, int) else None


def _wait(body: dict[str, Any]) -> float:
    parameters = body.get("parameters")
    asked = parameters.get("retry_after") if isinstance(parameters, dict) else None
    seconds = float(asked) if isinstance(asked, int | float) and asked > 0 else _DEFAULT_WAIT_SECONDS
    return min(seconds, _LONGEST_WAIT_SECONDS)
