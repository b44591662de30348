"""CheckPermission and its kin: one decision, many, explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, IdSource
from services.policy.app.facts import Facts, Question
from services.policy.app.ports import Answer, LogRow, Store
from services.policy.app.tokens import revision_of
from services.policy.domain.decide import User
from services.policy.domain.errors import RevisionAheadError


@dataclass(frozen=True, slots=True)
class Asked:
    """What every question about rights is asked with.

    Attributes:
        acting: the person who asks, with the role that his verified token states: it wins over the
            directory, which knows no end users (facts: policy, decision 9). None = a service asks.
        at_least: consistency token; empty = any state.
    """

    acting: User | None = None
    at_least: str = ""


def require_revision(revision: int, at_least: str) -> None:
    """Refuse to answer from a state before a token's write.

    Raises:
        InvalidRequestError: it is no token.
        RevisionAheadError: the token names a write that is not here yet.
    """
    if at_least and revision_of(at_least) > revision:
        raise RevisionAheadError("this replica has not caught up with the token yet", retry_after_seconds=0.2)


class Check:
    """Decides on the account's present state; every decision is logged with its reason."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def __call__(
        self, account: AccountId, questions: Sequence[Question], asked: Asked | None = None
    ) -> list[Answer]:
        """Answer questions, in their order, each one, all on one revision.

        Raises:
            InvalidRequestError: the token is none.
            RevisionAheadError: the token names a write that is not here yet.
        """
        asked, now = asked or Asked(), self._clock.now()
        async with self._store.snapshot(account) as tx:
            revision = await tx.revision()
            require_revision(revision, asked.at_least)
            facts = await Facts.load(tx, questions, asked.acting, now)
            answers = [Answer(facts.decide(question), revision) for question in questions]
            await tx.log(
                [
                    LogRow(
                        self._ids.new("log"),
                        now,
                        question.user,
                        question.action,
                        question.object_type,
                        question.record,
                        answer.decided.allowed,
                        answer.decided.reason,
                        revision,
                    )
                    for question, answer in zip(questions, answers, strict=True)
                ]
            )
        return answers
