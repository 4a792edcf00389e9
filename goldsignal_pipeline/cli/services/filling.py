"""The first data, brought by a process of its own.

Dagster postpones interrupts while it executes a run, so a filling inside `up` could not be ended by Ctrl-C. The child tells its
progress and its result as lines of JSON on standard output; what else it prints goes to `logs/fill.log`. It may be killed at any
moment: what it had not committed is rolled back by the database, and the next filling asks for it again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from goldsignal_pipeline import errors
from goldsignal_pipeline.errors import GoldSignalError, ServiceError

if TYPE_CHECKING:
    from goldsignal_pipeline.cli.services.processes import Service

FILL: Final = "goldsignal_pipeline.cli.fill:fill"


def command(function: str) -> list[str]:
    """The command of the child that calls `function` (module:name) with the settings and a teller."""
    return [sys.executable, "-m", __name__, function]


def follow(service: Service, say: Callable[[str], None]) -> dict[str, Any]:
    """Start the child, tell its progress and return its result; raises the error that it told, or that it ended without one."""
    service.start(output=subprocess.PIPE)
    assert service.child is not None
    assert service.child.stdout is not None
    result: dict[str, Any] | None = None
    for line in service.child.stdout:
        message = json.loads(line)
        if "said" in message:
            say(message["said"])
        elif "error" in message:
            raise _error(message["error"])
        else:
            result = message["result"]
    code = service.child.wait()
    if result is None:
        raise ServiceError(f"The filling ended with code {code}: {service.last_words()}", fix=f"See {service.log}.")
    return result


def main(function: str) -> None:
    """Call the function; progress, result and errors leave as JSON."""
    from goldsignal_pipeline.cli import session

    stream, sys.stdout = sys.stdout, sys.stderr  # nothing else may get between the lines

    def tell(message: dict[str, Any]) -> None:
        stream.write(json.dumps(message, default=str) + "\n")
        stream.flush()

    module, name = function.split(":")
    try:
        settings = session.start()
        result = getattr(import_module(module), name)(settings, lambda text: tell({"said": text}))
    except GoldSignalError as error:
        tell({"error": {"kind": type(error).__name__, "what": error.what, "done": error.done, "fix": error.fix}})
        raise SystemExit(error.exit_code) from error
    tell({"result": result})


def _error(told: dict[str, str]) -> GoldSignalError:
    kind = getattr(errors, told["kind"], GoldSignalError)
    error: GoldSignalError = kind(told["what"], done=told["done"], fix=told["fix"])
    return error


if __name__ == "__main__":
    main(sys.argv[1])
