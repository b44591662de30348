"""What rounds were decided from, in PostgreSQL: whole, or as a patch of what an earlier round of the queue saw.

From one round of a queue to the next few agents change, so a round keeps these alone, and a reference to the whole
snapshot of an earlier round, its base. A patch never leans on a patch.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.assignment.domain.inputs import digest, dump, load
from services.assignment.domain.model import Snapshot
from services.assignment.domain.patches import Base, Difference, difference, dump_patch, load_patch

BASES_AGENTS = 200_000
"""Agents of bases that a replica keeps in memory; about 1 kB each."""
BASE_HOURS = 6
"""How long a base is leaned on. Far less than any inputs are kept (a day at least), so no patch meets a base that is just
being forgotten; and no base outlives its own day by more than this."""
FEW_AGENTS = 16
"""Snapshots of fewer are kept whole, and are nobody's base: they are small, and a pull's has one agent of thousands."""
MOST_NEWS = 4
"""A patch takes the place of a quarter of its base's agents at most."""

_WHOLE = """
INSERT INTO inputs (account, digest, snapshot, at, queue) VALUES (:account, :digest, :snapshot, :at, :queue)
ON CONFLICT (account, digest) DO UPDATE SET at = excluded.at
"""
# Nothing where the base is not there: the transaction that kept it was rolled back, or it was forgotten.
_PATCH = """
INSERT INTO inputs (account, digest, snapshot, at, base)
SELECT :account, CAST(:digest AS text), CAST(:snapshot AS bytea), CAST(:at AS timestamptz), b.digest
FROM inputs b WHERE b.account = :account AND b.digest = :base FOR KEY SHARE
ON CONFLICT (account, digest) DO UPDATE SET at = excluded.at
"""
_NEWEST = """
SELECT digest, at, base, queue, snapshot FROM inputs
WHERE account = :account AND queue = :queue AND at > :since ORDER BY at DESC LIMIT 1
"""
_READ = "SELECT digest, at, base, queue, snapshot FROM inputs WHERE account = :account AND digest = :digest"
_FORGET = """
DELETE FROM inputs WHERE account = :account AND digest IN (
    SELECT i.digest FROM inputs i WHERE i.account = :account AND i.at < :before
    AND NOT EXISTS (SELECT FROM inputs p WHERE p.account = i.account AND p.base = i.digest)
    ORDER BY i.at LIMIT :limit)
"""


@dataclass(slots=True)
class Kept:
    """A whole snapshot that is kept for later ones of its queue to lean on.

    Attributes:
        base: what its digest names never changes, whoever kept it and whether or not that was committed.
        at: when it was decided on.
        news: how much all patches of this replica said beside it (`Difference.size`).
    """

    base: Base
    queue: str
    at: datetime
    news: int = 0

    def bears(self, size: int, at: datetime) -> bool:
        """Tell whether one more patch is worth it, rather than a new base.

        All patches of a base together grow to its own size at most. As each repeats what those before it said, that is
        where base and patches cost least, and they never cost twice what foresight would have cost (rent or buy).
        """
        return (
            at - self.at < timedelta(hours=BASE_HOURS)
            and size * MOST_NEWS <= len(self.base)
            and self.news + size <= len(self.base)
        )


class Bases:
    """The bases that a replica remembers; those that were not asked for longest go when there is no more room.

    A memory only: whether a base is in the database is found out by each patch.
    """

    def __init__(self, room: int = BASES_AGENTS) -> None:
        self._left = room
        self._bases: OrderedDict[tuple[AccountId, str], Kept] = OrderedDict()
        self._newest: dict[tuple[AccountId, str], str] = {}

    def newest(self, account: AccountId, queue: str) -> Kept | None:
        """Return what the next round of a queue leans on."""
        return self.get(account, self._newest.get((account, queue), ""))

    def get(self, account: AccountId, digest: str) -> Kept | None:
        """Return a base."""
        found = self._bases.get((account, digest))
        if found is not None:
            self._bases.move_to_end((account, digest))
        return found

    def put(self, account: AccountId, kept: Kept, *, newest: bool) -> None:
        """Remember a base; with `newest` the next rounds of its queue lean on it."""
        key = (account, kept.base.digest)
        if key not in self._bases:
            self._bases[key] = kept
            self._left -= len(kept.base)
        if newest:
            self._newest[account, kept.queue] = kept.base.digest
        while self._left < 0 and len(self._bases) > 1:
            (of, digest), gone = self._bases.popitem(last=False)
            self._left += len(gone.base)
            if self._newest.get((of, gone.queue)) == digest:
                del self._newest[of, gone.queue]


