"""The embedded server with real processes: found again after kills, moved ports, foreign pids and closed folders."""

from __future__ import annotations

import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from goldsignal_pipeline.errors import ServiceError
from goldsignal_pipeline.storage import server_binaries
from goldsignal_pipeline.storage.embedded import AnotherMajorError, EmbeddedServer
from goldsignal_pipeline.storage.server_binaries import Account
from goldsignal_pipeline.storage.server_processes import postmaster, server_processes
from goldsignal_pipeline_tests.folders import open_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root's rights to become another account")


@pytest.fixture(scope="module")
def module_home() -> Iterator[Path]:
    with open_folder() as folder:
        home = folder / ("long " * 30).strip() / ".goldsignal"  # longer than any socket path may be
        home.parent.mkdir()
        yield home
        EmbeddedServer(home).stop()


@pytest.fixture
def server(module_home: Path) -> Iterator[EmbeddedServer]:
    made = EmbeddedServer(module_home)
    made.start()
    yield made
    made.stop()


def query(server: EmbeddedServer, statement: str, database: str = "goldsignal") -> str:
    with psycopg.connect(server.url(database).replace("+psycopg", "")) as connection:
        result = connection.execute(statement)  # type: ignore[arg-type]
        while result.nextset():  # the last of several statements counts
            pass
        row = result.fetchone()
    assert row is not None
    return str(row[0])


def test_it_listens_on_this_machine_only_with_a_password_nobody_else_can_read(server: EmbeddedServer) -> None:
    assert query(server, "SHOW listen_addresses") == "127.0.0.1"
    assert query(server, "SHOW server_encoding") == "UTF8"
    assert query(server, "SHOW data_checksums") == "on"
    assert query(server, "SELECT rolpassword FROM pg_authid WHERE rolname = 'goldsignal'").startswith("SCRAM-SHA-256$1:")
    assert stat.S_IMODE((server.home / "postgres-password").stat().st_mode) == 0o600
    wrong = server.url().replace("+psycopg", "").replace("goldsignal:", "goldsignal:x", 1)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_both_databases_exist_and_the_second_start_finds_the_data(server: EmbeddedServer) -> None:
    query(server, "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS value; SELECT 1", "dagster")
    port = server.port
    server.stop()
    assert not server_processes(server.data)
    again = EmbeddedServer(server.home)
    assert again.start() == "started"
    assert (again.port, query(again, "SELECT value FROM kept", "dagster")) == (port, "42")


@pytest.mark.fault("crash")
@pytest.mark.parametrize("victims", ["postmaster", "every process"])
def test_committed_rows_survive_a_kill_and_the_next_start_waits_until_the_old_server_is_gone(
    server: EmbeddedServer, victims: str
) -> None:
    query(server, f'CREATE TABLE "{victims}" AS SELECT generate_series(1, 100000) AS n; SELECT 1')
    leader = postmaster(server.data)
    assert leader is not None
    for process in [leader] if victims == "postmaster" else server_processes(server.data):
        process.kill()
    assert server.start() == "started"
    assert query(server, f'SELECT count(*) FROM "{victims}"') == "100000"


@pytest.mark.fault("crash")
def test_a_stale_pid_file_that_names_a_living_stranger_does_not_stop_the_start(server: EmbeddedServer) -> None:
    server.stop()
    owner = Account.for_data(server.data)
    with subprocess.Popen(["/bin/sleep", "60"], **({} if owner is None else {"user": owner.uid})) as stranger:  # type: ignore[call-overload]
        (server.data / "postmaster.pid").write_text(f"{stranger.pid}\n{server.data}\n1\n{server.port}\n\n127.0.0.1\n\nready\n")
        assert postmaster(server.data) is None
        assert server.start() == "started"
        assert stranger.poll() is None, "a process that is not ours was ended"
        stranger.kill()


def test_a_port_in_use_moves_the_server_and_is_said(server: EmbeddedServer, caplog: pytest.LogCaptureFixture) -> None:
    server.stop()
    before = server.port
    with socket.socket() as other, caplog.at_level(logging.WARNING):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before))
        other.listen()
        server.start()
    assert server.port != before
    assert f"Port {before} is in use" in caplog.text
    assert EmbeddedServer(server.home).port == server.port


