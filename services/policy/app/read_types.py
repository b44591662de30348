"""Types and their permissions, for those who may see them."""

from __future__ import annotations

from libs.decision.rows import User
from libs.kernel.errors import PermissionDeniedError
from libs.kernel.ids import AccountId
from services.policy.app.asked import Freshness
from services.policy.app.basis import kept_revision
from services.policy.app.manage_types import missing_type
from services.policy.app.ports import Store, TypeRow
from services.policy.domain.roles import allowed_by_role


def may_read(person: User | None, row: TypeRow | None) -> bool:
    """Tell whether a person may read a type: whoever reads its records by role, and admins (seed 002).

    A type that is not there is readable by admins only, so that nobody else learns which ones are.
    """
    if person is None or person.role == "admin":
        return True
    return row is not None and allowed_by_role(person, "read", row.permissions)


class ReadTypes:
    """Reads types. `person` is None when a service asks, which may read everything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, account: AccountId, kind: str, key: str, person: User | None = None) -> TypeRow:
        """Return a type.

        Raises:
            PermissionDeniedError: the person may not read the type.
            NotFoundError: there is none of this kind.
        """
        async with self._store.snapshot(account) as tx:
            row = await tx.type(kind, key)
        if not may_read(person, row):
            raise PermissionDeniedError("your role may not read this type")
        if row is None:
            raise missing_type(account, kind, key)
        return row

    async def as_of(self, account: AccountId, kind: str, key: str, freshness: Freshness) -> TypeRow:
        """Return a type as of a kept revision; the present one, when none is asked for.

        Raises:
            NotFoundError: there was none of this kind.
            RevisionUnknownError, RevisionNotKeptError: as for a decision.
        """
        async with self._store.snapshot(account) as tx:
            revision = await kept_revision(tx, await tx.state(), freshness)
            rows = await tx.types(kind, at=revision)
        found = next((row for row in rows if row.key == key), None)
        if found is None:
            raise missing_type(account, kind, key)
        return found

    async def list(
        self, account: AccountId, kind: str, person: User | None = None, *, after: str, limit: int
    ) -> tuple[list[TypeRow], bool]:
        """Return types beyond the key `after`, at most `limit`, and whether there are more.

        Types that the person may not read are left out.
        """
        async with self._store.snapshot(account) as tx:
            rows = [row for row in await tx.types(kind) if row.key > after and may_read(person, row)]
        return rows[:limit], len(rows) > limit
