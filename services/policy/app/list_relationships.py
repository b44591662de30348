"""ListRelationships: records by type, source or target."""

from __future__ import annotations

from libs.decision.rows import User
from libs.kernel.errors import PermissionDeniedError
from libs.kernel.ids import AccountId
from services.policy.app.ports import RELATIONSHIP, RelationshipRow, Store
from services.policy.domain.roles import allowed_by_role


class ListRelationships:
    """Lists records of the types that a person may read by role; a service (None) reads all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(
        self,
        account: AccountId,
        person: User | None,
        *,
        type_key: str,
        source: str,
        target: str,
        after: str,
        limit: int,
    ) -> tuple[list[RelationshipRow], bool]:
        """Return records beyond the id `after`, at most `limit`, and whether there are more.

        Args:
            type_key: only of this type; empty = of every type that may be read.

        Raises:
            PermissionDeniedError: the person may not read records of the type.
        """
        async with self._store.snapshot(account) as tx:
            types = {type_key} if type_key else None
            if person is not None:
                readable = {
                    row.key
                    for row in await tx.types(RELATIONSHIP)
                    if allowed_by_role(person, "read", row.permissions)
                }
                types = readable & types if types else readable
                if type_key and not types:
                    raise PermissionDeniedError("the relationship type does not let you read its records")
            rows = await tx.relationships(
                types=types, source=source, target=target, after=after, limit=limit + 1
            )
        return rows[:limit], len(rows) > limit
