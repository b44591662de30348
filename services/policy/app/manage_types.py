"""Types and their permissions: create, change, delete; all or nothing, one revision each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from libs.decision.rows import USER, Json
from libs.kernel.clock import Clock
from libs.kernel.errors import EtagMismatchError, FieldViolation, InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId
from services.policy.app.ports import (
    OBJECT,
    RELATIONSHIP,
    AccountSettings,
    Reading,
    Store,
    TypeRow,
    UnchangedError,
)
from services.policy.app.repeats import NO_REPEAT, AnsweredError, Repeat, remember, require_new
from services.policy.domain.ends import RESERVED_KEYS, is_zendesk_type
from services.policy.domain.errors import AlreadyExistsError, TypeInUseError
from services.policy.domain.extensions import check_extensions
from services.policy.domain.patch import parse_patch
from services.policy.domain.permissions import merge, new_permissions


@dataclass(frozen=True, slots=True)
class Changed:
    """A type as it is now.

    Attributes:
        before: as it was.
        ignored: JSON pointers of members that a lenient account ignores.
    """

    row: TypeRow
    before: TypeRow
    revision: int
    ignored: tuple[str, ...] = ()


Change: TypeAlias = Callable[[Reading, TypeRow], Awaitable[tuple[TypeRow, list[str]]]]
"""Returns a type as it is to be, and JSON pointers of what was ignored."""


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
        actor: str = "",
        validate_only: bool = False,
        repeat: Repeat = NO_REPEAT,
    ) -> tuple[TypeRow, int]:
        """Make a type with its default policy; return it and the revision.

        Args:
            kind: object or relationship.
            source: of a relationship type: one of Zendesk's types or an object type's key.
            target: the same.
            actor: who does it, for the change log.

        Raises:
            AlreadyExistsError: the key is taken by a type of this kind.
            RequestIdReusedError: the id of the command was used for another.
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
                revision = await tx.next_revision(actor, self._clock.now())
                await require_new(tx, account, repeat)
                if await tx.type(kind, key) is not None:
                    raise AlreadyExistsError(
                        f"the {kind} type `{key}` exists", metadata={"name": _name(account, kind, key)}
                    )
                if kind == RELATIONSHIP:
                    await _require_ends(tx, row)
                if validate_only:
                    raise UnchangedError(revision - 1)
                await tx.add_type(row)
                await remember(tx, account, repeat, at=row.created_at.isoformat(), revision=revision)
        except UnchangedError as unchanged:
            return row, unchanged.revision
        except AnsweredError as before:
            made = datetime.fromisoformat(before.answer["at"])
            return replace(row, created_at=made), before.answer["revision"]
        return row, revision

    async def update_permissions(
        self,
        account: AccountId,
        kind: str,
        key: str,
        patch_json: str,
        etag: str = "",
        *,
        actor: str = "",
        validate_only: bool = False,
    ) -> Changed:
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

        async def change(tx: Reading, row: TypeRow) -> tuple[TypeRow, list[str]]:
            patch = parse_patch(patch_json)
            _require_etag(account, row, etag)
            types = {t.key: t for t in await tx.types(RELATIONSHIP)}
            return patched(row, patch, types, await tx.settings())

        return await self._change(account, kind, key, change, actor, validate_only=validate_only)

    async def update_extensions(
        self,
        account: AccountId,
        key: str,
        extensions: Json,
        etag: str = "",
        *,
        actor: str = "",
        validate_only: bool = False,
    ) -> Changed:
        """Replace what an object type's policies have beyond the seed.

        Raises:
            NotFoundError: there is no such type.
            EtagMismatchError: the permissions have another version.
            ExtensionsInvalidError: they break rules.
        """

        async def change(tx: Reading, row: TypeRow) -> tuple[TypeRow, list[str]]:
            _require_etag(account, row, etag)
            check_extensions(extensions, row, {t.key: t for t in await tx.types(RELATIONSHIP)})
            return extended(row, extensions), []

        return await self._change(account, OBJECT, key, change, actor, validate_only=validate_only)

    async def _change(
        self, account: AccountId, kind: str, key: str, change: Change, actor: str, *, validate_only: bool
    ) -> Changed:
        """Change a type under the account's lock; nothing differs, no revision."""
        changed: Changed | None = None
        try:
            async with self._store.transaction(account) as tx:
                # The lock comes first: of two admins who patch different members both must survive.
                revision = await tx.next_revision(actor, self._clock.now())
                row = await _require(tx, account, kind, key)
                after, ignored = await change(tx, row)
                changed = Changed(after, row, revision, tuple(ignored))
                if validate_only or after == row:
                    raise UnchangedError(revision - 1)
                await tx.put_permissions(after)
        except UnchangedError as unchanged:
            assert changed is not None  # noqa: S101 - it is raised after that was set
            return replace(changed, revision=unchanged.revision)
        return changed

    async def delete(
        self, account: AccountId, kind: str, key: str, *, actor: str = "", validate_only: bool
    ) -> int:
        """Delete a type; return the revision.

        Raises:
            NotFoundError: there is none.
            TypeInUseError: records, relationship types or policies refer to it.
        """
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(actor, self._clock.now())
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


