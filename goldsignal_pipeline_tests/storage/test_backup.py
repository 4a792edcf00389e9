"""Backup and restore with real servers: across majors, atomic, verified, never over data unasked."""

from __future__ import annotations

import json
import stat
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from goldsignal_pipeline.cli.backup import schemas_of
from goldsignal_pipeline.cli.services.addresses import embedded_addresses
from goldsignal_pipeline.errors import StorageError, UsageError
from goldsignal_pipeline.storage import backup, migrations
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline_tests.folders import open_folder

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FILL = """
INSERT INTO goldsignal.raw_candles_copy SELECT n, n * 1.01, 'bar ' || n || E'\\t\\n' FROM generate_series(1, 5000) AS n
"""


def fill(server: EmbeddedServer) -> None:
    migrations.upgrade(server.url())
    with psycopg.connect(schemas(server)["goldsignal"]) as connection:
        connection.execute(
            "CREATE TABLE goldsignal.raw_candles_copy (n int PRIMARY KEY, price numeric(10, 2) NOT NULL, note text)"
        )
        connection.execute(FILL)
    with psycopg.connect(schemas(server)["dagster"]) as connection:
        connection.execute("CREATE TABLE runs (id bigserial PRIMARY KEY, body text); INSERT INTO runs (body) VALUES ('kept')")


def schemas(server: EmbeddedServer) -> dict[str, str]:
    return schemas_of(embedded_addresses(server))


def digest(server: EmbeddedServer) -> str:
    with psycopg.connect(schemas(server)["goldsignal"]) as connection:
        row = connection.execute(
            "SELECT md5(string_agg(c::text, ',' ORDER BY n)) FROM goldsignal.raw_candles_copy AS c"
        ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[int, EmbeddedServer]]:
    with open_folder() as folder, EmbeddedServer(folder / "a", major=16) as old, EmbeddedServer(folder / "b") as new:
        fill(old)
        fill(new)
        yield {16: old, 18: new}


@pytest.mark.parametrize(("origin", "target"), [(16, 18), (18, 16), (18, 18)])
def test_a_restore_brings_every_row_back_in_either_direction_between_majors(
    servers: dict[int, EmbeddedServer], tmp_path: Path, origin: int, target: int
) -> None:
    before = digest(servers[origin])
    file = tmp_path / "a backup.tar"
    made = backup.back_up(file, schemas=schemas(servers[origin]), now=NOW)
    assert made.server_version.startswith(str(origin))
    assert made.parts["goldsignal"].rows["raw_candles_copy"] == 5000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with psycopg.connect(schemas(servers[target])["goldsignal"]) as connection:
        connection.execute("UPDATE goldsignal.raw_candles_copy SET note = 'damaged' WHERE n > 17")
        connection.execute("DELETE FROM goldsignal.raw_candles_copy WHERE n < 9")
    assert backup.restore(file, schemas=schemas(servers[target]), replace=True) == made
    assert digest(servers[target]) == before
    with psycopg.connect(schemas(servers[target])["dagster"]) as connection:
        row = connection.execute("INSERT INTO runs (body) VALUES ('next') RETURNING id").fetchone()
        assert row is not None
        assert row[0] > 1, "the sequence did not come back"
        connection.rollback()


def test_data_are_not_replaced_unasked(servers: dict[int, EmbeddedServer], tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    backup.back_up(file, schemas=schemas(servers[18]), now=NOW)
    with pytest.raises(UsageError, match=r"holds 5,001 rows"):
        backup.restore(file, schemas=schemas(servers[18]))
    with pytest.raises(UsageError, match="exists"):
        backup.back_up(file, schemas=schemas(servers[18]), now=NOW)


def test_a_damaged_backup_is_refused_before_anything_is_touched(servers: dict[int, EmbeddedServer], tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    backup.back_up(file, schemas=schemas(servers[18]), now=NOW)
    before = digest(servers[18])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"is damaged|is not a backup"):
        backup.restore(file, schemas=schemas(servers[18]), replace=True)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UsageError, match="is not a backup"):
        backup.restore(tmp_path / "notes.txt", schemas=schemas(servers[18]), replace=True)
    assert digest(servers[18]) == before


@pytest.mark.fault("database")
def test_a_restore_that_does_not_add_up_changes_nothing(servers: dict[int, EmbeddedServer], tmp_path: Path) -> None:
    file, forged = tmp_path / "backup.tar", tmp_path / "forged.tar"
    backup.back_up(file, schemas=schemas(servers[18]), now=NOW)
    before = digest(servers[18])
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path, filter="data")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["parts"]["goldsignal"]["rows"]["raw_candles_copy"] += 1
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with tarfile.open(forged, "w") as archive:
        for name in ("manifest.json", "goldsignal.dump", "dagster.dump"):
            archive.add(tmp_path / name, arcname=name)
    with pytest.raises(StorageError, match="does not hold 5001 rows"):
        backup.restore(forged, schemas=schemas(servers[18]), replace=True)
    assert digest(servers[18]) == before


def test_no_password_is_in_the_arguments_of_a_program(servers: dict[int, EmbeddedServer]) -> None:
    url = schemas(servers[18])["dagster"]
    address, environment = backup._address_for_programs(url)
    assert environment["PGPASSWORD"] in url
    assert environment["PGPASSWORD"] not in address
