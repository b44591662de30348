"""Streams of what changes: for those who keep relationships, or effective permissions, or a whole account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace

from libs.decision.build import Builder
from libs.decision.differences import Flip, differences
from libs.decision.rows import Change, RelationshipRow, Row
from libs.decision.snapshot import Snapshot
from libs.kernel.clock import Clock
from libs.kernel.errors import OverloadedError
from libs.kernel.ids import AccountId
from services.policy.app import needed
from services.policy.app.asked import Freshness
from services.policy.app.basis import kept_revision
from services.policy.app.engine import Engine
from services.policy.app.ports import State, Store, Written
from services.policy.domain.errors import RevisionNotKeptError, RevisionUnknownError

HEARTBEAT_SECONDS = 5.0
COPY_HEARTBEAT_SECONDS = 1.0
"""A copy answers by itself, so it must know soon that it is cut off."""
STEP = 200
"""Revisions that are read at once."""
PART = 1000
"""Rows of a snapshot in one message."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one revision did; without changes and flips it is a heartbeat."""

    revision: int
    written: Written | None = None
    changes: Sequence[Change] = ()
    flips: Sequence[Flip] = ()


@dataclass(frozen=True, slots=True)
class Copied:
    """A part of what an embedded decision point keeps.

    Attributes:
        snapshot: whether it replaces what the reader has.
        complete: whether the revision is complete with it.
    """

    revision: int
    changes: Sequence[Change] = ()
    snapshot: bool = False
    complete: bool = True