@pytest.mark.fault("concurrency")
def test_two_supervisors_at_once_make_one_server() -> None:
    with open_folder() as folder:
        program = (
            "import sys; from pathlib import Path; from goldsignal_pipeline.storage.embedded import EmbeddedServer;"
            " print(EmbeddedServer(Path(sys.argv[1])).start())"
        )
        starts = [
            subprocess.Popen([sys.executable, "-c", program, str(folder / "home")], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        assert sorted(start.communicate(timeout=60)[0].strip() for start in starts) == ["adopted", "started"]
        server = EmbeddedServer(folder / "home")
        assert server.running()
        server.stop()
        assert not server.running()


def test_an_interrupted_first_start_leaves_nothing_half_made() -> None:
    with open_folder() as folder:
        (folder / "home").mkdir()
        half = folder / "home" / "postgres.new1234"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")
        with EmbeddedServer(folder / "home") as server:
            assert server.running()
            assert not half.exists()


def test_data_of_another_major_are_refused_with_the_way_out_and_open_with_their_own() -> None:
    with open_folder() as folder:
        with EmbeddedServer(folder / "home", major=16) as old:
            assert query(old, "SHOW server_version").startswith("16.")
        newer = EmbeddedServer(folder / "home")
        with pytest.raises(AnotherMajorError, match=r"PostgreSQL 16.*PostgreSQL 18.*goldsignal backup.*goldsignal restore"):
            newer.start()
        assert newer.data_major() == 16


def test_a_lost_password_is_told_and_the_data_are_left_alone(server: EmbeddedServer) -> None:
    path = server.home / "postgres-password"
    kept = path.read_text()
    path.write_text("another")
    try:
        with pytest.raises(ServiceError, match="does not open the embedded database"):
            server.start()
    finally:
        path.write_text(kept)


def test_stop_waits_for_no_client_and_cuts_open_connections(server: EmbeddedServer) -> None:
    with psycopg.connect(server.url().replace("+psycopg", "")) as connection:
        connection.execute("SELECT 1")
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 5
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


@as_root
def test_a_closed_parent_folder_is_respected_and_the_data_go_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder, open_folder() as outside:
        monkeypatch.setattr(server_binaries, "_OUTSIDE", outside / "lib")
        closed = folder / "root's home"
        closed.mkdir(mode=0o700)
        with EmbeddedServer(closed / ".goldsignal") as server:
            assert server.running()
            assert server.data.is_relative_to(outside.resolve())
            assert (closed / ".goldsignal" / "postgres").is_symlink()
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_programs_that_the_account_cannot_reach_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        original = server_binaries.program("initdb").parents[3]
        (closed / server_binaries.PACKAGE).symlink_to(original / server_binaries.PACKAGE)
        (closed / f"{server_binaries.PACKAGE}.libs").symlink_to(original / f"{server_binaries.PACKAGE}.libs")
        monkeypatch.setattr(server_binaries, "_package", lambda: closed / server_binaries.PACKAGE)
        with EmbeddedServer(folder / "home") as server:
            leader = postmaster(server.data)
            assert leader is not None
            assert leader.cmdline()[0].startswith(str(folder / "home" / "programs-"))
            assert leader.uids().real != 0


@as_root
def test_an_ordinary_user_runs_it_too(tmp_path: Path) -> None:
    with open_folder() as folder:
        home = folder / "home"
        home.mkdir()
        os.chown(home, 65534, 65534)
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                with EmbeddedServer(home) as server:
                    os._exit(0 if server.running() else 1)
            except BaseException:
                logging.exception("in the child")
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_starts_from_two_threads_do_not_collide(server: EmbeddedServer) -> None:
    server.stop()
    states: list[str] = []
    threads = [threading.Thread(target=lambda: states.append(EmbeddedServer(server.home).start())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["adopted", "adopted", "started"]


def test_stop_ends_even_a_server_that_does_not_listen_to_reason(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldsignal_pipeline.storage.embedded._STOP_SECONDS", 0.5)
    leader = postmaster(server.data)
    assert leader is not None
    leader.send_signal(signal.SIGSTOP)
    server.stop()
    assert not server_processes(server.data)
