"""The part of an account that some questions need, out of the database: for accounts that are too large for
memory, and for the past. What is decided on it is what would be decided on the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from libs.decision.build import Builder
from libs.decision.rows import OBJECT, RELATIONSHIP, RelationshipRow, User, user_end
from libs.decision.snapshot import EMPTY, Snapshot
from libs.kernel.errors import OverloadedError
from services.policy.app.asked import Question
from services.policy.app.ports import Reading

MAXIMUM_HOPS = 16
MAXIMUM_EDGES = 200_000
PAGE = 5000


async def whole(tx: Reading, revision: int, at: int | None = None, *, lasting: bool = False) -> Snapshot:
    """Return everything, at a revision.

    Args:
        lasting: relationships count until they are deleted, also those that end before.
    """
    builder = Builder()
    for kind in await tx.types(at=at):
        builder.put(kind)
    last = 0
    while users := await tx.users(after=last, limit=PAGE, at=at):
        for user in users:
            builder.put(user)
        last = users[-1].id
    key = ("", "")
    while records := await tx.objects(after=key, limit=PAGE, at=at):
        for record in records:
            builder.put(record)
        key = (records[-1].type, records[-1].id)
    async for rows in tx.every_relationship(at=at):
        for row in rows:
            builder.put(replace(row, expires_at=None) if lasting and row.expires_at else row)
    steps = builder.finishing(revision)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            snapshot: Snapshot = done.value
            return snapshot
        await asyncio.sleep(0)  # checks of other accounts do not wait for this one


class _Part:
    """Collects the part."""

    def __init__(self, tx: Reading, at: int | None) -> None:
        self._tx = tx
        self._at = at
        self._builder = Builder()
        self._edges: set[str] = set()
        self.types = EMPTY

    async def start(self, users: Iterable[int]) -> Snapshot:
        """Read types and users; return them as a snapshot to plan by."""
        builder = Builder()
        for row in await self._tx.types(at=self._at):
            builder.put(row)
        for user in (await self._tx.known(set(users), at=self._at)).values():
            builder.put(user)
        self.types = builder.finish(0)
        self._builder = Builder(self.types)
        return self.types

    def finish(self, revision: int) -> Snapshot:
        """Return the part."""
        return self._builder.finish(revision)

    async def users(self, after: int) -> None:
        """Read users beyond an id."""
        while users := await self._tx.users(after=after, limit=PAGE, at=self._at):
            for user in users:
                self._builder.put(user)
            after = users[-1].id

    async def between(self, pairs: set[tuple[str, str]]) -> None:
        """Read the relationships between ends."""
        for row in await self._tx.between(pairs, at=self._at):
            self._builder.put(row)

    async def backwards(self, steps: Collection[str], records: Iterable[str]) -> None:
        """Read what leads to records over relationships of some types."""
        frontier = set(records)
        seen = set(frontier)
        for _ in range(MAXIMUM_HOPS):
            rows = await self._tx.to_targets(steps, frontier, at=self._at)
            self._take(rows)
            frontier = {row.source for row in rows} - seen
            seen |= frontier
            if not frontier:
                return

    async def forwards(self, steps: Collection[str], starts: Iterable[str]) -> None:
        """Read what some ends lead to over relationships of some types."""
        frontier = set(starts)
        seen = set(frontier)
        for _ in range(MAXIMUM_HOPS):
            rows = await self._tx.from_sources(steps, frontier, at=self._at)
            self._take(rows)
            frontier = {row.target for row in rows} - seen
            seen |= frontier
            if not frontier:
                return

    def _take(self, rows: Sequence[RelationshipRow]) -> None:
        for row in rows:
            self._builder.put(row)
            self._edges.add(row.id)
        if len(self._edges) > MAXIMUM_EDGES:
            raise OverloadedError(f"the question leads over more than {MAXIMUM_EDGES} relationships")

    async def records(self, types: Collection[str], ids: Collection[str] | None = None) -> None:
        """Read object records with their attributes."""
        for record in await self._tx.objects(types, ids, at=self._at):
            self._builder.put(record)

    async def known_records(self, object_type: str) -> None:
        """Read every record of a type that is known: put, or led to by relationships."""
        await self.records([object_type])
        keys = [
            key
            for (kind, key), found in self.types.types.items()
            if kind == RELATIONSHIP and object_type in (found.row.source, found.row.target)
        ]
        after = ""
        while rows := await self._tx.relationships(types=keys, after=after, limit=PAGE, at=self._at):
            self._take(rows)
            after = rows[-1].id


def starts_of(user: User) -> list[str]:
    """Return every end at which a path of a user may start."""
    ends = [user_end(user.id), *(f"zen:group:{group}" for group in user.groups)]
    return ends if user.organization is None else [*ends, f"zen:organization:{user.organization}"]


async def for_questions(
    tx: Reading, questions: Sequence[Question], revision: int, at: int | None = None
) -> Snapshot:
    """Return what some questions need."""
    part = _Part(tx, at)
    plan = await part.start({q.user for q in questions})
    pairs: set[tuple[str, str]] = set()
    wider: dict[str, set[str]] = {}
    for question in questions:
        found = plan.find(question.object_type)
        if found is None or not question.record:
            continue
        if found.plain:
            if found.further:
                pairs.add((user_end(question.user), question.record))
        else:
            wider.setdefault(found.row.key, set()).add(question.record)
    await part.between(pairs)
    for key, records in wider.items():
        await part.records([key], records)
        await part.backwards(plan.types[OBJECT, key].steps, records)
    return part.finish(revision)


async def for_user(
    tx: Reading,
    user: User,
    types: Sequence[str] | None,
    revision: int,
    at: int | None,
    *,
    every_record: bool = False,
) -> Snapshot:
    """Return what is needed to list the records that a user may act on.

    Args:
        user: what of him is known without the directory.
        types: as questions name them; None = all.
        every_record: whether to read every known record of these types too.
    """
    part = _Part(tx, at)
    plan = await part.start({user.id})
    known = plan.users.get(user.id)
    starts = {*starts_of(user), *(starts_of(known) if known else ())}
    named = plan.types.values() if types is None else [plan.find(name) for name in types]
    wanted = [found for found in named if found is not None]
    await part.forwards({step for found in wanted for step in found.steps}, starts)
    for found in wanted:
        if every_record or not found.plain:  # conditions are asked record by record
            await part.known_records(found.row.key)
    return part.finish(revision)


async def for_record(
    tx: Reading, type_name: str, record: str, revision: int, at: int | None, after: int = 0
) -> Snapshot:
    """Return what is needed to list the users who may act on a record, those beyond `after`."""
    part = _Part(tx, at)
    plan = await part.start(())
    await part.users(after)
    found = plan.find(type_name)
    if found is not None and record:
        await part.backwards(found.steps, [record])
        if not found.plain:
            await part.records([found.row.key], [record])
    return part.finish(revision)


async def for_type(tx: Reading, type_name: str, revision: int, at: int | None) -> Snapshot:
    """Return what is needed to list every record of a type that is known."""
    part = _Part(tx, at)
    found = (await part.start(())).find(type_name)
    if found is not None:
        await part.known_records(found.row.key)
    return part.finish(revision)