def patched(
    row: TypeRow, patch: object, types: Mapping[str, TypeRow], settings: AccountSettings
) -> tuple[TypeRow, list[str]]:
    """Return a type after a merge patch, and what was ignored of it.

    Args:
        types: relationship types by key.

    Raises:
        PermissionsInvalidError: the patch breaks rules.
    """
    carriers = {t.key for t in types.values() if t.source == USER and t.target == row.key}
    merged, ignored = merge(
        row.permissions,
        patch,
        object_type=row.kind == OBJECT,
        may_carry=carriers.__contains__,
        lenient=settings.lenient_patches,
    )
    if merged == row.permissions:
        return row, ignored
    conditions = row.extensions.get("conditions", {})
    gone = [
        name for name in conditions if name != "rbac" and name.removeprefix("rebac/") not in merged["rebac"]
    ]
    extensions = row.extensions
    if gone:  # a condition goes with the policy that it stands on
        extensions = {**extensions, "conditions": {k: v for k, v in conditions.items() if k not in gone}}
    return replace(row, permissions=merged, extensions=extensions, version=row.version + 1), ignored


def extended(row: TypeRow, extensions: Json) -> TypeRow:
    """Return a type with these extensions; the same row when they are what it has."""
    kept = {name: value for name, value in extensions.items() if value}
    if kept == row.extensions:
        return row
    return replace(row, extensions=kept, version=row.version + 1)


def _require_etag(account: AccountId, row: TypeRow, etag: str) -> None:
    if etag and etag != str(row.version):
        raise EtagMismatchError(
            "the permissions changed since they were read",
            metadata={"name": f"{_name(account, row.kind, row.key)}/permissions"},
        )


async def _require_ends(tx: Reading, row: TypeRow) -> None:
    faults = [
        FieldViolation(field, "is neither one of Zendesk's types nor an object type")
        for field, end in (("source", row.source), ("target", row.target))
        if not is_zendesk_type(end) and await tx.type(OBJECT, end) is None
    ]
    if faults:
        ends = ", ".join(f"`{fault.field}`" for fault in faults)
        raise InvalidRequestError(f"{ends}: there is no such type", violations=faults)


async def _is_used(tx: Reading, kind: str, key: str) -> bool:
    """Tell whether something refers to a type; keys of the two kinds are two name spaces."""
    if kind == OBJECT:
        if any(key in (t.source, t.target) for t in await tx.types(RELATIONSHIP)):
            return True
        return bool(await tx.objects([key], limit=1))
    for row in await tx.types(OBJECT):
        paths = [policy["path"] for policy in row.extensions.get("policies", {}).values()]
        if key in row.permissions["rebac"] or any(step["type"] == key for path in paths for step in path):
            return True
    return bool(await tx.relationships(types=[key], limit=1))


async def _require(tx: Reading, account: AccountId, kind: str, key: str) -> TypeRow:
    row = await tx.type(kind, key)
    if row is None:
        raise missing_type(account, kind, key)
    return row


def _name(account: AccountId, kind: str, key: str) -> str:
    return f"accounts/{account}/{kind}Types/{key}"


def missing_type(account: AccountId, kind: str, key: str) -> NotFoundError:
    """Return the error for a type that this account does not have."""
    return NotFoundError(f"there is no {kind} type `{key}`", metadata={"name": _name(account, kind, key)})
