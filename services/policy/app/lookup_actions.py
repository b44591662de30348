"""LookupActions: what a user may do with a record."""

from __future__ import annotations

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.policy.app.check import Asked, require_revision
from services.policy.app.facts import Facts, Question
from services.policy.app.ports import Store
from services.policy.domain.decide import ACTIONS


class LookupActions:
    """Asks for every action at once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, account: AccountId, user: int, object_type: str, record: str, asked: Asked
    ) -> list[str]:
        """Return the actions that a check would allow.

        Args:
            record: empty = the type itself, or a record to be created.

        Raises:
            InvalidRequestError, RevisionAheadError: as a check does.
        """
        questions = [Question(user, action, object_type, record) for action in ACTIONS]
        async with self._store.snapshot(account) as tx:
            require_revision(await tx.revision(), asked.at_least)
            facts = await Facts.load(tx, questions, asked.acting, self._clock.now())
        return [question.action for question in questions if facts.decide(question).allowed]
