"""Which server a run takes, and that a plugin's run leaves nothing on it."""

import psycopg
import pytest

from libs.db.engine import Database
from libs.testing.backends import EmbeddedServer, GivenServer, choose
from libs.testing.clones import PostgresServer
from libs.testing.postgres import FreshDatabase

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE["DOCKER_HOST"])


def test_auto_takes_the_given_url_first() -> None:
    backend, said = choose({"TEST_POSTGRES_URL": "postgresql://a@b/c"})

    assert isinstance(backend, GivenServer)
    assert said == "TEST_POSTGRES_URL"


@pytest.mark.parametrize("environment", [{}, {"TEST_POSTGRES": "auto"}])
def test_auto_without_an_engine_is_embedded_and_says_why(environment: dict[str, str]) -> None:
    backend, said = choose(environment)

    assert isinstance(backend, EmbeddedServer)
    assert said.startswith("embedded ")
    assert said.endswith("(no container engine (nobody listens))")


def test_embedded_means_embedded_even_with_a_url() -> None:
    backend, said = choose({"TEST_POSTGRES": "embedded", "TEST_POSTGRES_URL": "postgresql://a@b/c"})

    assert isinstance(backend, EmbeddedServer)
    assert said.endswith("(not asked for)")


@pytest.mark.parametrize(
    ("mode", "complaint"),
    [
        ("url", "`TEST_POSTGRES=url` but `TEST_POSTGRES_URL` is not set"),
        ("container", "`TEST_POSTGRES=container` but no container engine"),
        ("sqlite", "`TEST_POSTGRES=sqlite` is none of auto, url, container, embedded"),
    ],
)
def test_what_is_demanded_and_not_there_fails_the_run(mode: str, complaint: str) -> None:
    with pytest.raises(pytest.UsageError, match=complaint):
        choose({"TEST_POSTGRES": mode})


@pytest.mark.integration
def test_a_clone_has_the_schema_and_a_plain_role(fresh_database: FreshDatabase) -> None:
    first, second = (fresh_database("libs.db.tests.migrations_sample") for _ in range(2))

    assert first != second
    with psycopg.connect(first) as connection:
        connection.execute("INSERT INTO widgets VALUES ('a', 1)")
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False,)
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT count(*) FROM widgets").fetchone() == (0,)


@pytest.mark.integration
def test_a_run_drops_what_it_made_and_nothing_else(postgres: PostgresServer) -> None:
    def databases() -> set[str]:
        with psycopg.connect(postgres.url) as connection:
            return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}

    before = databases()
    run = PostgresServer(postgres.url)
    url = run.clone("libs.db.tests.migrations_sample")
    assert len(databases() - before) == 2

    with psycopg.connect(url):
        run.drop_all()
        run.drop(postgres.url)

    assert databases() == before


@pytest.mark.integration
async def test_the_pool_fixture_is_on_a_database_of_its_own(
    database: Database, postgres: PostgresServer
) -> None:
    await database.ping()
    assert database.url != postgres.url
