"""Types and their permissions: create, change, delete; all or nothing, one revision each."""

from __future__ import annotations

import json
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import EtagMismatchError, InvalidRequestError, NotFoundError
from libs.kernel.ids import AccountId
from services.policy.app.ports import OBJECT, RELATIONSHIP, Store, TypeRow
from services.policy.domain.errors import AlreadyExistsError, TypeInUseError
from services.policy.domain.permissions import merge, new_permissions

USER = "zen:user"


class ManageTypes:
    """Changes types."""

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
        """Make a type with its default policy.

        Raises:
            AlreadyExistsError: the key is taken by a type of this kind.
        """
        row = TypeRow(kind, key, new_permissions(), self._clock.now(), source, target, many)
        try:
            return row, await self._create(account, row, validate_only=validate_only)
        except _DryRunError as dry:
            return dry.row, dry.revision

    async def _create(self, account: AccountId, row: TypeRow, *, validate_only: bool) -> int:
        kind, key = row.kind, row.key
        async with self._store.transaction(account) as tx:
            revision = await tx.next_revision()
            if await tx.type(kind, key) is not None:
                name = f"accounts/{account}/{kind}Types/{key}"
                raise AlreadyExistsError(f"the {kind} type `{key}` exists", metadata={"name": name})
            if validate_only:
                raise _DryRunError(row, revision - 1)
            await tx.add_type(row)
        return revision

    async def get(self, account: AccountId, kind: str, key: str) -> TypeRow:
        """Return a type.

        Raises:
            NotFoundError: there is none of this kind.
        """
        async with self._store.transaction(account) as tx:
            row = await tx.type(kind, key)
        if row is None:
            raise _missing(account, kind, key)
        return row

    async def update_permissions(
        self, account: AccountId, kind: str, key: str, patch_json: str, etag: str, *, validate_only: bool
    ) -> tuple[TypeRow, int]:
        """Merge a patch into a type's permissions under the account's lock; nothing changes, no revision.

        Raises:
            NotFoundError, EtagMismatchError, PermissionsInvalidError.
        """
        try:
            patch = json.loads(patch_json)
        except ValueError:
            raise InvalidRequestError("the merge patch is not JSON") from None
        try:
            return await self._update(account, kind, key, patch, etag, validate_only=validate_only)
        except _DryRunError as dry:
            return dry.row, dry.revision

    async def _update(
        self, account: AccountId, kind: str, key: str, patch: object, etag: str, *, validate_only: bool
    ) -> tuple[TypeRow, int]:
        async with self._store.transaction(account) as tx:
            revision = await tx.next_revision()  # the lock comes first: two admins must both survive
            row = await tx.type(kind, key)
            if row is None:
                raise _missing(account, kind, key)
            if etag and etag != str(row.version):
                name = f"accounts/{account}/{kind}Types/{key}/permissions"
                raise EtagMismatchError(
                    "the permissions changed since they were read", metadata={"name": name}
                )
            carriers = {t.key for t in await tx.types(RELATIONSHIP) if t.source == USER and t.target == key}
            merged = merge(
                row.permissions, patch, object_type=kind == OBJECT, may_carry=carriers.__contains__
            )
            changed = replace(row, permissions=merged, version=row.version + (merged != row.permissions))
            if validate_only or merged == row.permissions:
                raise _DryRunError(changed, revision - 1)
            await tx.put_permissions(changed)
        return changed, revision

    async def delete(self, account: AccountId, kind: str, key: str, *, validate_only: bool) -> int:
        """Delete a type.

        Raises:
            NotFoundError: there is none.
            TypeInUseError: relationships, relationship types or policies refer to it.
        """
        try:
            return await self._delete(account, kind, key, validate_only=validate_only)
        except _DryRunError as dry:
            return dry.revision

    async def _delete(self, account: AccountId, kind: str, key: str, *, validate_only: bool) -> int:
        async with self._store.transaction(account) as tx:
            revision = await tx.next_revision()
            row = await tx.type(kind, key)
            if row is None:
                raise _missing(account, kind, key)
            others = await tx.types()
            used = await tx.relationships(type_key=key, limit=1) if kind == RELATIONSHIP else []
            used_by = [t.key for t in others if key in (t.source, t.target) or key in t.permissions["rebac"]]
            if used or used_by:
                raise TypeInUseError(f"records or policies refer to `{key}`", metadata={"name": key})
            if validate_only:
                raise _DryRunError(row, revision - 1)
            await tx.delete_type(kind, key)
        return revision


class _DryRunError(Exception):
    """Ends a transaction without a change; carries what the answer would be."""

    def __init__(self, row: TypeRow, revision: int) -> None:
        super().__init__()
        self.row = row
        self.revision = revision


def _missing(account: AccountId, kind: str, key: str) -> NotFoundError:
    return NotFoundError(
        f"there is no {kind} type `{key}`", metadata={"name": f"accounts/{account}/{kind}Types/{key}"}
    )
