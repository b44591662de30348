"""Relationship records: made and deleted, never changed; all or nothing, one revision each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.decision.rows import User
from libs.kernel.clock import Clock
from libs.kernel.errors import FieldViolation, InvalidRequestError, NotFoundError, PermissionDeniedError
from libs.kernel.ids import AccountId
from services.policy.app.asked import Asked, Question
from services.policy.app.check import Check
from services.policy.app.manage_types import missing_type
from services.policy.app.ports import (
    RELATIONSHIP,
    Reading,
    RelationshipRow,
    Store,
    TypeRow,
    UnchangedError,
)
from services.policy.app.repeats import NO_REPEAT, AnsweredError, Repeat, remember, require_new
from services.policy.domain.ends import end_fault
from services.policy.domain.errors import AlreadyExistsError
from services.policy.domain.roles import allowed_by_role

ONE, CREATES, DELETES = "relationship", "creates[{}]", "deletes[{}]"
"""Fields of requests that hold relationships, for what is wrong with them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch did."""

    created: int
    deleted: int
    revision: int


class WriteRelationships:
    """Writes records. Of people the RBAC policy of the relationship type decides, whoever they are.

    `person` is None when a service writes, which may write every type.
    """

    def __init__(self, store: Store, check: Check, clock: Clock) -> None:
        self._store = store
        self._check = check
        self._clock = clock

    async def create(
        self,
        account: AccountId,
        row: RelationshipRow,
        person: User | None,
        *,
        actor: str = "",
        validate_only: bool = False,
        repeat: Repeat = NO_REPEAT,
    ) -> tuple[RelationshipRow, int]:
        """Make a record; return it, or the living one that existed, and the revision.

        Raises:
            PermissionDeniedError: the type does not let the person.
            NotFoundError: there is no such relationship type.
            InvalidRequestError: an end does not fit the type.
            AlreadyExistsError: the type allows one target per source, and there is another one.
        """
        await self._require(account, person, {row.type}, "create")
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(actor, self._clock.now())
                await _allowed(tx, person, {row.type}, "create")
                await require_new(tx, account, repeat)
                await _require_fit(tx, account, [row], ONE)
                if validate_only:
                    raise UnchangedError(revision - 1)
                new = await tx.relate([row])
                (kept,) = await tx.relationships(types=[row.type], source=row.source, target=row.target)
                if not new:
                    row = kept
                    raise UnchangedError(revision - 1)
                made = kept.created_at.isoformat()
                await remember(tx, account, repeat, id=kept.id, at=made, revision=revision)
        except UnchangedError as unchanged:
            return row, unchanged.revision
        except AnsweredError as before:
            made_at = datetime.fromisoformat(before.answer["at"])
            return replace(row, id=before.answer["id"], created_at=made_at), before.answer["revision"]
        return kept, revision

    async def batch(
        self,
        account: AccountId,
        creates: Sequence[RelationshipRow],
        deletes: Sequence[RelationshipRow],
        person: User | None,
        *,
        actor: str = "",
        repeat: Repeat = NO_REPEAT,
    ) -> Batch:
        """Delete, then make records; those that live stay, missing ones are no error.

        Raises:
            PermissionDeniedError, NotFoundError, InvalidRequestError, AlreadyExistsError: as for one.
        """
        made, gone = {row.type for row in creates}, {row.type for row in deletes}
        await self._require(account, person, made, "create")
        await self._require(account, person, gone, "delete")
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(actor, self._clock.now())
                await _allowed(tx, person, made, "create")
                await _allowed(tx, person, gone, "delete")
                await require_new(tx, account, repeat)
                deleted = await tx.unrelate(deletes)
                await _require_fit(tx, account, creates, CREATES)
                created = await tx.relate(creates)
                if not created and not deleted:
                    raise UnchangedError(revision - 1)
                done = {"created": created, "deleted": deleted, "revision": revision}
                await remember(tx, account, repeat, **done)
        except UnchangedError as unchanged:
            return Batch(0, 0, unchanged.revision)
        except AnsweredError as before:
            return Batch(**before.answer)
        return Batch(created, deleted, revision)

    async def delete(
        self,
        account: AccountId,
        relationship_id: str,
        person: User | None,
        *,
        actor: str = "",
        validate_only: bool = False,
    ) -> int:
        """Delete a record; return the revision.

        Raises:
            PermissionDeniedError: its type does not let the person; the same for one that is not there,
                so that only services and admins learn which ones are.
            NotFoundError: there is none.
        """
        async with self._store.snapshot(account) as tx:
            row = await tx.relationship(relationship_id)
        if row is not None:
            await self._require(account, person, {row.type}, "delete")
        elif person is not None and person.role != "admin":
            raise _refused("delete")
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(actor, self._clock.now())
                row = await tx.relationship(relationship_id)
                if row is None:
                    name = f"accounts/{account}/relationships/{relationship_id}"
                    raise NotFoundError("no such relationship", metadata={"name": name})
                await _allowed(tx, person, {row.type}, "delete")
                if validate_only:
                    raise UnchangedError(revision - 1)
                await tx.delete_relationship(relationship_id)
        except UnchangedError as unchanged:
            return unchanged.revision
        return revision

    async def _require(
        self, account: AccountId, person: User | None, types: Collection[str], action: str
    ) -> None:
        """Decide and log before anything is locked or looked up: a refusal must stay in the log."""
        if person is None or not types:
            return
        answers = await self._check(account, _questions(person, types, action), Asked(person))
        if not all(answer.decided.allowed for answer in answers):
            raise _refused(action)


def _questions(person: User, types: Collection[str], action: str) -> list[Question]:
    return [Question(person.id, action, f"{RELATIONSHIP}:{key}") for key in sorted(types)]


async def _allowed(tx: Reading, person: User | None, types: Collection[str], action: str) -> None:
    """Decide once more under the lock: the policy may have been tightened meanwhile."""
    if person is None:
        return
    for key in types:
        row = await tx.type(RELATIONSHIP, key)
        if row is None or not allowed_by_role(person, action, row.permissions):
            raise _refused(action)


def _refused(action: str) -> PermissionDeniedError:
    return PermissionDeniedError(f"the relationship type does not let you {action} its records")


def require_ends(
    account: AccountId, types: Mapping[str, TypeRow], rows: Sequence[RelationshipRow], name: str = ONE
) -> None:
    """Refuse records whose type is unknown, or whose ends do not fit it.

    Args:
        types: relationship types by key.
        name: of their field, `{}` where the place stands.

    Raises:
        NotFoundError: there is no such relationship type.
        InvalidRequestError: an end does not fit.
    """
    faults = []
    for place, row in enumerate(rows):
        kind = types.get(row.type)
        if kind is None:
            raise missing_type(account, RELATIONSHIP, row.type)
        for field, end_type, value in (
            ("source", kind.source, row.source),
            ("target", kind.target, row.target),
        ):
            if fault := end_fault(end_type, value):
                faults.append(FieldViolation(f"{name.format(place)}.{field}", fault))
    if faults:
        raise InvalidRequestError(f"`{faults[0].field}` {faults[0].description}", violations=faults)


async def _require_fit(tx: Reading, account: AccountId, rows: Sequence[RelationshipRow], name: str) -> None:
    types = {row.key: row for row in await tx.types(RELATIONSHIP)}
    require_ends(account, types, rows, name)
    for kind in types.values():
        if not kind.many:
            await _require_single(tx, account, kind, [row for row in rows if row.type == kind.key])


async def _require_single(
    tx: Reading, account: AccountId, kind: TypeRow, rows: Sequence[RelationshipRow]
) -> None:
    """Refuse a second target of one source."""
    if not rows:
        return
    present = await tx.from_sources([kind.key], {row.source for row in rows})
    now = rows[0].created_at
    living = [row for row in present if row.expires_at is None or row.expires_at > now]
    require_single(account, kind, rows, {row.source: (row.target, row.id) for row in living})


def require_single(
    account: AccountId, kind: TypeRow, rows: Sequence[RelationshipRow], target_of: dict[str, tuple[str, str]]
) -> None:
    """Refuse a second target of one source, where the type allows one.

    Args:
        rows: new ones, of this type.
        target_of: where sources lead to already, and over which relationship.

    Raises:
        AlreadyExistsError: names the relationship that stands there.
    """
    for row in rows:
        target, name = target_of.setdefault(row.source, (row.target, row.id))
        if target != row.target:
            raise AlreadyExistsError(
                f"the relationship type `{kind.key}` allows one target per source",
                metadata={"name": f"accounts/{account}/relationships/{name}"},
            )
