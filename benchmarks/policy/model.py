"""The account that is asked about, and the questions; ours and the peers' are made from the same rows.

The size of the facts (policy §9.2): 1,000 users, 5,000 records, 10,000 relationships.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from libs.decision.build import Builder
from libs.decision.decide import Given, decide
from libs.decision.rows import (
    ACTIONS,
    OBJECT,
    RELATIONSHIP,
    RU,
    Json,
    ObjectRow,
    RelationshipRow,
    Row,
    TypeRow,
    User,
    user_end,
)
from libs.decision.snapshot import Snapshot

ACCOUNT = "acc-1"
PRODUCT, CONTRACT = "product", "contract"
OWNS, HANDLES = "user_to_many_products", "user_to_many_contracts"
CUSTOM_ROLES = (8237, 9001)
LIMIT = 1000
MADE = datetime(2026, 1, 1, tzinfo=UTC)
CONDITION = f'object.amount <= {LIMIT} && context.channel == "web"'
KINDS = ("by role", "by relationship", "denied", "with a condition")


class Asked(NamedTuple):
    """One question.

    Attributes:
        related: the users whom a relationship leads to the record; what a peer is told.
        attributes: of the record.
        channel: the fact of the request that the condition asks for.
    """

    user: User
    action: str
    type: str
    record: str
    related: tuple[int, ...]
    attributes: dict[str, int]
    channel: str

    @property
    def given(self) -> Given:
        """What the asker says himself."""
        return Given(context={"channel": self.channel})


def _row(*verbs: str, of: Iterable[str] = ACTIONS) -> dict[str, bool]:
    return {verb: verb in verbs for verb in of}


def _rebac(agent: tuple[str, ...], custom: tuple[str, ...]) -> Json:
    return {
        "admin": _row(*RU, of=RU),
        "agent": _row(*agent, of=RU),
        "end_user": _row("read", of=RU),
        "custom": {str(CUSTOM_ROLES[0]): _row(*custom, of=RU)},
    }


RBAC: Json = {
    "admin": _row(*ACTIONS),
    "agent": _row("create"),
    "end_user": _row(),
    "custom": {str(CUSTOM_ROLES[1]): _row("create", "read")},
}
REBAC = _rebac(("read", "update"), ("read",))
TYPES = (
    TypeRow(OBJECT, PRODUCT, {"rbac": RBAC, "rebac": {OWNS: REBAC}}, MADE),
    TypeRow(
        OBJECT,
        CONTRACT,
        {"rbac": RBAC, "rebac": {}},
        MADE,
        extensions={
            "policies": {
                "handled": {
                    "path": [{"type": HANDLES, "up_to": 0}],
                    "start": "user",
                    "rows": REBAC,
                    "condition": CONDITION,
                }
            },
            "conditions": {},
        },
    ),
    *(
        TypeRow(RELATIONSHIP, key, {"rbac": RBAC, "rebac": {}}, MADE, "zen:user", target, many=True)
        for key, target in ((OWNS, PRODUCT), (HANDLES, CONTRACT))
    ),
)


@dataclass(slots=True)
class Model:
    """Rows of an account.

    Args:
        users: how many.
        records: of each object type.
        relationships: of each relationship type.
        seed: of everything that is random.
    """

    users: int = 1_000
    records: int = 5_000
    relationships: int = 10_000
    seed: int = 1

    def rows(self) -> Iterator[Row]:
        """Yield everything, the same each time."""
        dice = random.Random(self.seed)
        yield from TYPES
        people = [self._user(dice, number) for number in range(self.users)]
        yield from people
        for kind, relationship in ((PRODUCT, OWNS), (CONTRACT, HANDLES)):
            ids = [str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(self.records)]
            for record in ids:
                yield ObjectRow(
                    kind, record, {"amount": dice.randrange(2 * LIMIT)} if kind == CONTRACT else {}
                )
            pairs = dict.fromkeys(
                (dice.choice(people).id, dice.choice(ids)) for _ in range(self.relationships)
            )
            for number, (user, record) in enumerate(pairs):
                made = f"rel-{relationship[-4]}{number:025d}"
                yield RelationshipRow(made, relationship, user_end(user), record, MADE)

    @staticmethod
    def _user(dice: random.Random, number: int) -> User:
        role = dice.choices(("admin", "agent", "end_user"), (1, 15, 4))[0]
        custom = dice.choice((None, None, *CUSTOM_ROLES)) if role == "agent" else None
        return User(10_000_000_000 + number, role, custom)


def snapshot_of(rows: Iterable[Row]) -> Snapshot:
    """Return rows as they are decided on."""
    builder = Builder()
    for row in rows:
        builder.put(row)
    return builder.finish(1)


def questions(model: Model, snapshot: Snapshot, each: int) -> dict[str, list[Asked]]:
    """Return different questions, so many of each of `KINDS`."""
    dice = random.Random(model.seed + 1)
    found: dict[str, list[Asked]] = {kind: [] for kind in KINDS}
    people = [user for _, user in sorted(snapshot.users.items())]
    edges = {
        key: [
            (source, target)
            for source, targets in sorted(snapshot.forward[key].items())
            for target in targets
        ]
        for key in (OWNS, HANDLES)
    }
    records = {kind: sorted(snapshot.objects[kind]) for kind in (PRODUCT, CONTRACT)}
    seen: set[tuple[Any, ...]] = set()
    while any(len(asked) < each for asked in found.values()):
        kind = PRODUCT if dice.random() < 0.6 else CONTRACT
        relationship = OWNS if kind == PRODUCT else HANDLES
        user, record = dice.choice(people), dice.choice(records[kind])
        if dice.random() < 0.7:
            source, record = dice.choice(edges[relationship])
            user = snapshot.users[int(source.rpartition(":")[2])]
        asked = asked_about(
            snapshot, user, dice.choice(ACTIONS), kind, record, dice.choice(("web", "web", "mail"))
        )
        name = _kind_of(snapshot, asked)
        same = (user.id, asked.action, kind, record, asked.channel)
        if len(found[name]) < each and same not in seen:
            seen.add(same)
            found[name].append(asked)
    return found


def asked_about(
    snapshot: Snapshot, user: User, action: str, kind: str, record: str, channel: str = "web"
) -> Asked:
    """Return a question with what a peer must be told for it."""
    related = snapshot.back[OWNS if kind == PRODUCT else HANDLES].get(record, ())
    stored = snapshot.objects[kind][record]
    attributes = {} if stored is None else json.loads(stored)
    people = tuple(int(source.rpartition(":")[2]) for source in related)
    return Asked(user, action, kind, record, people, attributes, channel)


def _kind_of(snapshot: Snapshot, asked: Asked) -> str:
    if asked.type == CONTRACT:
        return KINDS[3]
    decided = decide(snapshot, asked.user, asked.action, asked.type, asked.record, MADE.timestamp())
    if not decided.allowed:
        return KINDS[2]
    return KINDS[0] if decided.reason == "RBAC" else KINDS[1]


def expected(snapshot: Snapshot, asked: Asked) -> bool:
    """Return our answer; that it is the seed's is shown elsewhere (libs/decision/tests)."""
    return decide(
        snapshot, asked.user, asked.action, asked.type, asked.record, MADE.timestamp(), asked.given
    ).allowed
