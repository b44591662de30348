"""Work that belongs to one of many: which replicas live, and which of them an account belongs to.

Each replica renews a lease of its own; who is alive is whose lease lasts, on the database's clock. An account
belongs to the living replica with the highest hash of both names (rendezvous hashing): when a replica comes or goes,
only its own accounts move. For some seconds two replicas, or none, may think that an account is theirs. So this says
who *should* do a thing, to save work; a lock or a lease has to say who may.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from libs.db.engine import Database
from libs.db.locks import take_lease
from libs.kernel.errors import SetlistError
from libs.telemetry.logs import get_logger

BEAT_SECONDS = 5.0
LEASE_SECONDS = 15.0
"""How long a dead replica's accounts may wait for another one; three beats."""
_FORGET = "DELETE FROM leases WHERE starts_with(name, :prefix) AND expires_at < clock_timestamp() - interval '1 day'"
_LIVING = "SELECT holder FROM leases WHERE starts_with(name, :prefix) AND expires_at > clock_timestamp() ORDER BY holder"


class Replicas:
    """The replicas of one service, seen from one of them.

    Until its first beat a replica takes itself for the only one.

    Attributes:
        me: this process, unique.

    Args:
        service: names the leases, e.g. `assignment`.
        changed: called when the set of living replicas is not what it was.
    """

    def __init__(
        self,
        database: Database,
        service: str,
        me: str,
        changed: Callable[[], None] = lambda: None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._prefix = f"{service}.replica/"
        self.me = me
        self._changed = changed
        self._monotonic = monotonic
        self._living: tuple[str, ...] = (me,)
        self._until = float("inf")

    @property
    def living(self) -> tuple[str, ...]:
        """Return the replicas that live, in order; nobody when this one lost its own lease."""
        return self._living if self._monotonic() < self._until else ()

    def owns(self, account: str) -> bool:
        """Tell whether an account belongs to this replica."""
        living = self.living
        return bool(living) and max(living, key=lambda one: _weight(one, account)) == self.me

    async def beat(self) -> None:
        """Renew the own lease and look who lives.

        Raises:
            SQLAlchemyError, SetlistError: the database does not answer; the own lease runs out meanwhile.
        """
        began = self._monotonic()
        async with self._database.transaction() as connection:
            await take_lease(connection, self._prefix + self.me, self.me, LEASE_SECONDS)
            await connection.execute(text(_FORGET), {"prefix": self._prefix})
            found = await connection.execute(text(_LIVING), {"prefix": self._prefix})
            living = tuple(row.holder for row in found)
        before, self._living, self._until = self.living, living, began + LEASE_SECONDS
        if living != before:
            self._changed()

    async def leave(self) -> None:
        """Give everything away at once."""
        self._living = ()
        async with self._database.transaction() as connection:
            await connection.execute(
                text("DELETE FROM leases WHERE name = :name"), {"name": self._prefix + self.me}
            )

    async def run(self) -> None:
        """Beat until cancelled, then leave."""
        try:
            while True:
                try:
                    await self.beat()
                except (SQLAlchemyError, SetlistError) as error:
                    get_logger().warning("no beat", replica=self.me, why=type(error).__name__)
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            with contextlib.suppress(SQLAlchemyError, SetlistError, TimeoutError):  # then the lease runs out
                await asyncio.wait_for(self.leave(), 2)


def _weight(replica: str, account: str) -> bytes:
    return hashlib.sha256(f"{replica}\n{account}".encode()).digest()
