"""LookupSubjects: the users who may act on a record."""

from __future__ import annotations

from dataclasses import dataclass

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.policy.app.check import Asked, require_revision
from services.policy.app.facts import Facts, Question
from services.policy.app.ports import Store

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Subjects:
    """A page of users.

    Attributes:
        ids: ascending.
        more: whether there are further ones.
    """

    ids: tuple[int, ...]
    more: bool


class LookupSubjects:
    """Walks the directory and decides for each: users whom it does not know are never listed.

    That is by the rules of a check, which denies them (facts: policy, decision 14). Pages go on behind the
    last user id, as those of LookupResources.
    """

    def __init__(self, store: Store, clock: Clock, chunk: int = CHUNK) -> None:
        self._store = store
        self._clock = clock
        self._chunk = chunk

    async def __call__(
        self,
        account: AccountId,
        action: str,
        object_type: str,
        record: str,
        asked: Asked,
        *,
        after: int,
        limit: int,
    ) -> Subjects:
        """Return the users beyond `after`, at most `limit`.

        Raises:
            InvalidRequestError, RevisionAheadError: as a check does.
        """
        found: list[int] = []
        now = self._clock.now()
        async with self._store.snapshot(account) as tx:
            require_revision(await tx.revision(), asked.at_least)
            while len(found) <= limit:
                users = await tx.users(after=after, limit=self._chunk)
                questions = [Question(row.user.id, action, object_type, record) for row in users]
                facts = await Facts.load(tx, questions, asked.acting, now)
                found += [q.user for q in questions if facts.decide(q).allowed]
                if len(users) < self._chunk:
                    break
                after = users[-1].user.id
        return Subjects(tuple(found[:limit]), len(found) > limit)