class SqlInputs:
    """The inputs of an account."""

    def __init__(self, connection: AsyncConnection, account: AccountId, bases: Bases) -> None:
        self._connection = connection
        self._account = account
        self._bases = bases

    async def _run(self, statement: str, **values: object) -> Any:
        return await self._connection.execute(text(statement), {"account": self._account, **values})

    async def keep(self, snapshot: Snapshot, at: datetime) -> str:
        """Keep a snapshot that was decided on; return its digest. The caller holds the account's lock."""
        if len(snapshot.agents) < FEW_AGENTS:
            return await self._whole(snapshot, at, None)
        queue = snapshot.queue.id
        kept = self._bases.newest(self._account, queue) or await self._newest(queue, at)
        if kept is not None:
            news = difference(kept.base, snapshot.agents)
            if kept.bears(news.size, at) and (key := await self._patch(kept.base, news, snapshot, at)):
                kept.news += news.size
                return key
        key = await self._whole(snapshot, at, queue)
        self._bases.put(self._account, Kept(Base(key, snapshot.agents), queue, at), newest=True)
        return key

    async def load(self, key: str) -> Snapshot | None:
        """Return a snapshot; None = it is not kept, or what is kept is not what its digest names."""
        row = (await self._run(_READ, digest=key)).one_or_none()
        facts = self._facts(row) if row else None
        if facts is None:
            return None
        if row.base is None:
            return load(facts)
        kept = self._bases.get(self._account, row.base)
        if kept is None:
            found = (await self._run(_READ, digest=row.base)).one_or_none()
            kept = self._remember(found, newest=False) if found else None
        return load_patch(facts, kept.base) if kept else None

    async def forget(self, before: datetime, limit: int) -> int:
        """Forget at most so many that are older, bases after the last patch that leans on them; return how many."""
        return int((await self._run(_FORGET, before=before, limit=limit)).rowcount)

    async def _whole(self, snapshot: Snapshot, at: datetime, queue: str | None) -> str:
        facts = dump(snapshot)
        key = digest(facts)
        await self._run(_WHOLE, digest=key, snapshot=zlib.compress(facts.encode()), at=at, queue=queue)
        return key

    async def _patch(self, base: Base, news: Difference, snapshot: Snapshot, at: datetime) -> str | None:
        """Keep a patch; None = its base is not in the database."""
        facts = dump_patch(base.digest, news, snapshot)
        key = digest(facts)
        packed = zlib.compress(facts.encode())
        done = await self._run(_PATCH, digest=key, snapshot=packed, at=at, base=base.digest)
        return key if done.rowcount else None

    async def _newest(self, queue: str, at: datetime) -> Kept | None:
        """Return what another replica, or this one before it forgot, let the rounds of a queue lean on."""
        since = at - timedelta(hours=BASE_HOURS)
        row = (await self._run(_NEWEST, queue=queue, since=since)).one_or_none()
        return self._remember(row, newest=True) if row else None

    def _remember(self, row: Row[Any], *, newest: bool) -> Kept | None:
        facts = self._facts(row)
        if facts is None:
            return None
        kept = Kept(Base(row.digest, load(facts).agents), row.queue, row.at)
        self._bases.put(self._account, kept, newest=newest)
        return kept

    def _facts(self, row: Row[Any]) -> str | None:
        """Return the text of a row, if it is what the hash of its decisions covers."""
        with suppress(zlib.error, UnicodeDecodeError):
            facts = zlib.decompress(row.snapshot).decode()
            if digest(facts) == row.digest:
                return facts
        get_logger().error(
            "kept inputs are not what their digest names", account=self._account, digest=row.digest
        )
        return None
