"""What a store has on its books: assignments, offers and turns, read without the ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.assignment.adapters.memory.store import MemoryStore
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.ports import Store
from services.assignment.tests.house import ACCOUNT

LOST = ("declined", "expired", "withdrawn")
"""How an offer ends that became no work."""


@dataclass(frozen=True, slots=True)
class Given:
    """An assignment, or an offer."""

    id: str
    ticket: int
    agent: int
    queue: str
    mechanism: str
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Books:
    """Everything of one account that is counted.

    Attributes:
        rotation: balance by queue and agent, where it is not 0.
        declined: (ticket, agent).
    """

    assignments: Sequence[Given]
    offers: Sequence[Given]
    rotation: Mapping[tuple[str, int], int]
    declined: frozenset[tuple[int, int]]

    @property
    def live(self) -> list[Given]:
        """Return the assignments whose ticket may not be assigned again."""
        return [a for a in self.assignments if a.state in ("committed", "confirmed")]

    @property
    def thought_about(self) -> list[Given]:
        """Return the offers that nobody answered yet."""
        return [o for o in self.offers if o.state == "offered"]

    def given_back(self) -> Counter[tuple[str, int]]:
        """Return how many turns became no work, by queue and agent."""
        lost = [a for a in self.assignments if (a.state, a.mechanism) == ("conflict", "queue")]
        return Counter((g.queue, g.agent) for g in [*lost, *(o for o in self.offers if o.state in LOST)])


async def books(store: Store) -> Books:
    """Read the books of a store of either kind."""
    if isinstance(store, MemoryStore):
        return _in_memory(store)
    assert isinstance(store, SqlStore)
    return await _in_sql(store)


def _in_memory(store: MemoryStore) -> Books:
    tables = store._tables[ACCOUNT]
    return Books(
        [
            Given(i, a.ticket, a.agent, a.queue, a.mechanism, a.state, a.at)
            for i, a in tables.assignments.items()
        ],
        [
            Given(i, o.ticket, o.agent_id, o.queue, "queue", o.state, o.offered_at)
            for i, o in tables.offers.items()
        ],
        {place: balance for place, balance in tables.rotation.items() if balance},
        frozenset(tables.declines),
    )


async def _in_sql(store: SqlStore) -> Books:
    async with store._database.transaction(read_only=True) as connection:

        async def rows(statement: str) -> Sequence[tuple[object, ...]]:
            found = await connection.execute(text(statement), {"account": ACCOUNT})
            return [tuple(row) for row in found]

        assignments = await rows(
            "SELECT id, ticket, agent_id, queue, mechanism, state, assigned_at FROM assignments "
            "WHERE account = :account"
        )
        offers = await rows(
            "SELECT id, ticket, agent_id, queue, 'queue', state, offered_at FROM offers WHERE account = :account"
        )
        turns = await rows(
            "SELECT queue, agent_id, balance FROM rotation WHERE account = :account AND balance <> 0"
        )
        declined = await rows("SELECT ticket, agent_id FROM declines WHERE account = :account")
    return Books(
        [Given(*row) for row in assignments],  # type: ignore[arg-type]  # as the columns are declared
        [Given(*row) for row in offers],  # type: ignore[arg-type]  # as the columns are declared
        {(queue, agent): balance for queue, agent, balance in turns},  # type: ignore[misc]  # as above
        frozenset(declined),  # type: ignore[arg-type]  # as above
    )
