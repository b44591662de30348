"""Migrations: twice, at once, half, and badly named."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from libs.db.engine import Database
from libs.db.locks import advisory_key
from libs.db.migrate import MigrationError, load_scripts, migrate, newest_revision, pending, schema_revision
from libs.db.migrate_command import main
from libs.testing.postgres import FreshDatabase

pytestmark = pytest.mark.integration

SAMPLE = "libs.db.tests.migrations_sample"


@pytest.fixture
def url(fresh_database: FreshDatabase) -> str:
    return fresh_database(None)


def test_a_second_run_applies_nothing(url: str) -> None:
    assert migrate(url, SAMPLE) == ["0001", "0002", "0003"]
    assert migrate(url, SAMPLE) == []
    assert pending(url, SAMPLE) == []
    assert newest_revision(SAMPLE) == "0003"


def test_the_pre_phase_stops_before_the_first_post_script(url: str) -> None:
    assert migrate(url, SAMPLE, phase="pre") == ["0001", "0002"]
    assert migrate(url, SAMPLE, phase="pre") == []
    assert pending(url, SAMPLE) == ["0003"]
    assert migrate(url, SAMPLE) == ["0003"]


def test_of_many_runs_at_once_each_script_is_applied_by_one(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(url, SAMPLE), range(4)))

    assert sorted(revision for run in applied for revision in run) == ["0001", "0002", "0003"]


def test_a_run_that_never_ends_is_not_waited_for_for_ever(url: str) -> None:
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (advisory_key("setlist.migrate"),))

        with pytest.raises(MigrationError, match="another migration has been running"):
            migrate(url, SAMPLE, wait_seconds=0.05)


def test_a_script_that_fails_leaves_those_before_it_and_nothing_of_itself(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE VIEW taken AS SELECT 1 AS colour")
    migrate(url, SAMPLE, phase="pre")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE VIEW sizes AS SELECT size FROM widgets")

    with pytest.raises(Exception, match="other objects depend on it"):
        migrate(url, SAMPLE)

    assert pending(url, SAMPLE) == ["0003"]


async def test_the_revision_is_readable_for_readiness(fresh_database: FreshDatabase) -> None:
    empty, full = Database(fresh_database(None)), Database(fresh_database(SAMPLE))

    assert await schema_revision(empty) is None
    assert await schema_revision(full) == "0003"
    await empty.close()
    await full.close()


@pytest.mark.parametrize(
    ("name", "revision", "complaint"),
    [
        ("0001_first.py", "0001", "is not named"),
        ("1_pre_first.py", "1", "is not named"),
        ("0001_pre_First.py", "0001", "is not named"),
        ("0001_pre_first.py", "0002", "has revision `0002`"),
    ],
)
def test_a_badly_named_script_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, revision: str, complaint: str
) -> None:
    package = f"scripts_{tmp_path.name.translate(str.maketrans('-[]', '___'))}"
    (tmp_path / package).mkdir()
    (tmp_path / package / name).write_text(f'revision = "{revision}"\ndown_revision = None\n')
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MigrationError, match=complaint):
        load_scripts(package)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(MigrationError, match=r"no package `libs\.nothing`"):
        load_scripts("libs.nothing")


def test_the_command_migrates_checks_and_says_so(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WIDGET_DATABASE_URL", url)

    codes = [main(SAMPLE, "WIDGET_", words) for words in (["--check"], ["--phase", "pre"], [], ["--check"])]

    assert codes == [1, 0, 0, 0]
    said = capsys.readouterr().out
    assert "3 pending: 0001 0002 0003" in said
    assert "applied 0003" in said


@pytest.mark.parametrize(
    ("value", "code", "sentence"),
    [
        (None, 2, "`WIDGET_DATABASE_URL` is not set"),
        ("mysql://a:secret@b/c", 2, "not with `postgresql`"),
        ("postgresql://a:secret@127.0.0.1:1/c", 1, "does not answer"),
    ],
)
def test_the_command_tells_bad_settings_in_one_line_without_the_password(
    value: str | None,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("WIDGET_DATABASE_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("WIDGET_DATABASE_URL", value)

    assert main(SAMPLE, "WIDGET_", []) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "secret" not in said
    assert len(said.splitlines()) == 1
