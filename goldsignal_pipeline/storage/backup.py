"""Backup to one file, and restore from it, also between PostgreSQL majors.

A backup is a tar file: `manifest.json` (when, which server, which revision, rows of each table, digest of each part) and one
`pg_dump` archive for each part. The rows are counted in the very snapshot that is dumped. A restore verifies the digests first,
then replaces each schema in one transaction whose last statement counts the rows again: afterwards either everything is there
or everything is as before. Owners and privileges are not carried over; they belong to a server, not to its data.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from goldsignal_pipeline.errors import StorageError, UsageError
from goldsignal_pipeline.storage.server_binaries import clean_environment, program

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
# pg_restore writes this for any server; those before 17 do not know it.
_ONLY_NEW_SERVERS: Final = b"SET transaction_timeout = 0;\n"


@dataclass(frozen=True)
class Part:
    """One schema in a backup: rows of each table, digest (SHA-256) and size in bytes of its archive."""

    rows: dict[str, int]
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: format, instant (ISO 8601, UTC), server version, schema revision, parts by schema name."""

    format: int
    made_at: str
    server_version: str
    revision: str | None
    parts: dict[str, Part]

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(sum(part.rows.values()) for part in self.parts.values())


def back_up(file: Path, *, schemas: Mapping[str, str], now: datetime, overwrite: bool = False) -> Manifest:
    """Write schemas (name -> libpq address) to `file`, whole or not at all; a schema that does not exist is left out.

    Raises `UsageError` when the file exists and may not be overwritten, `StorageError` when the dump fails.
    """
    if file.exists() and not overwrite:
        raise UsageError(f"{file} exists.", done="It was not touched.", fix="Choose another name, or add --force.")
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"The folder {file.absolute().parent} does not exist.", done="Nothing was written.", fix="Make it first."
        )
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.absolute().parent) as scratch:
        folder = Path(scratch)
        parts: dict[str, Part] = {}
        for schema, url in schemas.items():
            part = _dump(url, schema, folder / f"{schema}.dump")
            if part is not None:
                parts[schema] = part
        version, revision = _server_facts(next(iter(schemas.values())))
        manifest = Manifest(FORMAT, now.astimezone(UTC).isoformat(timespec="seconds"), version, revision, parts)
        (folder / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=2), encoding="utf-8")
        whole = folder / "whole.tar"
        with tarfile.open(whole, "w") as archive:
            for name in (_MANIFEST, *(f"{schema}.dump" for schema in parts)):
                archive.add(folder / name, arcname=name, filter=_without_owner)
        whole.chmod(0o600)
        whole.replace(file)
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What a backup holds; raises `UsageError` for any other file."""
    try:
        with tarfile.open(file) as archive:
            member = archive.extractfile(_MANIFEST)
            raw = json.loads(member.read()) if member is not None else {}
        manifest = Manifest(**raw | {"parts": {name: Part(**part) for name, part in raw["parts"].items()}})
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{file} is not a backup of GoldSignal ({error}).", done="The database was not touched.", fix="Name another file."
        ) from None
    if manifest.format > FORMAT:
        raise UsageError(
            f"{file} was made by a newer release (format {manifest.format}).",
            done="The database was not touched.",
            fix="Restore it with that release.",
        )
    return manifest


def rows_held(schemas: Mapping[str, str]) -> int:
    """Rows in all tables of these schemas, the table of revisions aside: what a restore would replace."""
    total = 0
    for schema, url in schemas.items():
        with _connect(url) as connection:
            total += sum(rows for table, rows in _count_rows(connection, schema).items() if table != "alembic_version")
    return total


def restore(file: Path, *, schemas: Mapping[str, str], replace: bool = False) -> Manifest:
    """Replace schemas (name -> libpq address) by those of a backup; each is replaced in one transaction, rows counted in it.

    Raises `UsageError` when the file is none of ours, is damaged, or data would be replaced without `replace`;
    `StorageError` when a server refuses (nothing of that schema has changed then).
    """
    manifest = read_manifest(file)
    if not replace and (held := rows_held(schemas)):
        raise UsageError(
            f"The database holds {held:,} rows, which a restore would replace.",
            done="The database was not touched.",
            fix="Make a backup of them first, then add --force.",
        )
    with tempfile.TemporaryDirectory(prefix="goldsignal-restore-") as scratch:
        archives = _extract_verified(file, manifest, Path(scratch))
        for schema, archive in archives.items():
            if schema in schemas:
                _replace_schema(schemas[schema], schema, archive, manifest.parts[schema])
    return manifest


def _dump(url: str, schema: str, target: Path) -> Part | None:
    with _connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        rows = _count_rows(connection, schema)
        if not rows:
            return None
        snapshot = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert snapshot is not None
        command = [str(program("pg_dump")), "--format=custom", f"--schema={schema}", f"--snapshot={snapshot[0]}"]
        address, environment = _address_for_programs(url)
        command += ["--no-owner", "--no-privileges", f"--file={target}", f"--dbname={address}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise StorageError(
            f"pg_dump failed: {done.stderr.strip()[-1000:]}",
            done="No backup was written.",
            fix="Correct the cause and try again.",
        )
    with target.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Part(rows=rows, sha256=digest, size_bytes=target.stat().st_size)


def _extract_verified(file: Path, manifest: Manifest, folder: Path) -> dict[str, Path]:
    archives: dict[str, Path] = {}
    with tarfile.open(file) as archive:
        for schema, part in manifest.parts.items():
            target = folder / f"{schema}.dump"
            try:
                member = archive.extractfile(f"{schema}.dump")
            except KeyError:
                member = None
            if member is not None:
                with target.open("wb") as copy:
                    shutil.copyfileobj(member, copy)
                with target.open("rb") as copy:
                    if hashlib.file_digest(copy, "sha256").hexdigest() == part.sha256:
                        archives[schema] = target
                        continue
            raise UsageError(
                f"{file} is damaged: its part {schema} is not what was written.", done="The database was not touched."
            )
    return archives


def _replace_schema(url: str, schema: str, archive: Path, part: Part) -> None:
    """Feed psql one transaction: put the old schema away, the archive's script, the count, drop the old schema."""
    address, environment = _address_for_programs(url)
    name = sql.Identifier(schema).as_string()
    away = sql.Identifier(f"{schema}_before_restore").as_string()
    with _connect(url) as connection:
        present = bool(connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone())
    before = f"ALTER SCHEMA {name} RENAME TO {away};\n" if present else ""
    after = _count_statement(schema, part.rows) + (f"DROP SCHEMA {away} CASCADE;\n" if present else "")
    psql = [
        str(program("psql")),
        "--no-psqlrc",
        "--quiet",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        f"--dbname={address}",
    ]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints, env=environment) as session,
    ):
        assert session.stdin is not None
        try:
            session.stdin.write(f"SET client_min_messages = warning;\n{before}".encode())
            script_ended = _write_script(archive, session.stdin)
            cut_short = b"DO $$ BEGIN RAISE EXCEPTION 'pg_restore could not read the whole archive'; END $$;\n"
            session.stdin.write(after.encode() if script_ended else cut_short)
            session.stdin.close()
        except BrokenPipeError:
            pass  # psql stopped at an error, which it has told
        code = session.wait()
        complaints.seek(0)
        said = complaints.read().decode("utf-8", errors="replace").strip()
    if code != 0:
        raise StorageError(
            f"The restore of schema {schema} failed: {said[-1000:]}",
            done="Its transaction was rolled back: the data are as before.",
            fix="Correct the cause and try again.",
        )


