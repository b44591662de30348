"""LookupResources: the records that a user may act on."""

from __future__ import annotations

from dataclasses import dataclass

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.policy.app.check import Asked, require_revision
from services.policy.app.facts import find_type, load_types, load_user
from services.policy.app.ports import Store
from services.policy.domain.ends import user_end
from services.policy.domain.rights import rights_of


@dataclass(frozen=True, slots=True)
class Records:
    """A page of records.

    Attributes:
        all_records: a role allows every record, so none is listed.
        ids: by code point.
        more: whether there are further ones.
    """

    all_records: bool
    ids: tuple[str, ...] = ()
    more: bool = False


class LookupResources:
    """Lists records through relationships, from the index by source.

    Pages go on behind the last record id, so a record that may be acted on all the while is on exactly one
    of them, whatever is written meanwhile.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self,
        account: AccountId,
        user: int,
        action: str,
        object_type: str,
        asked: Asked,
        *,
        after: str,
        limit: int,
    ) -> Records:
        """Return the records beyond `after`, at most `limit`.

        Raises:
            InvalidRequestError, RevisionAheadError: as a check does.
        """
        async with self._store.snapshot(account) as tx:
            require_revision(await tx.revision(), asked.at_least)
            found = find_type(await load_types(tx), object_type)
            subject = await load_user(tx, user, asked.acting)
            rights = rights_of(subject, found.permissions if found else None)
            if action in rights.on_all:
                return Records(all_records=True)
            carriers = rights.carriers(action)
            if not carriers:
                return Records(all_records=False)
            rows = await tx.targets(user_end(user), carriers, self._clock.now(), after=after, limit=limit + 1)
        return Records(False, tuple(target for target, _ in rows[:limit]), len(rows) > limit)
