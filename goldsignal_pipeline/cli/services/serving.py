"""The process that serves the API and the pages: started by `goldsignal up`, ended by an interrupt.

It may be killed at any moment: it only reads.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from goldsignal_pipeline.errors import GoldSignalError

_LAST_ANSWERS_SECONDS: Final = 3


def command(*, host: str, port: int) -> list[str]:
    """The command of the process."""
    return [sys.executable, "-m", __name__, "--host", host, "--port", str(port)]


def main() -> None:
    """Serve until interrupted."""
    import uvicorn

    from goldsignal_pipeline.api.app import create_app
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
    # Addresses hold no secret (the token travels in a header), but a line for each request would only fill the log.
    uvicorn.run(
        app,
        host=asked.host,
        port=asked.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
    )


if __name__ == "__main__":
    main()
