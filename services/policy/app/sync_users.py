"""SyncUsers: the directory of people and their roles, kept as the assignment service tells it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from libs.decision.rows import ROLES, User
from libs.kernel.clock import Clock
from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId
from services.policy.app.ports import Store, UnchangedError


class SyncUsers:
    """Changes the directory in one transaction and one revision; none when nothing changes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self,
        account: AccountId,
        users: Sequence[User],
        removed: Collection[int],
        *,
        complete: bool,
        actor: str = "",
    ) -> tuple[int, int]:
        """Add, change and remove users; return how many changed, and the revision.

        Args:
            removed: they go with their relationships; one who is also in `users` goes.
            complete: whoever is not in `users` goes too.

        Raises:
            InvalidRequestError: a role is none of the seed's three, or an id is no id.
        """
        faults = [
            FieldViolation(f"users[{i}].role", f"is not one of {', '.join(ROLES)}")
            for i, row in enumerate(users)
            if row.role not in ROLES
        ]
        faults += [
            FieldViolation(f"users[{i}].user_id", "is not a user id")
            for i, row in enumerate(users)
            if row.id <= 0
        ]
        if faults:
            raise InvalidRequestError(f"`{faults[0].field}` {faults[0].description}", violations=faults)
        try:
            async with self._store.transaction(account) as tx:
                revision = await tx.next_revision(actor, self._clock.now())
                gone = set(removed)
                if complete:
                    gone |= {row.id for row in await tx.users()} - {row.id for row in users}
                changed = await tx.put_users([row for row in users if row.id not in gone])
                people, relationships = await tx.remove_users(gone)
                changed += people
                if not changed and not relationships:
                    raise UnchangedError(revision - 1)
        except UnchangedError as unchanged:
            return 0, unchanged.revision
        return changed, revision
