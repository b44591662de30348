"""LookupSubjects: the users who may act on a record."""

from __future__ import annotations

from dataclasses import dataclass

from libs.decision.lookups import allowed_users, role_grants
from libs.decision.snapshot import Snapshot
from libs.kernel.ids import AccountId
from services.policy.app import needed
from services.policy.app.asked import Asked, Question
from services.policy.app.basis import Bases
from services.policy.app.ports import Reading

_PART = 1000


@dataclass(frozen=True, slots=True)
class SubjectsPage:
    """A page of users.

    Attributes:
        ids: ascending.
        more: whether there are further ones.
        roles: rows whose every holder may, known or not.
        revision: that the next page must be of.
        now: second of the epoch that counts for the next page too.
    """

    ids: tuple[int, ...]
    more: bool
    roles: tuple[str, ...]
    revision: int
    now: float


class LookupSubjects:
    """Decides for each user of the directory: whom it does not know is never listed.

    That is by the rules of a check, which denies them (facts: policy, decision 14).
    """

    def __init__(self, bases: Bases) -> None:
        self._bases = bases

    async def __call__(
        self, account: AccountId, question: Question, asked: Asked, *, after: int, limit: int
    ) -> SubjectsPage:
        """Return the users beyond `after`, at most `limit`.

        Args:
            question: its user does not count.

        Raises:
            RevisionUnknownError, RevisionNotKeptError, DependencyUnavailableError: as `Bases.on`.
        """
        type_name, record = question.object_type, question.record

        async def need(tx: Reading, revision: int, at: int | None) -> Snapshot:
            return await needed.for_record(tx, type_name, record, revision, at, after)

        basis = await self._bases.on(account, asked.freshness, need)
        users = sorted((u for i, u in basis.snapshot.users.items() if i > after), key=lambda user: user.id)
        found: list[int] = []
        for start in range(0, len(users), _PART):
            part = users[start : start + _PART]
            found += allowed_users(
                basis.snapshot, part, question.action, type_name, record, basis.now, question.given
            )
            if len(found) > limit:
                break
        roles = role_grants(basis.snapshot, question.action, type_name, record)
        return SubjectsPage(tuple(found[:limit]), len(found) > limit, tuple(roles), basis.revision, basis.now)
