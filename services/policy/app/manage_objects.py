"""Object records: ids, with the attributes that conditions may ask for."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from libs.decision.conditions import attributes_of
from libs.decision.rows import ObjectRow
from libs.decision.snapshot import Snapshot
from libs.kernel.clock import Clock
from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId
from services.policy.app import needed
from services.policy.app.asked import Freshness
from services.policy.app.basis import Bases
from services.policy.app.manage_types import missing_type
from services.policy.app.ports import OBJECT, RELATIONSHIP, ObjectKey, Reading, Store, UnchangedError
from services.policy.app.repeats import NO_REPEAT, AnsweredError, Repeat, remember, require_new

MAXIMUM_ATTRIBUTES_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ObjectsPage:
    """A page of records, by id.

    Attributes:
        more: whether there are further ones.
        revision: that the next page must be of.
    """

    rows: tuple[ObjectRow, ...]
    more: bool
    revision: int


class ManageObjects:
    """Puts, deletes and lists object records."""

    def __init__(self, store: Store, bases: Bases, clock: Clock) -> None:
        self._store = store
        self._bases = bases
        self._clock = clock

    async def write(
        self,
        account: AccountId,
        puts: Sequence[ObjectRow],
        deletes: Collection[ObjectKey],
        *,
        actor: str = "",
        repeat: Repeat = NO_REPEAT,
    ) -> tuple[int, int, int]:
        """Delete, then put records; return how many changed, how many went with their relationships, the revision.

        Raises:
            NotFoundError: an object type that the account does not have.
            InvalidRequestError: a record's id or attributes cannot be kept.
        """
        _require_plain(puts)
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(actor, self._clock.now())
                await require_new(tx, account, repeat)
                known = {row.key for row in await tx.types(OBJECT)}
                for key in sorted({row.type for row in puts} | {key for key, _ in deletes}):
                    if key not in known:
                        raise missing_type(account, OBJECT, key)
                deleted = (
                    await tx.delete_objects(set(deletes), await tx.types(RELATIONSHIP)) if deletes else 0
                )
                changed = await tx.put_objects(puts)
                if not changed and not deleted:
                    raise UnchangedError(revision - 1)
                done = {"changed": changed, "deleted": deleted, "revision": revision}
                await remember(tx, account, repeat, **done)
        except UnchangedError as unchanged:
            return 0, 0, unchanged.revision
        except AnsweredError as before:
            return before.answer["changed"], before.answer["deleted"], before.answer["revision"]
        return changed, deleted, revision

    async def list(
        self, account: AccountId, object_type: str, freshness: Freshness, *, after: str, limit: int
    ) -> ObjectsPage:
        """Return the known records of a type beyond the id `after`: put, or led to by relationships.

        Raises:
            NotFoundError: there is no such object type.
        """

        async def need(tx: Reading, revision: int, at: int | None) -> Snapshot:
            return await needed.for_type(tx, object_type, revision, at)

        basis = await self._bases.on(account, freshness, need)
        if (OBJECT, object_type) not in basis.snapshot.types:
            raise missing_type(account, OBJECT, object_type)
        put: Mapping[str, str | None] = basis.snapshot.objects.get(object_type, {})
        ids = [record for record in basis.snapshot.records(object_type) if record > after][: limit + 1]
        rows = tuple(ObjectRow(object_type, record, attributes_of(put.get(record))) for record in ids[:limit])
        return ObjectsPage(rows, len(ids) > limit, basis.revision)


def _require_plain(puts: Sequence[ObjectRow]) -> None:
    faults = []
    for place, row in enumerate(puts):
        if not row.id or "\0" in row.id or len(row.id) > 200 or row.id.startswith("zen:"):
            faults.append(
                FieldViolation(f"puts[{place}].record_id", "is not 1 to 200 characters of an own record's id")
            )
        size = len(json.dumps(dict(row.attributes)).encode())
        if size > MAXIMUM_ATTRIBUTES_BYTES:
            faults.append(
                FieldViolation(
                    f"puts[{place}].attributes", f"are longer than {MAXIMUM_ATTRIBUTES_BYTES} bytes"
                )
            )
        if any("\0" in text for text in _texts(row.attributes)):
            faults.append(FieldViolation(f"puts[{place}].attributes", "hold a zero character"))
    if faults:
        raise InvalidRequestError(f"`{faults[0].field}` {faults[0].description}", violations=faults)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in JSON values, names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from (name, *_texts(one))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
