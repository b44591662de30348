"""pytest plugin: one real PostgreSQL per run, one migrated template per service, one clone per module.

The `conftest.py` at the root of the repository loads it for every test, `pytest_plugins = (…,)`: pytest
accepts that nowhere else. Nothing is started before a test asks for it.

    # services/policy/tests/integration/conftest.py
    @pytest.fixture(scope="session")
    def migrations_package() -> str:
        return "services.policy.migrations"

    # services/policy/tests/integration/test_conformance.py
    pytestmark = pytest.mark.integration

    async def test_a_policy_is_kept(database: Database) -> None:
        async with database.transaction() as connection: ...

Fixtures: `postgres` (session), `migrations_package` (session, to be overridden), `fresh_database` (module;
call it with a package of migrations for the address of a new clone), `database` (module; a `Database` on such
a clone). The role of every address is a plain one that owns its database.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from libs.db.engine import Database
    from libs.testing.clones import PostgresServer

FreshDatabase = Callable[[str | None], str]
"""(package of migrations, or None for an empty database) -> address of a database of one's own."""

_SAID = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The server of this run (see `libs.testing.backends` for which one)."""
    from libs.testing.backends import choose
    from libs.testing.clones import PostgresServer

    backend, reason = choose(os.environ)
    try:
        server = PostgresServer(backend.start())
        request.config.stash[_SAID] = f"{reason}, server {server.version()}"
        yield server
        server.drop_all()
    finally:
        backend.stop()


@pytest.fixture(scope="session")
def migrations_package() -> str | None:
    """Package of the migrations that `database` runs; override it in a `conftest.py`."""
    return None


@pytest.fixture(scope="module")
def fresh_database(postgres: PostgresServer) -> Iterator[FreshDatabase]:
    """Makes databases for this module: clones of a template that was migrated once."""
    made: list[str] = []

    def make(package: str | None = None) -> str:
        url = postgres.clone(package)
        made.append(url)
        return url

    yield make
    for url in made:
        postgres.drop(url)


@pytest_asyncio.fixture(scope="module")
async def database(fresh_database: FreshDatabase, migrations_package: str | None) -> AsyncIterator[Database]:
    """A pool on a database of this module's own, migrated by `migrations_package`."""
    from libs.db.engine import Database

    database = Database(fresh_database(migrations_package))
    yield database
    await database.close()


@pytest.fixture(autouse=True, scope="session")
def _backend_in_report(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> Iterator[None]:
    """Write the backend into the JUnit report too: a CI step compares it with what it asked for."""
    yield
    if said := request.config.stash.get(_SAID, None):
        record_testsuite_property("postgres_backend", said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which PostgreSQL the run used; nothing when it used none."""
    if said := config.stash.get(_SAID, None):
        terminalreporter.write_line(f"postgres backend: {said}")
