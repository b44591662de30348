"""Fixtures: every test of the conformance suite runs over memory and over PostgreSQL."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import text

from libs.crypto.envelope import Envelope, LocalKeyProvider
from libs.db.data_keys import SqlDataKeys
from libs.db.engine import Database
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId
from services.auth.adapters.memory.sealer import memory_sealer
from services.auth.adapters.memory.store import MemoryStore
from services.auth.adapters.sql.store import SqlStore
from services.auth.app.ports import Sealer, Store
from services.auth.domain.installation import Installation

_numbers = count(1)
NOW = ManualClock().now()
NewInstallation = Callable[[], Installation]


@pytest.fixture(scope="session")
def migrations_package() -> str:
    return "services.auth.migrations"


@dataclass(frozen=True)
class Backend:
    """A store and its clock."""

    store: Store
    clock: ManualClock
    database: Database | None

    async def later(self, account: AccountId, seconds: float) -> None:
        """Let time pass on the store's clock, as the account's lease sees it."""
        self.clock.advance(timedelta(seconds=seconds))
        if self.database is not None:
            async with self.database.transaction() as connection:
                await connection.execute(
                    text(
                        "UPDATE grants SET lease_until = lease_until - make_interval(secs => :s) "
                        "WHERE account = :account"
                    ),
                    {"s": seconds, "account": account},
                )


@pytest.fixture(params=["memory", "sql"])
def backend(request: pytest.FixtureRequest, database: Database) -> Backend:
    clock = ManualClock()
    if request.param == "memory":
        return Backend(MemoryStore(clock), clock, None)
    return Backend(SqlStore(database), clock, database)


@pytest.fixture(params=["memory", "sql"])
def sealer(request: pytest.FixtureRequest, database: Database) -> Sealer:
    return memory_sealer() if request.param == "memory" else sql_sealer(database)


def sql_sealer(database: Database) -> Envelope:
    return Envelope(LocalKeyProvider([bytes(range(32))]), SqlDataKeys(database))


@pytest.fixture
def new() -> NewInstallation:
    """Makes installations that no other test has."""

    def make() -> Installation:
        number = next(_numbers)
        return Installation(AccountId(f"acc-{number:08d}"), 4242, 1000 + number, f"acme{number}", NOW)

    return make


async def revoke(store: Store, account: AccountId) -> None:
    """Raise an account's generation, as every revocation does."""
    async with store.transaction(account) as tx:
        mine = await tx.installations.get(for_update=True)
        assert mine is not None
        await tx.installations.put(replace(mine, generation=mine.generation + 1))
