"""ListEverythingOf: every right of a user, whatever the type (asked for in vain of OpenFGA, #1308)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from libs.decision.lookups import Right, every_right
from libs.decision.rows import User
from libs.decision.snapshot import Snapshot
from libs.kernel.ids import AccountId
from services.policy.app import needed
from services.policy.app.asked import Asked
from services.policy.app.basis import Bases
from services.policy.app.ports import Reading

EVERY_RECORD = "*"
START: Right = ("", "", "")
"""The position in front of the first right."""


def shown(right: Right) -> str:
    """Return a right as `{type}/{record or *}/{action}`; a relationship type is `relationship:{key}`."""
    type_name, record, action = right
    return f"{type_name}/{record or EVERY_RECORD}/{action}"


@dataclass(frozen=True, slots=True)
class RightsPage:
    """A page of rights, by type, record and action, those on every record first.

    Attributes:
        more: whether there are further ones.
        revision: that the next page must be of.
        now: second of the epoch that counts for the next page too.
    """

    rights: tuple[Right, ...]
    more: bool
    revision: int
    now: float


class ListEverythingOf:
    """Lists exactly what checks would allow, at one revision over all pages."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases

    async def __call__(
        self, account: AccountId, user: int, asked: Asked, *, after: Right, limit: int
    ) -> RightsPage:
        """Return the rights beyond `after`, at most `limit`.

        Raises:
            RevisionUnknownError, RevisionNotKeptError, DependencyUnavailableError: as `Bases.on`.
        """

        async def need(tx: Reading, revision: int, at: int | None) -> Snapshot:
            known = asked.acting if asked.acting is not None and asked.acting.id == user else None
            return await needed.for_user(tx, known or User(user, ""), None, revision, at)

        basis = await self._bases.on(account, asked.freshness, need)
        subject = asked.person(basis.snapshot, user)
        rights = (right for right in every_right(basis.snapshot, subject, basis.now) if right > after)
        page = tuple(islice(rights, limit + 1))
        return RightsPage(page[:limit], len(page) > limit, basis.revision, basis.now)
