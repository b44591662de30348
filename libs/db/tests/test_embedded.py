"""The embedded server: what it leaves behind, whom it lets in, what it refuses."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from libs.db.binaries import EmbeddedPostgresError
from libs.db.cluster import refuse_other_version
from libs.db.data_directory import remove_stale
from libs.db.embedded import EmbeddedPostgres
from libs.db.urls import shown

pytestmark = pytest.mark.integration


@pytest.fixture
def folder():  # type: ignore[no-untyped-def]
    """A folder whose parents `nobody` may enter; pytest's own are of mode 0700."""
    with tempfile.TemporaryDirectory(prefix="setlist-kept-") as path:
        Path(path).chmod(0o755)
        yield Path(path) / "postgres"


def processes_in(path: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(path).encode() in words:
                found.append(words.decode())
    return found


def test_a_temporary_server_leaves_no_file_and_no_process() -> None:
    server = EmbeddedPostgres()
    server.start()
    assert server._directory is not None
    path = server._directory.path
    assert processes_in(path)

    server.stop()

    assert not path.exists()
    assert processes_in(path) == []


def test_a_kept_cluster_keeps_its_data_asks_for_passwords_and_flushes(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=True) as server:
        url = server.create_database("policy")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (id int)")

    with EmbeddedPostgres(folder, durable=True) as server:
        url = server.create_database("policy")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW full_page_writes").fetchone() == ("on",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(shown(url).replace("***", "wrong"))
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    kept = {path.name for path in folder.iterdir()} - {
        "programs"
    }  # a copy, where `nobody` cannot read the package
    assert kept == {"cluster", "lock", "log", "secret"}


def test_roles_are_plain_and_enter_their_own_database_only(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=True) as server:
        url = server.create_database("policy")
        server.create_database("auth")
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            )
            assert row.fetchone() == (False, False)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(server.url("auth", role="policy"))


def test_a_folder_in_use_is_refused_and_not_disturbed(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=True) as server:
        with pytest.raises(EmbeddedPostgresError, match="another process uses"):
            EmbeddedPostgres(folder, durable=True).start()
        psycopg.connect(server.create_database("policy")).close()


def test_a_folder_of_something_else_is_refused_and_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "letters").mkdir()

    with pytest.raises(EmbeddedPostgresError, match="it holds `letters`"):
        EmbeddedPostgres(folder, durable=True).start()

    assert [path.name for path in folder.iterdir()] == ["letters"]


def test_what_a_killed_start_left_is_cleared(folder: Path) -> None:
    (folder / "unfinished-0a0b0c0d" / "base").mkdir(parents=True)

    with EmbeddedPostgres(folder, durable=True):
        assert not (folder / "unfinished-0a0b0c0d").exists()


def test_another_version_is_refused_with_both_versions_and_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")

    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 16.*of 18.*pg_dump"):
        refuse_other_version(tmp_path, 18, Path("/opt/bin"))


def test_a_taken_port_is_told(folder: Path) -> None:
    with EmbeddedPostgres() as first, pytest.raises(EmbeddedPostgresError, match=f"port {first.port}"):
        EmbeddedPostgres(folder, durable=True, port=first.port).start()


LAUNCHER = """
import sys
from pathlib import Path
from libs.db.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=True)
server.start()
print(server.port, flush=True)
sys.stdin.read()
"""


def test_a_killed_launcher_takes_its_server_with_it_and_the_folder_starts_again(folder: Path) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert launcher.stdout is not None
    assert launcher.stdin is not None
    assert launcher.stdout.readline()

    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    launcher.stdout.close()
    launcher.stdin.close()

    with EmbeddedPostgres(folder, durable=True) as server:
        psycopg.connect(server.create_database("policy")).close()
        running = [words for words in processes_in(folder) if "-p\0" in words]
    assert len(running) <= 1


def test_a_stale_temporary_folder_is_removed_and_a_used_one_is_not(tmp_path: Path) -> None:
    stale, fresh = tmp_path / "setlist-pg-stale", tmp_path / "setlist-pg-fresh"
    for path in (stale, fresh):
        path.mkdir()
        (path / "lock").touch()
    os.utime(stale / "lock", (0, 0))

    remove_stale(tmp_path)

    assert not stale.exists()
    assert fresh.exists()
