"""Random accounts that are written step by step: everything that a store can be told, in every order."""

from __future__ import annotations

from typing import Any

from libs.decision.decide import Given
from libs.decision.rows import (
    ACTIONS,
    OBJECT,
    RELATIONSHIP,
    Change,
    ObjectRow,
    RelationshipRow,
    TypeRow,
    User,
)
from libs.decision.tests.strategies import RECORDS, Dice
from libs.decision.tests.world import GOLD
from libs.decision.tests.world import World as Rows
from libs.kernel.errors import NotFoundError
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.list_everything_of import START
from services.policy.app.ports import Answer, Transaction
from services.policy.tests.world import World

NAMES = ("product", "object:owns", "relationship:owns", "likes", "team", "nothing")
FULLY = Freshness(fully=True)


async def put(tx: Transaction, change: Change) -> None:
    """Write one change."""
    row = change.row
    match row:
        case TypeRow():
            if change.gone:
                await tx.delete_type(row.kind, row.key)
            elif not await tx.add_type(row):
                await tx.put_permissions(row)
        case User():
            if change.gone:
                await tx.remove_users([row.id])
            else:
                await tx.put_users([row])
        case ObjectRow():
            if change.gone:
                await tx.delete_objects([(row.type, row.id)], await tx.types(RELATIONSHIP))
            else:
                await tx.put_objects([row])
        case RelationshipRow():
            await (tx.unrelate if change.gone else tx.relate)([row])


class Scribbler:
    """Makes the same steps for every store: the first fills the account, the others change it."""

    def __init__(self, seed: int) -> None:
        self._dice = Dice(seed)
        self._rows = Rows()
        self._number = 0

    def step(self) -> list[Change]:
        """Return the changes of one revision."""
        self._number += 1
        if self._number == 1:
            changes = [Change(1, row) for row in self._dice.world(4, 16, extended=True).rows()]
        else:
            rolled = [
                self._dice.change(100 * self._number + n, self._rows.rows())
                for n in range(self._dice.randint(1, 3))
            ]
            changes = [change for change in rolled if not _is_in_use(change)]
        self._rows = self._rows.apply(changes)
        return changes

    def chance(self, of_ten: int) -> bool:
        """Tell whether something is to be done."""
        return self._dice.chance(of_ten)

    def samples(self) -> list[Question]:
        """Return some questions for lists."""
        return [
            Question(
                self._dice.randint(1, 5),
                self._dice.choice(ACTIONS),
                self._dice.choice(NAMES),
                self._dice.choice(("", *RECORDS)),
                given=self._dice.choice((Given(), Given({"owner": 2}, GOLD))),
            )
            for _ in range(4)
        ]


def _is_in_use(change: Change) -> bool:
    """Types that something refers to are never deleted (`TypeInUseError`); of these, all but one."""
    row = change.row
    return isinstance(row, TypeRow) and change.gone and (row.kind, row.key) != (OBJECT, "owns")


EVERY_QUESTION = [
    Question(user, action, name, record, given=Given({}, GOLD))
    for user in (*range(1, 5), 9)
    for action in ACTIONS
    for name in NAMES
    for record in ("", *RECORDS)
]


async def answers(world: World, freshness: Freshness, samples: list[Question]) -> dict[str, Any]:
    """Return what a store leads to, for every kind of question."""
    use, account, asked = world.use, world.account, Asked(freshness=freshness)
    found: dict[str, Any] = {
        "check": [_plain(a) for a in await use.check(account, EVERY_QUESTION, asked)],
        "explain": [_tried(a) for a in await use.check(account, samples, asked, explain=True)],
    }
    for place, q in enumerate(samples):
        page = await use.resources(account, q, asked, after="", limit=99)
        every = await use.resources(account, q, asked, after="", limit=99, list_all=True)
        subjects = await use.subjects(account, q, asked, after=0, limit=99)
        found[f"{place} actions"] = await use.actions(account, q, asked)
        found[f"{place} resources"] = (page.every, page.ids, every.ids, every.total)
        found[f"{place} subjects"] = (subjects.ids, subjects.roles)
    for user in {q.user for q in samples}:
        found[f"everything of {user}"] = (
            await use.everything(account, user, asked, after=START, limit=999)
        ).rights
    for key in ("product", "owns", "team"):
        try:
            records = (await use.objects.list(account, key, freshness, after="", limit=99)).rows
            found[f"{key} records"] = [(row.id, dict(row.attributes)) for row in records]
        except NotFoundError as error:
            found[f"{key} records"] = error.message
    return found


def _plain(answer: Answer) -> tuple[Any, ...]:
    """An answer without the way it took: of several ways any may be named."""
    decided = answer.decided
    return decided.allowed, decided.reason, decided.row


def _tried(answer: Answer) -> tuple[Any, ...]:
    return *_plain(answer), [(t.policy, t.row, t.allows, t.related) for t in answer.decided.tried]