class Watch:
    """Reads the change log; notices wake it, heartbeats tell that it lives."""

    def __init__(
        self, store: Store, engine: Engine, clock: Clock, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds

    async def relationships(
        self, account: AccountId, after: int | None, types: Collection[str]
    ) -> AsyncIterator[Seen]:
        """Yield changes of relationships from behind a revision on; None = from now on.

        Args:
            types: relationship types; empty = all.

        Raises:
            RevisionNotKeptError: what is asked for is not kept, or history was rewritten: read anew.
            RevisionUnknownError: the token's write is not in the database.
        """
        async for _, seen, _ in self._follow(account, after):
            wanted = [
                change
                for change in seen.changes
                if isinstance(change.row, RelationshipRow) and (not types or change.row.type in types)
            ]
            if wanted or not seen.changes:
                yield Seen(seen.revision, seen.written, wanted)

    async def permissions(
        self, account: AccountId, after: int | None, types: Collection[str]
    ) -> AsyncIterator[Seen]:
        """Yield answers that changed, from behind a revision on; None = from now on.

        A right that ends with its relationship is told when that is swept, within a minute or so. What only
        the time of day changes, by a condition, is not told.

        Args:
            types: as rights are listed by; empty = all.

        Raises:
            OverloadedError: the account is too large to be compared.
            RevisionNotKeptError, RevisionUnknownError: as `relationships`.
        """
        before: Snapshot | None = None
        async for start, seen, _ in self._follow(account, after):
            if before is None:
                before = await self._whole(account, start)
            if not seen.changes:
                yield seen
                continue
            changes = [_lasting(change) for change in seen.changes]
            following = Builder(before).apply(changes).finish(seen.revision)
            now = self._clock.now().timestamp()
            flips = [
                flip
                for one in differences(before, following, changes, now)
                if not types or one.type in types
                for flip in one.flips()
            ]
            before = following
            if flips:
                yield Seen(seen.revision, seen.written, (), flips)

    async def copies(self, account: AccountId, after: int) -> AsyncIterator[Copied]:
        """Yield what an embedded decision point needs: a snapshot first, unless the changes since suffice.

        Args:
            after: revision that the reader has; 0 = none.
        """
        while True:
            try:
                if after:
                    async for _, seen, _ in self._follow(account, after, COPY_HEARTBEAT_SECONDS):
                        for start in range(0, max(1, len(seen.changes)), PART):
                            some = seen.changes[start : start + PART]
                            yield Copied(seen.revision, some, complete=start + PART >= len(seen.changes))
                        after = seen.revision
            except (RevisionNotKeptError, RevisionUnknownError):
                pass  # rewritten, or restored from a backup: everything anew
            current = await self._engine.current(account, Freshness(fully=True))
            if current.snapshot is None:
                raise OverloadedError("the account is too large to be copied: ask the service")
            async for part in self._snapshot(account):
                yield part
                after = part.revision
            while not after and not await self._engine.wait(account, 0, COPY_HEARTBEAT_SECONDS):
                await self._engine.current(account, Freshness())
                yield Copied(0)  # nothing was ever written

    async def _snapshot(self, account: AccountId) -> AsyncIterator[Copied]:
        """Yield everything of one revision; a slow reader holds no transaction open."""
        async with self._store.snapshot(account) as tx:
            revision = (await tx.state()).revision
            rows: list[Row] = [*await tx.types(), *await tx.users(), *await tx.objects()]
        for start in range(0, len(rows), PART):
            part = [Change(revision, row) for row in rows[start : start + PART]]
            yield Copied(revision, part, snapshot=True, complete=False)
        after = ""
        while True:
            async with self._store.snapshot(account) as tx:
                await kept_revision(tx, await tx.state(), Freshness(exact=revision))
                page = await tx.relationships(after=after, limit=PART, at=revision)
            complete = len(page) < PART
            yield Copied(revision, [Change(revision, row) for row in page], snapshot=True, complete=complete)
            if complete:
                return
            after = page[-1].id

    async def _whole(self, account: AccountId, revision: int) -> Snapshot:
        current = await self._engine.current(account, Freshness())
        if current.snapshot is None:
            raise OverloadedError("the account is too large for its permissions to be watched")
        async with self._store.snapshot(account) as tx:
            return await needed.whole(tx, revision, revision, lasting=True)

    async def _follow(
        self, account: AccountId, after: int | None, heartbeat_seconds: float | None = None
    ) -> AsyncIterator[tuple[int, Seen, State]]:
        """Yield one revision after the other, with the one that it all starts behind; heartbeats between."""
        pause = heartbeat_seconds or self._heartbeat_seconds
        current = await self._engine.current(account, Freshness(fully=True))
        if after is not None and after > current.state.revision:
            raise RevisionUnknownError(f"revision {after} is not in the database")
        start = at = current.state.revision if after is None else after
        yield start, Seen(at), current.state
        while True:
            async with self._store.snapshot(account) as tx:
                state = await tx.state()
                if at < max(state.oldest, state.redacted):
                    raise RevisionNotKeptError(
                        "history before that was swept or rewritten: read everything anew",
                        metadata={"oldest": str(max(state.oldest, state.redacted))},
                    )
                to = min(state.revision, at + STEP)
                changes = await tx.changes(at, to) if to > at else []
                written = await tx.log_of(at, to) if to > at else []
            for seen in _by_revision(changes, written, at, to):
                yield start, seen, state
            at = to
            if at >= state.revision and not await self._engine.wait(account, at, pause):
                await self._engine.current(account, Freshness())
                yield start, Seen(at), state


def _lasting(change: Change) -> Change:
    """Return a change with a relationship that counts until it is deleted: else its end would go unseen."""
    if isinstance(change.row, RelationshipRow) and change.row.expires_at is not None:
        return replace(change, row=replace(change.row, expires_at=None))
    return change


def _by_revision(changes: Sequence[Change], written: Sequence[Written], after: int, to: int) -> list[Seen]:
    by: dict[int, list[Change]] = {}
    for change in changes:
        by.setdefault(change.revision, []).append(change)
    by_whom = {one.revision: one for one in written}
    return [
        Seen(revision, by_whom.get(revision), by[revision])
        for revision in range(after + 1, to + 1)
        if revision in by
    ]
