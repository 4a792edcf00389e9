"""Which PostgreSQL is used, and the generated addresses in `.goldsignal/env`.

With `GOLDSIGNAL_DATABASE_URL` of the user everything lives in that database: our tables in schema `goldsignal`, Dagster's in
schema `dagster`. Without it the embedded server has a database for each, with the same schemas. The user's `.env` is never
written. Drivers are explicit: a bare `postgresql://` means psycopg 3 to SQLAlchemy 2.1, with which Dagster's storage cannot work.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from goldsignal_pipeline.errors import SettingsError, StorageError
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline.storage.private_files import write_private

if TYPE_CHECKING:
    from goldsignal_pipeline.settings import Settings

OLDEST_SERVER: Final = 14
DAGSTER_SCHEMA: Final = "dagster"
EVENT_BATCH_SIZE: Final = "200"  # a range of 120 months: 23 s instead of 54 s (events are written together)


@dataclass(frozen=True)
class Addresses:
    """The two database addresses of this deployment (they hold passwords) and Dagster's folder."""

    database_url: str
    dagster_url: str
    dagster_home: Path

    def environment(self) -> dict[str, str]:
        """What another program needs in its environment to use the same databases."""
        return {
            "GOLDSIGNAL_DATABASE_URL": self.database_url,
            "GOLDSIGNAL_DAGSTER_PG_URL": self.dagster_url,
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_EVENT_BATCH_SIZE": EVENT_BATCH_SIZE,
        }

    def write(self, path: Path) -> None:
        """Write the generated file: KEY='value' lines, readable by its owner only, whole or not at all."""
        lines = [f"{key}={_quoted(value)}" for key, value in self.environment().items()]
        write_private(path, "\n".join(["# Written by `goldsignal up`; your own values belong in .env", *lines]) + "\n")


def embedded_addresses(server: EmbeddedServer) -> Addresses:
    """Addresses of the embedded server, which must have been started once."""
    return Addresses(
        database_url=server.url("goldsignal"),
        dagster_url=_in_dagster_schema(server.url("dagster", driver="psycopg2")),
        dagster_home=server.home / "dagster",
    )


def own_addresses(url: str, home: Path) -> Addresses:
    """Addresses on the user's own server: one database, Dagster in a schema of its own."""
    plain = libpq_url(url)
    return Addresses(
        database_url=_with_driver(plain, "psycopg"),
        dagster_url=_in_dagster_schema(_with_driver(plain, "psycopg2")),
        dagster_home=home.absolute() / "dagster",
    )


def own_database_url(settings: Settings) -> str | None:
    """The user's own database; None when the embedded server is to be used.

    A generated address comes back through the settings (its file, or a shell that evaluated `goldsignal env`): it is known by
    the generated password, so that a changed port does not make it the user's.
    """
    if settings.database_url is None:
        return None
    url = settings.database_url.get_secret_value()
    password = conninfo_to_dict(libpq_url(url)).get("password")
    generated = settings.home / "postgres-password"
    if password and generated.is_file() and generated.read_text(encoding="ascii").strip() == password:
        return None
    return url


def prepare_own_database(url: str) -> None:
    """Check the user's server and make Dagster's schema; raises `StorageError` with what is wrong."""
    try:
        with psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=10) as connection:
            major = connection.info.server_version // 10000
            if major < OLDEST_SERVER:
                raise StorageError(
                    f"expected PostgreSQL {OLDEST_SERVER} or newer, was {major}.", done="Nothing was changed in it."
                )
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DAGSTER_SCHEMA}")
    except psycopg.Error as error:
        raise StorageError(
            f"Your database (GOLDSIGNAL_DATABASE_URL) cannot be used: {str(error).strip().splitlines()[0]}",
            done="Nothing was started.",
            fix="Start it, correct the address, or grant CREATE on the database; or remove the setting for an embedded server.",
        ) from None


def known_addresses(settings: Settings) -> Addresses:
    """The addresses of this deployment; raises `SettingsError` before the first `up`."""
    own = own_database_url(settings)
    if own is not None:
        return own_addresses(own, settings.home)
    server = EmbeddedServer(settings.home, settings.postgres_port)
    if server.initialised:
        return embedded_addresses(server)
    raise SettingsError("No address has been generated yet.", done="Nothing was printed.", fix="Run `goldsignal up` once.")


def shell_exports(settings: Settings) -> str:
    """`export KEY=value` lines for a shell, quoted; raises `SettingsError` before the first `up`.

    The embedded server is started when it does not run, and kept until `up` or `down` stops it: the shell that evaluates the
    lines means to use it.
    """
    own = own_database_url(settings)
    if own is not None:
        addresses = own_addresses(own, settings.home)
    elif (server := EmbeddedServer(settings.home, settings.postgres_port)).initialised:
        with use_lock(settings.home):
            server.start()
            keep_running(settings.home, True)
        addresses = embedded_addresses(server)
    else:
        raise SettingsError("No address has been generated yet.", done="Nothing was printed.", fix="Run `goldsignal up` once.")
    return "\n".join(f"export {key}={shlex.quote(value)}" for key, value in addresses.environment().items())


def keep_running(home: Path, keep: bool) -> None:
    """Note that the embedded server shall outlive the commands that use it, or no longer."""
    note = home / "postgres.keep"
    if keep:
        note.touch(mode=0o600)
    else:
        note.unlink(missing_ok=True)


@contextmanager
def database_in_use(settings: Settings) -> Iterator[Addresses]:
    """The addresses of a database that runs: the user's, or the embedded one, started for this while when it does not run.

    Whoever leaves last stops it, unless it is to be kept; users are counted by shared locks that the kernel frees with their
    holders.
    """
    own = own_database_url(settings)
    if own is not None:
        yield own_addresses(own, settings.home)
        return
    server = EmbeddedServer(settings.home, settings.postgres_port)
    major = server.data_major()
    if major is not None:
        server = EmbeddedServer(settings.home, settings.postgres_port, major=major)
    with use_lock(settings.home) as lock:
        server.start()
        try:
            yield embedded_addresses(server)
        finally:
            if lock.is_last() and not (settings.home / "postgres.keep").exists():
                server.stop()


@contextmanager
def use_lock(home: Path) -> Iterator[UseLock]:
    """Hold a shared lock that says "the embedded server is in use"."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield UseLock(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class UseLock:
    """A held lock of a user of the embedded server."""

    descriptor: int

    def is_last(self) -> bool:
        """Whether nobody else uses the server; if so, newcomers wait until this lock is let go."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def libpq_url(url: str) -> str:
    """The address as libpq reads it: no SQLAlchemy driver."""
    return "postgresql://" + url.split("://", 1)[1]


def _in_dagster_schema(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{DAGSTER_SCHEMA}"


def _with_driver(url: str, driver: str) -> str:
    return f"postgresql+{driver}://" + url.split("://", 1)[1]


def _quoted(value: str) -> str:
    """A value as python-dotenv reads it literally."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
