"""Addresses, marks and records of our processes, with real servers and real processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from dotenv import dotenv_values
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from goldsignal_pipeline.cli.services import Addresses, database_in_use, shell_exports
from goldsignal_pipeline.cli.services.addresses import own_addresses, own_database_url, prepare_own_database
from goldsignal_pipeline.cli.services.processes import (
    MARK,
    Service,
    kill_marked,
    living_process,
    marked_processes,
    service_environment,
)
from goldsignal_pipeline.cli.services.record import UpRecord, read_record, up_lock, write_record
from goldsignal_pipeline.cli.services.removal import main as clean
from goldsignal_pipeline.cli.services.runs import process_tags, runs_without_process
from goldsignal_pipeline.errors import SettingsError, StorageError
from goldsignal_pipeline.settings import Settings
from goldsignal_pipeline.storage.embedded import EmbeddedServer
from goldsignal_pipeline_tests.folders import open_folder

AWKWARD = "p'a\"s $(echo x) \\ #&"


def settings_of(home: Path, url: str | None = None) -> Settings:
    return Settings(home=home, database_url=None if url is None else SecretStr(url))


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with open_folder() as folder, EmbeddedServer(folder / ".goldsignal") as server:
        yield server


def test_generated_values_survive_the_file_and_the_shell_whatever_they_hold(tmp_path: Path) -> None:
    addresses = Addresses(
        f"postgresql+psycopg://u:{AWKWARD}@h/d", "postgresql+psycopg2://h/d?options=-csearch_path%3Dx", tmp_path
    )
    path = tmp_path / "env"
    addresses.write(path)
    assert dict(dotenv_values(path)) == addresses.environment()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_exports_can_be_evaluated_by_a_shell_and_lead_to_a_running_server(server: EmbeddedServer) -> None:
    server.stop()
    exports = shell_exports(settings_of(server.home))
    program = "import os; print(os.environ['DAGSTER_HOME']); print(os.environ['GOLDSIGNAL_DAGSTER_PG_URL'])"
    command = ["/bin/sh", "-c", f'{exports}\nexec "$0" -c "$1"', sys.executable, program]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown[0] == str(server.home / "dagster")
    assert shown[1].startswith("postgresql+psycopg2://")
    with create_engine(shown[1]).connect() as connection:
        assert connection.execute(text("SHOW search_path")).scalar() == "dagster"
    with database_in_use(settings_of(server.home)):
        pass
    assert server.running(), "another command stopped what the shell uses"


def test_nothing_is_exported_before_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Run `goldsignal up` once"):
        shell_exports(settings_of(tmp_path / "none"))


def test_a_generated_address_is_not_taken_for_the_users_own_even_after_the_port_moved(server: EmbeddedServer) -> None:
    assert own_database_url(settings_of(server.home)) is None
    assert own_database_url(settings_of(server.home, server.url())) is None
    assert own_database_url(settings_of(server.home, server.url().replace(str(server.port), "1"))) is None
    own = "postgresql://me:secret@db.example/gold"
    assert own_database_url(settings_of(server.home, own)) == own


def test_on_a_users_own_server_dagster_gets_a_schema_and_every_driver_is_named(server: EmbeddedServer) -> None:
    own = server.url("postgres").replace("+psycopg", "")
    prepare_own_database(own)
    addresses = own_addresses(own, server.home)
    assert addresses.database_url.startswith("postgresql+psycopg://")
    with create_engine(addresses.dagster_url).connect() as connection:
        assert connection.dialect.driver == "psycopg2"
        connection.execute(text("CREATE TABLE made_by_dagster (n int)"))
        found = connection.execute(
            text("SELECT table_schema FROM information_schema.tables WHERE table_name = 'made_by_dagster'")
        )
        assert found.scalar() == "dagster"


def test_an_own_server_that_cannot_be_used_is_told_without_its_password() -> None:
    with pytest.raises(StorageError, match="cannot be used") as caught:
        prepare_own_database("postgresql://me:secret-word@127.0.0.1:1/gold")
    assert "secret-word" not in str(caught.value)


@pytest.mark.fault("concurrency")
def test_the_last_user_of_the_embedded_server_stops_it() -> None:
    with open_folder() as folder:
        settings = settings_of(folder / "home")
        with database_in_use(settings):
            with database_in_use(settings) as addresses, psycopg.connect(addresses.database_url.replace("+psycopg", "")):
                pass
            assert EmbeddedServer(settings.home).running(), "stopped under another user"
        assert not EmbeddedServer(settings.home).running()


def test_marked_processes_are_found_whatever_session_they_moved_to_and_others_are_left(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys; subprocess.Popen(['/bin/sleep', '60'], start_new_session=True); import time; time.sleep(60)"
    )
    environment = service_environment("a" * 32, {})
    assert environment[MARK] == "a" * 32
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    service = Service("test", [sys.executable, "-c", program], tmp_path / "log", environment, tmp_path)
    with subprocess.Popen(["/bin/sleep", "60"], env=service_environment("b" * 32, {})) as other:
        service.start()
        while len(marked_processes("a" * 32)) < 2:
            time.sleep(0.05)
        assert kill_marked("a" * 32) == 2
        assert marked_processes("a" * 32) == []
        assert other.poll() is None
        other.kill()
    service.kill_session()


def test_the_words_of_a_failed_service_begin_with_the_first_error_of_its_last_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("OldError: from an earlier start\n")
    program = "try:\n    int('gold')\nexcept ValueError as error:\n    raise RuntimeError('wrapped') from error"
    service = Service("test", [sys.executable, "-c", program], log, dict(os.environ), tmp_path)
    service.start()
    assert service.child is not None
    assert service.child.wait(10) == 1
    assert service.last_words().startswith("ValueError: invalid literal")


def test_a_recycled_pid_is_not_taken_for_the_running_up(tmp_path: Path) -> None:
    record = write_record(
        tmp_path, mark="m", web_address="http://127.0.0.1:3000", code_server_port=1, api_address="http://127.0.0.1:8000"
    )
    assert read_record(tmp_path) == record
    assert record.process() is not None
    assert UpRecord(os.getpid(), record.created - 5, "m", "", 1).process() is None
    (tmp_path / "services.json").write_text("{half")
    assert read_record(tmp_path) is None


def test_a_dead_process_that_nobody_collected_does_not_count_as_living() -> None:
    child = subprocess.Popen(["/bin/sleep", "60"])
    created = psutil.Process(child.pid).create_time()
    assert living_process(child.pid, created=created) is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert living_process(child.pid, created=created) is None
    child.wait()


def test_only_one_process_holds_the_lock_of_up_and_the_kernel_frees_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from goldsignal_pipeline.cli.services.record import up_lock\n"
        "with up_lock(Path(sys.argv[1])) as ours: print(ours, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "True"
        with up_lock(tmp_path) as ours:
            assert not ours
        holder.kill()
        holder.wait()
        with up_lock(tmp_path) as ours:
            assert ours


def test_runs_of_a_living_command_are_not_called_lost(server: EmbeddedServer) -> None:
    url = own_addresses(server.url("dagster"), server.home).dagster_url
    (owner,) = process_tags().values()
    gone = f"{psutil.Process().pid}:1.00"
    with psycopg.connect(server.url("dagster").replace("+psycopg", ""), options="-csearch_path=dagster") as connection:
        connection.execute(
            "CREATE TABLE runs (run_id text, status text); CREATE TABLE run_tags (run_id text, key text, value text)"
        )
        for run_id, status, value in [("live", "STARTED", owner), ("lost", "STARTED", gone), ("done", "SUCCESS", gone)]:
            connection.execute("INSERT INTO runs VALUES (%s, %s)", [run_id, status])
            connection.execute("INSERT INTO run_tags VALUES (%s, 'goldsignal/process', %s)", [run_id, value])
    assert runs_without_process(url) == ["lost"]


def test_clean_keeps_data_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with open_folder() as folder:
        home = folder / ".goldsignal"
        monkeypatch.setenv("GOLDSIGNAL_HOME", str(home))
        monkeypatch.setenv("GOLDSIGNAL_ENV_FILE", str(folder / "none"))
        with EmbeddedServer(home) as running:
            data = running.data
            assert clean([]) == 0
            assert running.running()
        assert "were kept" in capsys.readouterr().out
        with up_lock(home):
            assert clean(["--yes"]) == 5
        assert data.is_dir()
        assert clean(["--yes"]) == 0
        assert not home.exists()
        assert clean(["--yes"]) == 0
