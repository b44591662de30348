"""Types and their permissions: create, change, delete; all or nothing, one revision each."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import EtagMismatchError, FieldViolation, InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId
from services.policy.app.ports import OBJECT, RELATIONSHIP, Store, Transaction, TypeRow, UnchangedError
from services.policy.domain.ends import RESERVED_KEYS, USER, is_zendesk_type
from services.policy.domain.errors import AlreadyExistsError, TypeInUseError
from services.policy.domain.patch import parse_patch
from services.policy.domain.permissions import merge, new_permissions


class ManageTypes:
    """Changes types. Who may is decided by role, before (facts: policy, decision 8)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self,
        account: AccountId,
        kind: str,
        key: str,
        *,
        source: str = "",
        target: str = "",
        many: bool = False,
        validate_only: bool = False,
    ) -> tuple[TypeRow, int]:
        """Make a type with its default policy; return it and the revision.

        Args:
            kind: object or relationship.
            source: of a relationship type: one of Zendesk's types or an object type's key.
            target: the same.

        Raises:
            AlreadyExistsError: the key is taken by a type of this kind.
            InvalidRequestError: the key is reserved, or an end is no type.
        """
        if kind == OBJECT and key in RESERVED_KEYS:
            raise InvalidRequestError(
                f"`{key}` means the types themselves",
                violations=[FieldViolation("key", f"is none of {', '.join(RESERVED_KEYS)}")],
            )
        row = TypeRow(kind, key, new_permissions(), self._clock.now(), source, target, many)
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision()
                if await tx.type(kind, key) is not None:
                    raise AlreadyExistsError(
                        f"the {kind} type `{key}` exists", metadata={"name": _name(account, kind, key)}
                    )
                if kind == RELATIONSHIP:
                    await _require_ends(tx, row)
                if validate_only:
                    raise UnchangedError(revision - 1)
                await tx.add_type(row)
        except UnchangedError as unchanged:
            return row, unchanged.revision
        return row, revision

    async def update_permissions(
        self, account: AccountId, kind: str, key: str, patch_json: str, etag: str, *, validate_only: bool
    ) -> tuple[TypeRow, int]:
        """Merge a patch into a type's permissions under the account's lock; nothing changes, no revision.

        Args:
            patch_json: the value of `data`.
            etag: the version that was read; empty = any.

        Raises:
            NotFoundError: there is no such type.
            InvalidRequestError: the patch is not JSON, or not JSON that we take.
            EtagMismatchError: the permissions have another version.
            PermissionsInvalidError: the patch breaks rules; in this order (facts: policy §1.7).
        """
        changed: TypeRow | None = None
        try:
            async with self._store.transaction(account) as tx:
                # The lock comes first: of two admins who patch different members both must survive.
                revision = await tx.next_revision()
                row = await _require(tx, account, kind, key)
                patch = parse_patch(patch_json)
                if etag and etag != str(row.version):
                    raise EtagMismatchError(
                        "the permissions changed since they were read",
                        metadata={"name": f"{_name(account, kind, key)}/permissions"},
                    )
                carriers = {
                    t.key for t in await tx.types(RELATIONSHIP) if t.source == USER and t.target == key
                }
                merged = merge(
                    row.permissions, patch, object_type=kind == OBJECT, may_carry=carriers.__contains__
                )
                differs = merged != row.permissions
                changed = replace(row, permissions=merged, version=row.version + differs)
                if validate_only or not differs:
                    raise UnchangedError(revision - 1)
                await tx.put_permissions(changed)
        except UnchangedError as unchanged:
            revision = unchanged.revision
        assert changed is not None  # noqa: S101 - both ways out of the transaction have set it
        return changed, revision

    async def delete(self, account: AccountId, kind: str, key: str, *, validate_only: bool) -> int:
        """Delete a type; return the revision.

        Raises:
            NotFoundError: there is none.
            TypeInUseError: relationships, relationship types or policies refer to it.
        """
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision()
                await _require(tx, account, kind, key)
                if await _is_used(tx, kind, key):
                    raise TypeInUseError(
                        f"records or policies refer to `{key}`", metadata={"name": _name(account, kind, key)}
                    )
                if validate_only:
                    raise UnchangedError(revision - 1)
                await tx.delete_type(kind, key)
        except UnchangedError as unchanged:
            return unchanged.revision
        return revision


async def _require_ends(tx: Transaction, row: TypeRow) -> None:
    faults = [
        FieldViolation(field, "is neither one of Zendesk's types nor an object type")
        for field, end in (("source", row.source), ("target", row.target))
        if not is_zendesk_type(end) and await tx.type(OBJECT, end) is None
    ]
    if faults:
        ends = ", ".join(f"`{fault.field}`" for fault in faults)
        raise InvalidRequestError(f"{ends}: there is no such type", violations=faults)


async def _is_used(tx: Transaction, kind: str, key: str) -> bool:
    """Tell whether something refers to a type; keys of the two kinds are two name spaces."""
    if kind == OBJECT:
        return any(key in (t.source, t.target) for t in await tx.types(RELATIONSHIP))
    if any(key in t.permissions["rebac"] for t in await tx.types(OBJECT)):
        return True
    return bool(await tx.relationships(types=[key], limit=1))


async def _require(tx: Transaction, account: AccountId, kind: str, key: str) -> TypeRow:
    row = await tx.type(kind, key)
    if row is None:
        raise missing_type(account, kind, key)
    return row


def _name(account: AccountId, kind: str, key: str) -> str:
    return f"accounts/{account}/{kind}Types/{key}"


def missing_type(account: AccountId, kind: str, key: str) -> NotFoundError:
    """Return the error for a type that this account does not have."""
    return NotFoundError(f"there is no {kind} type `{key}`", metadata={"name": _name(account, kind, key)})
