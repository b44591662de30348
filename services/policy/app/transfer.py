"""Import and export of relationships in bulk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from services.policy.app.asked import Freshness
from services.policy.app.basis import kept_revision
from services.policy.app.ports import RELATIONSHIP, RelationshipRow, Store, TypeRow, UnchangedError
from services.policy.app.write_relationships import require_ends

REFUSED_SHOWN = 1000
PAGE = 1000


@dataclass(slots=True)
class Imported:
    """What an import did so far.

    Attributes:
        skipped: that lived already.
        refused: place in the whole import and why, of the first thousand.
        refused_count: of all.
        places: how many were looked at.
    """

    created: int = 0
    skipped: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    refused_count: int = 0
    places: int = 0
    revision: int = 0


class ImportRelationships:
    """Takes a batch at a time: each is one transaction and one revision, so that a repeat is harmless."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, account: AccountId, rows: Sequence[RelationshipRow], done: Imported, *, actor: str = ""
    ) -> None:
        """Keep the records of a batch that fit; add to `done` what came of each."""
        start = done.places
        done.places += len(rows)
        try:
            async with self._store.transaction(account) as tx:
                done.revision = await tx.next_revision(actor, self._clock.now())
                types = {row.key: row for row in await tx.types(RELATIONSHIP)}
                singles = await tx.from_sources(
                    [key for key, row in types.items() if not row.many], {row.source for row in rows}
                )
                fitting = _fitting(account, rows, types, singles, start, done)
                created = await tx.relate(fitting)
                done.skipped += len(fitting) - created
                if not created:
                    raise UnchangedError(done.revision - 1)
        except UnchangedError as unchanged:
            done.revision = unchanged.revision
            return
        done.created += created


def _fitting(
    account: AccountId,
    rows: Sequence[RelationshipRow],
    types: dict[str, TypeRow],
    singles: Sequence[RelationshipRow],
    start: int,
    done: Imported,
) -> list[RelationshipRow]:
    found = []
    target_of = {
        (r.type, r.source): r.target for r in singles if not r.expires_at or r.expires_at > rows[0].created_at
    }
    for place, row in enumerate(rows, start):
        why = ""
        try:
            require_ends(account, types, [row])
        except SetlistError as error:
            why = error.message
        if not why and not types[row.type].many:
            target = target_of.setdefault((row.type, row.source), row.target)
            why = "" if target == row.target else f"`{row.type}` allows one target per source"
        if not why:
            found.append(row)
            continue
        done.refused_count += 1
        if len(done.refused) < REFUSED_SHOWN:
            done.refused.append((place, why))
    return found


class ExportRelationships:
    """Lists the records of one revision, however long it takes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(
        self, account: AccountId, freshness: Freshness, type_key: str
    ) -> AsyncIterator[tuple[int, list[RelationshipRow]]]:
        """Yield the revision and a page of records, by id.

        Raises:
            RevisionUnknownError, RevisionNotKeptError: as for a decision.
        """
        async with self._store.snapshot(account) as tx:
            revision = await kept_revision(tx, await tx.state(), freshness)
        after = ""
        while True:
            # a transaction per page: a slow reader holds none open; the revision keeps the pages together
            async with self._store.snapshot(account) as tx:
                await kept_revision(tx, await tx.state(), Freshness(exact=revision))
                types = [type_key] if type_key else None
                rows = await tx.relationships(types=types, after=after, limit=PAGE, at=revision)
            yield revision, rows
            if len(rows) < PAGE:
                return
            after = rows[-1].id
