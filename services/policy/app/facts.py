"""What decisions are made from: read at once, however many questions there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.policy.app.ports import OBJECT, RELATIONSHIP, Pair, Transaction, TypeRow
from services.policy.domain.decide import Decided, User, decide
from services.policy.domain.ends import user_end

_PREFIX = f"{RELATIONSHIP}:"


@dataclass(frozen=True, slots=True)
class Question:
    """May this user do this to this record?

    Attributes:
        object_type: key of an object type, or else of a relationship type; `relationship:{key}` means the
            relationship type whatever object types there are.
        record: empty = the type itself, or a record to be created.
    """

    user: int
    action: str
    object_type: str
    record: str = ""

    @property
    def pair(self) -> Pair:
        """The ends of a relationship that could give the right."""
        return user_end(self.user), self.record


def find_type(types: Mapping[tuple[str, str], TypeRow], name: str) -> TypeRow | None:
    """Return the type that a question means."""
    if name.startswith(_PREFIX):
        return types.get((RELATIONSHIP, name.removeprefix(_PREFIX)))
    return types.get((OBJECT, name)) or types.get((RELATIONSHIP, name))


async def load_types(tx: Transaction) -> dict[tuple[str, str], TypeRow]:
    """Return every type by kind and key; an account has some dozens."""
    return {(row.kind, row.key): row for row in await tx.types()}


async def load_user(tx: Transaction, user_id: int, acting: User | None) -> User | None:
    """Return a user with his role: the acting person's own is the one that his token states."""
    if acting is not None and acting.id == user_id:
        return acting
    return (await tx.known([user_id])).get(user_id)


@dataclass(frozen=True, slots=True)
class Facts:
    """Types, users and relationships that some questions are about, of one state."""

    types: Mapping[tuple[str, str], TypeRow]
    users: Mapping[int, User]
    related: Mapping[Pair, Mapping[str, str]]

    @classmethod
    async def load(
        cls, tx: Transaction, questions: Sequence[Question], acting: User | None, now: datetime
    ) -> Self:
        """Read what the questions need.

        Args:
            acting: whose role is known without the directory.
            now: which relationships live.
        """
        types = await load_types(tx)
        users = dict(await tx.known({q.user for q in questions}))
        if acting is not None:
            users[acting.id] = acting
        pairs = set()
        for question in questions:
            found = find_type(types, question.object_type)
            if question.record and question.user in users and found and found.permissions["rebac"]:
                pairs.add(question.pair)
        return cls(types, users, await tx.related(pairs, now) if pairs else {})

    def decide(self, question: Question) -> Decided:
        """Decide one of the questions."""
        found = find_type(self.types, question.object_type)
        related = self.related.get(question.pair, {})
        return decide(
            self.users.get(question.user),
            question.action,
            found.permissions if found else None,
            question.record,
            related.get,
        )
