"""Where the graph is measured: a server as `goldsignal up` starts it, its databases, and fresh processes that work in them.

Processor time is that of the working process and of the server together, so that work which is handed to PostgreSQL counts and
other work on the machine does not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
EMPTY = "goldsignal"
"""The migrated database without a row."""


@dataclass
class Spent:
    """Seconds of one piece of work: of the clock, of this process, of the server, and waiting for PostgreSQL."""

    wall: float = 0.0
    own: float = 0.0
    server: float = 0.0
    waited: float = 0.0

    @property
    def processor(self) -> float:
        """Processor seconds, here and in the server."""
        return self.own + self.server


@dataclass
class Stage:
    """The server, and the settings of the processes that work in its databases."""

    folder: Path
    postmaster: int
    environment: dict[str, str]
    _made: int = 0

    def database(self, *, template: str = EMPTY) -> str:
        """The name of a new database, a copy of `template`, which nobody may be connected to."""
        self._made += 1
        name = f"stage_{self._made}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.libpq("postgres"), autocommit=True) as connection:
            connection.execute(statement)
            connection.execute("CHECKPOINT")
        return name

    def drop(self, *databases: str) -> None:
        """Remove databases."""
        with psycopg.connect(self.libpq("postgres"), autocommit=True) as connection:
            for name in databases:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, database: str) -> str:
        """The address of a database as our settings have it."""
        return _renamed(self.environment["GOLDSIGNAL_DATABASE_URL"], EMPTY, database)

    def libpq(self, database: str) -> str:
        """The address of a database as libpq reads it."""
        return "postgresql://" + self.url(database).split("://", 1)[1]

    def work(self, what: str, *, database: str, dagster: str = "dagster", **order: Any) -> dict[str, Any]:
        """What a fresh process tells of `what` (`graph_worker`) in these databases; a failure stops the benchmark."""
        dagster_url = _renamed(self.environment["GOLDSIGNAL_DAGSTER_PG_URL"], "dagster", dagster)
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.graph_worker", what, json.dumps({"postmaster": self.postmaster, **order})],
            cwd=PROJECT,
            env=self.environment | {"GOLDSIGNAL_DATABASE_URL": self.url(database), "GOLDSIGNAL_DAGSTER_PG_URL": dagster_url},
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode:
            raise RuntimeError(f"{what} ended with {finished.returncode}:\n{finished.stderr[-4000:]}")
        told: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
        return told


@contextmanager
def measured(postmaster: int) -> Iterator[Spent]:
    """What the block spends."""
    from goldsignal_pipeline.cli.timing import postgres_time

    spent = Spent()
    with postgres_time() as waiting:
        wall, own, server = time.perf_counter(), time.process_time(), _server_seconds(postmaster)
        yield spent
        spent.wall, spent.own = time.perf_counter() - wall, time.process_time() - own
        spent.server, spent.waited = _server_seconds(postmaster) - server, waiting.seconds


@contextmanager
def stage(*, base_timeframe: str) -> Iterator[Stage]:
    """A server with one migrated, empty database, fed by the simulated market in bars of `base_timeframe`."""
    from goldsignal_pipeline.cli.services.addresses import embedded_addresses
    from goldsignal_pipeline.storage import migrations
    from goldsignal_pipeline.storage.embedded import EmbeddedServer

    with tempfile.TemporaryDirectory(prefix="goldsignal-graph-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's server account must be able to enter
        with EmbeddedServer(folder) as server:
            migrations.upgrade(server.url())
            addresses = embedded_addresses(server)
            addresses.dagster_home.mkdir()
            shutil.copyfile(PROJECT / "dagster.yaml", addresses.dagster_home / "dagster.yaml")
            own = {
                "GOLDSIGNAL_HOME": name,
                "GOLDSIGNAL_ENV_FILE": str(folder / "absent"),
                "GOLDSIGNAL_PROVIDER": "simulated",
                "GOLDSIGNAL_BASE_TIMEFRAME": base_timeframe,
            }
            kept = {key: value for key, value in os.environ.items() if not key.startswith(("GOLDSIGNAL_", "DAGSTER_"))}
            kept.pop("PYTHONDONTWRITEBYTECODE", None)
            postmaster = int((server.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
            yield Stage(folder, postmaster, kept | own | addresses.environment())


def _server_seconds(postmaster: int) -> float:
    """Processor seconds of every process of the server, those that have ended included."""
    server = psutil.Process(postmaster)
    own = server.cpu_times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in server.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system
    return float(seconds)


def _renamed(url: str, before: str, after: str) -> str:
    """The address of another database of the same server."""
    place, _, options = url.partition("?")
    return f"{place.removesuffix(before)}{after}" + (f"?{options}" if options else "")
