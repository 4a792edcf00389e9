"""Any other service, by URL, through Apprise: mail, Discord, Slack, Matrix, Pushover, ntfy and a hundred more.

Apprise says only whether it worked. What failed may succeed later, and may have arrived; how long it is of use bounds the tries.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from goldsignal_pipeline.alerts.channels import Answer, Delivered, Later, Letter, channel_name
from goldsignal_pipeline.alerts.messages import Message, plain
from goldsignal_pipeline.errors import SettingsError
from goldsignal_pipeline.providers.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

_ERROR_LENGTH: Final = 300


class OtherService:
    """A service of Apprise; raises `SettingsError` for a URL that it does not know."""

    def __init__(self, url: SecretStr, *, secrets: Sequence[str]) -> None:
        import apprise

        # Its lines name addresses; what matters of them becomes the error of the attempt.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        plain_url = url.get_secret_value()
        service = plain_url.split("://", 1)[0]
        self.name: Final = channel_name(service, plain_url)
        self._redactor = Redactor(secrets)
        self._service: Any = apprise.Apprise()
        if not self._service.add(plain_url):
            raise SettingsError(
                f"GOLDSIGNAL_ALERT_URLS holds a {service}:// URL that Apprise cannot read.",
                done="Nothing was sent.",
                fix="Compare it with the form on https://github.com/caronc/apprise/wiki.",
            )

    def __repr__(self) -> str:
        return f"OtherService({self.name})"

    def send(self, letter: Letter) -> Answer:
        """Hand the letter to Apprise."""
        import apprise

        capture: Any = apprise.LogCapture
        body = plain(Message(letter.message.body[0] if letter.message.body else "", letter.message.body[1:], letter.message.foot))
        with capture(level=logging.WARNING, fmt="%(message)s") as said, tempfile.TemporaryDirectory() as folder:
            attached = None
            if letter.picture is not None:
                attached = Path(folder) / "chart.png"
                attached.write_bytes(letter.picture)
            done = self._service.notify(
                title=letter.message.headline,
                body=body,
                body_format=apprise.NotifyFormat.TEXT,
                attach=None if attached is None else str(attached),
            )
            told = self._redactor.mask(" ".join(str(said.getvalue()).split()))[:_ERROR_LENGTH]
        if done:
            return Delivered()
        return Later(f"{self.name} did not take it: {told or 'no reason given'}", may_have_arrived=True)
