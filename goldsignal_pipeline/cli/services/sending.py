"""The process that sends alerts: started by `goldsignal up` when a channel is configured, ended by an interrupt.

It may be killed at any moment: what was owed stays owed, and what was being sent says afterwards that it may be a repeat.
"""

from __future__ import annotations

import signal
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from goldsignal_pipeline.errors import GoldSignalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from goldsignal_pipeline.alerts.channels import Channel
    from goldsignal_pipeline.alerts.sender import Sender
    from goldsignal_pipeline.settings import Settings
    from goldsignal_pipeline.storage.alerts import Claim
    from goldsignal_pipeline.storage.database import Database


def command() -> list[str]:
    """The command of the process."""
    return [sys.executable, "-m", __name__]


def main() -> None:
    """Deliver what is owed until interrupted."""
    from goldsignal_pipeline.alerts.configured import configured_channels
    from goldsignal_pipeline.cli import session
    from goldsignal_pipeline.storage.database import Database

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = session.start()
        channels = configured_channels(settings)
        database = Database(settings.required_database_url, application_name="goldsignal alerts")
        sender_of(database, settings, channels).run(stop)
        database.dispose()
    except GoldSignalError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        raise SystemExit(error.exit_code) from error


def sender_of(database: Database, settings: Settings, channels: Sequence[Channel]) -> Sender:
    """The sender of a deployment: it also finds what the operator must know, and draws signals."""
    from goldsignal_pipeline.alerts.sender import Sender
    from goldsignal_pipeline.alerts.texts import Reader
    from goldsignal_pipeline.assets.owe_operator_alerts import owe_operator_alerts

    reader = Reader(settings.display_zone, settings.own_account)

    def draw(claimed: Claim) -> bytes | None:
        # Imported with the first picture, not while nothing is owed.
        from goldsignal_pipeline.assets.alert_pictures import picture_of

        return picture_of(database, claimed, now=datetime.now(UTC))

    return Sender(
        database,
        channels,
        lambda: datetime.now(UTC),
        owe=lambda connection, now: owe_operator_alerts(connection, reader, now=now),
        draw=draw,
    )


if __name__ == "__main__":
    main()