def _write_script(archive: Path, target: IO[bytes]) -> bool:
    """Write the archive as statements; whether pg_restore came to its end."""
    command = [str(program("pg_restore")), "--file=-", "--no-owner", "--no-privileges", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=clean_environment(archive.parent)) as writer:
        assert writer.stdout is not None
        for _ in range(100):  # the settings at the head, before any data
            line = writer.stdout.readline()
            if line != _ONLY_NEW_SERVERS:
                target.write(line)
            if line.startswith((b"CREATE ", b"COPY ")):
                break
        shutil.copyfileobj(writer.stdout, target, 1 << 20)
        return writer.wait() == 0


def _count_statement(schema: str, rows: dict[str, int]) -> str:
    """A statement that raises unless every table holds as many rows as the backup says."""
    checks = []
    for table, count in rows.items():
        name = sql.Identifier(schema, table).as_string()
        complaint = sql.Literal(f"{schema}.{table} does not hold {count} rows").as_string()
        counted = f"(SELECT count(*) FROM {name})"  # noqa: S608  # the name is quoted
        checks.append(f"IF {counted} <> {count} THEN RAISE EXCEPTION USING MESSAGE = {complaint}; END IF;")
    return "DO $verify$ BEGIN " + " ".join(checks) + " END $verify$;\n"


def _count_rows(connection: psycopg.Connection, schema: str) -> dict[str, int]:
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema]).fetchall()
    counts: dict[str, int] = {}
    for (table,) in tables:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))).fetchone()
        counts[table] = 0 if row is None else int(row[0])
    return counts


def _server_facts(url: str) -> tuple[str, str | None]:
    with _connect(url) as connection:
        version = connection.execute("SHOW server_version").fetchone()
        known = connection.execute("SELECT to_regclass('goldsignal.alembic_version') IS NOT NULL").fetchone()
        revision = None
        if known is not None and known[0]:
            revision = connection.execute("SELECT max(version_num) FROM goldsignal.alembic_version").fetchone()
    return (str(version[0]) if version else "unknown"), (str(revision[0]) if revision and revision[0] else None)


def _connect(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise StorageError(
            f"The database cannot be reached: {str(error).strip().splitlines()[0]}", done="Nothing was changed."
        ) from None


def _address_for_programs(url: str) -> tuple[str, dict[str, str]]:
    """The address without its password, and an environment that holds the password: arguments can be read by every user."""
    words = conninfo_to_dict(url)
    password = words.pop("password", None)
    environment = clean_environment(Path.cwd()) | {"HOME": os.environ.get("HOME", "")}  # certificates and .pgpass are there
    environment.pop("GOLDSIGNAL_HOME")
    if password:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **{name: str(value) for name, value in words.items()}), environment


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
