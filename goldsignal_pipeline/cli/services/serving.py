"""The process that serves the API and the pages: started by `goldsignal up`, ended by an interrupt.

It may be killed at any moment: it only reads.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Final

from goldsignal_pipeline.errors import GoldSignalError

_NOT_STARTED: Final = 3


def command(*, host: str, port: int) -> list[str]:
    """The command of the process."""
    return [sys.executable, "-m", __name__, "--host", host, "--port", str(port)]


def main() -> None:
    """Serve until interrupted."""
    from goldsignal_pipeline.api.app import create_app
    from goldsignal_pipeline.api.serving import server_of
    from goldsignal_pipeline.cli import session

    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    try:
        app = create_app(session.start())
    except GoldSignalError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        raise SystemExit(error.exit_code) from error
    server = server_of(app, host=asked.host, port=asked.port)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(_NOT_STARTED)


if __name__ == "__main__":
    main()
