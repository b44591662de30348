"""CheckPermission and its kin: one decision, many, explained, and what a user may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.kernel.clock import Clock
from libs.kernel.errors import InvalidRequestError
from libs.kernel.ids import AccountId, IdSource
from services.policy.app.ports import OBJECT, RELATIONSHIP, Answer, LogRow, Store, Transaction
from services.policy.domain.decide import decide
from services.policy.domain.errors import RevisionAheadError

ACTIONS = ("create", "read", "update", "delete")
_TOKEN = "zt1."  # noqa: S105 - the form of a consistency token, no secret


@dataclass(frozen=True, slots=True)
class Question:
    """May this user do this to this record?

    Attributes:
        record: empty = the type itself, or a record to be created.
    """

    user: int
    action: str
    object_type: str
    record: str = ""


def token_of(revision: int) -> str:
    """Return the consistency token of a revision."""
    return f"{_TOKEN}{revision}"


def revision_of(token: str) -> int:
    """Return the revision of a consistency token.

    Raises:
        InvalidRequestError: it is not a token of ours.
    """
    number = token.removeprefix(_TOKEN)
    if not token.startswith(_TOKEN) or not number.isdigit():
        raise InvalidRequestError(f"`{token}` is not a consistency token")
    return int(number)


class Check:
    """Decides on the account's present state; every decision is logged with its reason."""

    def __init__(self, store: Store, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def __call__(
        self, account: AccountId, questions: Sequence[Question], at_least: str = ""
    ) -> list[Answer]:
        """Answer questions, in their order, all on one revision.

        Raises:
            RevisionAheadError: the token names a write that is not here yet.
        """
        async with self._store.transaction(account) as tx:
            revision = await tx.revision()
            if at_least and revision_of(at_least) > revision:
                raise RevisionAheadError(
                    "this replica has not caught up with the token yet", retry_after_seconds=0.2
                )
            answers = []
            for question in questions:
                answer = await self._decide(tx, question, revision)
                answers.append(answer)
                await tx.log(
                    LogRow(
                        self._ids.new("log"),
                        self._clock.now(),
                        question.user,
                        question.action,
                        question.object_type,
                        question.record,
                        answer.decided.allowed,
                        answer.decided.reason,
                        revision,
                    )
                )
        return answers

    async def _decide(self, tx: Transaction, question: Question, revision: int) -> Answer:
        kind = await tx.type(OBJECT, question.object_type) or await tx.type(
            RELATIONSHIP, question.object_type
        )
        user = await tx.user(question.user)
        related: dict[str, str] = {}
        if question.record and kind is not None and kind.permissions["rebac"]:
            related = await tx.related(f"zen:user:{question.user}", question.record, self._clock.now())
        permissions = kind.permissions if kind else None
        return Answer(decide(user, question.action, permissions, question.record, related.get), revision)

    async def actions(self, account: AccountId, user: int, object_type: str, record: str) -> list[str]:
        """Return what a user may do."""
        async with self._store.transaction(account) as tx:
            revision = await tx.revision()
            return [
                action
                for action in ACTIONS
                if (
                    await self._decide(tx, Question(user, action, object_type, record), revision)
                ).decided.allowed
            ]
