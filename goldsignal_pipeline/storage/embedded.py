"""The embedded PostgreSQL: a real server of this project alone, started and stopped by us.

What is promised:

1. `start` ends with a server that answered a real query, or raises; a pid is never taken as proof of life.
2. It listens on 127.0.0.1 only, with a generated password that only the owner of the folder can read.
3. The port is chosen once and kept; when another program has taken it, the next free one is taken, kept, and reported.
4. Starting twice, from two processes at once, or after `kill -9` of anything, is safe: starts and stops are serialised by a lock
   that the kernel releases with its holder, and leftovers are recognised by what they are, never by a pid alone.
5. A data folder of another PostgreSQL major is refused with the way out, never touched.

Layout below `home`: `postgres/` (data; a link to a folder outside when root runs the server and the account it must use cannot
reach the project), `postgres.json` (port and major), `postgres-password`, `postgres.lock`, `logs/postgres.log`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import psutil
import psycopg
from psycopg import sql

from goldsignal_pipeline.errors import ServiceError, StorageError
from goldsignal_pipeline.storage import ports
from goldsignal_pipeline.storage.private_files import write_private
from goldsignal_pipeline.storage.server_binaries import (
    DEFAULT_MAJOR,
    MAJORS,
    Account,
    can_enter,
    clean_environment,
    outside_folder,
    reachable_program,
)
from goldsignal_pipeline.storage.server_processes import clear_leftovers, cluster_name, gone_within, pid_file_lines, postmaster

logger = logging.getLogger(__name__)

USER: Final = "goldsignal"
DATABASES: Final = ("goldsignal", "dagster")
HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 60.0
_RECOVERY_SECONDS: Final = 600.0
_STOP_SECONDS: Final = 20.0
_LOG_BYTES: Final = 5_000_000

_SERVER_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket path longer than 107 bytes would be refused
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "1",  # safe with a random password of 256 bits; Dagster connects once per event, this halves the cost
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}


class AnotherMajorError(StorageError):
    """The data folder was made by another PostgreSQL major than the one to be started."""


class EmbeddedServer:
    """Supervisor of the one PostgreSQL server below `home`.

    `port`: the port to use when the folder is first initialised, or to move to now; None keeps the recorded one, and chooses a
    free one the first time. `major`: PostgreSQL major of the programs, one of `MAJORS`.
    """

    def __init__(self, home: Path, port: int | None = None, *, major: int = DEFAULT_MAJOR) -> None:
        if major not in MAJORS:
            raise ServiceError(f"expected a PostgreSQL major of {sorted(MAJORS)}, was {major}.", done="Nothing was started.")
        self.home = home.absolute()
        self.major = major
        self.log_path = self.home / "logs" / "postgres.log"
        self._wanted_port = port
        self._link = self.home / "postgres"
        self._record_path = self.home / "postgres.json"
        self._password_path = self.home / "postgres-password"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """The data folder, with links resolved."""
        return self._link.resolve()

    @property
    def port(self) -> int:
        """The recorded port; raises `ServiceError` before the first start."""
        port = self._record().get("port")
        if port is None:
            raise ServiceError(
                f"No embedded database has been made in {self.home} yet.", done="Nothing was done.", fix="Run `goldsignal up`."
            )
        return port

    @property
    def recorded(self) -> bool:
        """Whether a port has been chosen."""
        return "port" in self._record()

    @property
    def initialised(self) -> bool:
        """Whether a data folder exists."""
        return (self._link / "PG_VERSION").is_file()

    def data_major(self) -> int | None:
        """PostgreSQL major of the existing data; None without data."""
        return int((self._link / "PG_VERSION").read_text(encoding="ascii")) if self.initialised else None

    def url(self, database: str = "goldsignal", *, driver: Literal["psycopg", "psycopg2"] = "psycopg") -> str:
        """Address of a database with the driver named; holds the password, so never log it."""
        return f"postgresql+{driver}://{USER}:{self._password()}@{HOST}:{self.port}/{database}"

    def running(self) -> bool:
        """Whether the server answers a query."""
        return self._record().get("port") is not None and self._answer() == "ready"

    def alive(self) -> bool:
        """Whether the server process exists, which says nothing about its answers; cheap enough to ask often."""
        return postmaster(self.data) is not None

    def start(self) -> Literal["started", "adopted"]:
        """Start the server, or adopt the one that runs already; both databases exist afterwards.

        Returns which of the two it was. Raises `ServiceError` with the end of the server's log, `AnotherMajorError`.
        """
        with self._lock():
            if not self.initialised:
                self._initialise()
            elif self.data_major() != self.major:
                raise self._another_major()
            state: Literal["started", "adopted"] = "adopted"
            if not (postmaster(self.data) and self._adopt()):
                self._start_until_ready()
                state = "started"
            self._create_databases()
            return state

    def stop(self) -> None:
        """Stop the server at once but cleanly (open connections are cut, nothing committed is lost); no-op when none runs."""
        if not self.home.is_dir():
            return
        with self._lock():
            server = postmaster(self.data)
            if server is not None:
                for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, last resort
                    with contextlib.suppress(psutil.NoSuchProcess):
                        server.send_signal(request)
                    if gone_within(server, _STOP_SECONDS):
                        break
            clear_leftovers(self.data)

    def remove(self) -> None:
        """Stop the server and delete its data, wherever they are; the password and the port go with them."""
        self.stop()
        data = self.data
        shutil.rmtree(data, ignore_errors=True)
        if self._link.is_symlink():
            shutil.rmtree(data.parent, ignore_errors=True)
            self._link.unlink()
        for path in (self._record_path, self._password_path):
            path.unlink(missing_ok=True)

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- the first time -------------------------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """Make the data folder under another name and rename it, so that an interrupted attempt leaves nothing half made."""
        account = Account.for_data(self._link)
        place = self.home
        if account is not None and not can_enter(self.home, account):
            place = outside_folder(account)
            logger.warning("The database is kept in %s: root's server account cannot enter %s.", place, self.home)
        for leftover in self.home.glob("postgres.new*"):
            shutil.rmtree(leftover, ignore_errors=True)
        scratch = place / f"postgres.new{secrets.token_hex(4)}"
        scratch.mkdir(mode=0o700)
        password_copy = place / f"postgres.new{secrets.token_hex(4)}.password"
        write_private(password_copy, self._password())
        if account is not None:
            for path in (scratch, password_copy):
                os.chown(path, account.uid, account.gid)
        try:
            self._run_initdb(scratch, password_copy, account, copy_to=place)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        finally:
            password_copy.unlink(missing_ok=True)
        scratch.rename(place / "postgres")
        if place != self.home:
            self._link.symlink_to(place / "postgres")
        self._save_record(port=self._wanted_port or ports.free_for(self.home, "postgres"), major=self.major)

    def _run_initdb(self, scratch: Path, password: Path, account: Account | None, *, copy_to: Path) -> None:
        initdb = reachable_program("initdb", major=self.major, account=account, copy_to=copy_to)
        command = [str(initdb), "-D", str(scratch), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256"]
        command += ["--encoding=UTF8", "--locale=C", "--data-checksums", "-c", "scram_iterations=1"]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=copy_to,
            env=clean_environment(self.home),
            **_identity(account),
        )
        if done.returncode != 0:
            raise ServiceError(
                f"initdb failed: {(done.stderr or done.stdout).strip()[-2000:]}",
                done="The half-made data folder was removed.",
                fix="Free disk space or correct the cause, then run `goldsignal up` again.",
            )

    def _create_databases(self) -> None:
        with psycopg.connect(**self._connection("postgres"), autocommit=True) as connection:
            present = {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}
            for name in DATABASES:
                if name not in present:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with psycopg.connect(**self._connection("dagster"), autocommit=True) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS dagster")  # the same place as on a user's own server

    # -- starting -------------------------------------------------------------------------------------------------------------

    def _adopt(self) -> bool:
        """Take over the running server, at the port that it says it has."""
        lines = pid_file_lines(self.data)
        if len(lines) > 3 and lines[3].isdigit() and int(lines[3]) != self._record().get("port"):
            self._save_record(port=int(lines[3]), major=self.major)
        return self._wait_until_ready(_START_SECONDS)

    def _start_until_ready(self) -> None:
        """Retry for a minute: after `kill -9` the old backends must leave before a new server may start."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            clear_leftovers(self.data)
            self._settle_port()
            self._spawn()
            if self._wait_until_ready(_START_SECONDS):
                return
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"The embedded PostgreSQL did not start: {self.log_tail()}",
                    done="Its data were not touched.",
                    fix=f"See {self.log_path}.",
                )
            time.sleep(0.25)

    def _spawn(self) -> None:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.is_file() and self.log_path.stat().st_size > _LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        account = Account.for_data(self.data)
        postgres = reachable_program("postgres", major=self.major, account=account, copy_to=self.data.parent)
        settings = _SERVER_SETTINGS | {"port": str(self.port), "cluster_name": cluster_name(self.data)}
        command = [str(postgres), "-D", str(self.data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log_path.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.data.parent,
                env=clean_environment(self.home),
                **_identity(account),
            )

    def _wait_until_ready(self, seconds: float) -> bool:
        """Wait for an answered query; False as soon as no server process is left. Crash recovery is given ten minutes."""
        begin = time.monotonic()
        while True:
            answer = self._answer()
            if answer == "ready":
                return True
            if postmaster(self.data) is None and (self._child is None or self._child.poll() is not None):
                return False
            waited = time.monotonic() - begin
            if waited > (_RECOVERY_SECONDS if answer == "recovering" else seconds):
                return False
            time.sleep(0.05)

    def _answer(self) -> Literal["ready", "recovering", "silent"]:
        try:
            with psycopg.connect(**self._connection("postgres"), autocommit=True) as connection:
                shown = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError as error:
            message = str(error)
            if "password authentication failed" in message and postmaster(self.data) is not None:
                raise ServiceError(
                    f"The password in {self._password_path} does not open the embedded database.",
                    done="The data were not touched.",
                    fix="Put the file back from a backup of the folder.",
                ) from None
            return "recovering" if "starting up" in message or "not yet accepting" in message else "silent"
        return "ready" if shown is not None and Path(shown[0]).resolve() == self.data else "silent"

    def _settle_port(self) -> None:
        """Move to the wanted port, or away from one that another program holds."""
        recorded = self._record().get("port")
        port = self._wanted_port or recorded or ports.free_for(self.home, "postgres")
        if not ports.is_free(port):
            taken, port = port, ports.free_for(self.home, "postgres")
            logger.warning("Port %d is in use by another program; the embedded database moves to %d.", taken, port)
        if port != recorded:
            self._save_record(port=port, major=self.major)

    # -- small files ----------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Serialise starts and stops between processes and threads; the kernel frees the lock with its holder."""
        self.home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.home / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _record(self) -> dict[str, int]:
        try:
            record: dict[str, int] = json.loads(self._record_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record

    def _save_record(self, *, port: int, major: int) -> None:
        write_private(self._record_path, json.dumps({"port": port, "major": major}))

    def _password(self) -> str:
        if not self._password_path.is_file():
            write_private(self._password_path, secrets.token_urlsafe(32))
        return self._password_path.read_text(encoding="ascii").strip()

    def _connection(self, database: str) -> dict[str, Any]:
        return {
            "host": HOST,
            "port": self.port,
            "user": USER,
            "password": self._password(),
            "dbname": database,
            "connect_timeout": 5,
            "options": "",
        }

    def log_tail(self, lines: int = 12) -> str:
        """The end of the server's log, for error messages."""
        try:
            return "\n".join(self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def _another_major(self) -> AnotherMajorError:
        return AnotherMajorError(
            f"The data in {self.data} belong to PostgreSQL {self.data_major()}, this version starts PostgreSQL {self.major}.",
            done="The data were not touched.",
            fix="Run `goldsignal backup FILE`, move the folder away, then `goldsignal restore FILE`.",
        )


def _identity(account: Account | None) -> dict[str, Any]:
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
