"""LookupActions: what a user may do with a record."""

from __future__ import annotations

from libs.decision.lookups import allowed_actions
from libs.decision.snapshot import Snapshot
from libs.kernel.ids import AccountId
from services.policy.app import needed
from services.policy.app.asked import Asked, Question
from services.policy.app.basis import Bases
from services.policy.app.ports import Reading


class LookupActions:
    """Asks for every action at once."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases

    async def __call__(self, account: AccountId, question: Question, asked: Asked) -> list[str]:
        """Return the actions that a check would allow.

        Args:
            question: its action does not count; an empty record = the type itself, or a record to be created.

        Raises:
            RevisionUnknownError, RevisionNotKeptError, DependencyUnavailableError: as `Bases.on`.
        """

        async def need(tx: Reading, revision: int, at: int | None) -> Snapshot:
            return await needed.for_questions(tx, [question], revision, at)

        basis = await self._bases.on(account, asked.freshness, need)
        return allowed_actions(
            basis.snapshot,
            question.subject(basis.snapshot, asked),
            question.object_type,
            question.record,
            basis.now,
            question.given,
        )
