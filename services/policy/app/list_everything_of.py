"""ListEverythingOf: every right of a user, whatever the type (asked for in vain of OpenFGA, #1308)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.policy.app.facts import load_user
from services.policy.app.ports import Store, Transaction, TypeRow
from services.policy.domain.decide import User
from services.policy.domain.ends import user_end
from services.policy.domain.rights import Rights, rights_of

EVERY_RECORD = "*"
Right = tuple[str, str, str]
"""Type, record or empty for every record, action: also the position that a page goes on behind."""

START: Right = ("", "", "")
_CHUNK = 1000


def shown(right: Right) -> str:
    """Return a right as `{type}/{record or *}/{action}`; a relationship type is `relationship:{key}`."""
    type_name, record, action = right
    return f"{type_name}/{record or EVERY_RECORD}/{action}"


class ListEverythingOf:
    """Lists rights by type, record and action, the ones on every record first."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, account: AccountId, user: int, acting: User | None, *, after: Right, limit: int
    ) -> tuple[list[Right], bool]:
        """Return the rights beyond `after`, at most `limit`, and whether there are more.

        Args:
            acting: the person who asks, whose role his token states.
        """
        found: list[Right] = []
        async with self._store.snapshot(account) as tx:
            subject = await load_user(tx, user, acting)
            if subject is None:
                return [], False
            for row in sorted(await tx.types(), key=lambda row: row.name):
                if row.name < after[0]:
                    continue
                async for right in _of_type(tx, subject, row, after, self._clock.now()):
                    if right > after:
                        found.append(right)
                    if len(found) > limit:
                        return found[:limit], True
        return found, False


async def _of_type(
    tx: Transaction, user: User, row: TypeRow, after: Right, now: datetime
) -> AsyncIterator[Right]:
    rights = rights_of(user, row.permissions)
    for action in sorted(rights.on_all):
        yield row.name, "", action
    if not rights.by_relationship:
        return
    behind = after[1] if row.name == after[0] else ""
    if behind:  # the last record of the page before may have further actions
        for key in (await tx.related([(user_end(user.id), behind)], now)).values():
            for action in _actions(rights, frozenset(key)):
                yield row.name, behind, action
    while True:
        chunk = await tx.targets(
            user_end(user.id), sorted(rights.by_relationship), now, after=behind, limit=_CHUNK
        )
        for record, types in chunk:
            for action in _actions(rights, types):
                yield row.name, record, action
        if len(chunk) < _CHUNK:
            return
        behind = chunk[-1][0]


def _actions(rights: Rights, types: frozenset[str]) -> list[str]:
    return sorted({a for key in types for a in rights.by_relationship.get(key, frozenset())})
