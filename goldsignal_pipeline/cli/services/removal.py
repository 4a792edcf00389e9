"""`make clean`: remove the data of this folder, but only when asked to: at the terminal, or by CONFIRM=yes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from goldsignal_pipeline.cli.services.record import up_lock
from goldsignal_pipeline.cli.services.stack import bring_down
from goldsignal_pipeline.errors import GoldSignalError, ServiceError
from goldsignal_pipeline.storage.embedded import EmbeddedServer


def remove_data(home: Path) -> None:
    """Stop what runs and remove everything below `home`, the database included; raises `ServiceError` while `up` runs."""
    with up_lock(home) as nobody_runs:
        if not nobody_runs:
            raise ServiceError("GoldSignal runs.", done="No data were removed.", fix="Run `make down` first.")
        bring_down(home, say=print)
        EmbeddedServer(home).remove()
        shutil.rmtree(home)


def main(arguments: list[str]) -> int:
    """Ask unless `--yes` was given; without a terminal nothing is removed."""
    from goldsignal_pipeline.settings import load_settings

    try:
        home = load_settings().home
        if not home.is_dir():
            return 0
        if "--yes" not in arguments and not _agreed(home):
            print(f"The data in {home} were kept (make clean CONFIRM=yes removes them).")
            return 0
        remove_data(home)
    except GoldSignalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"Removed {home}.")
    return 0


def _agreed(home: Path) -> bool:
    return sys.stdin.isatty() and input(f"Also remove the database and all data in {home}? [y/N] ").strip().lower() in {
        "y",
        "yes",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
