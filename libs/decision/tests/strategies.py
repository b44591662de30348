"""Random accounts: small, so that everything meets everything; every id that could break a joined key."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from libs.decision.decide import Given
from libs.decision.rows import Change, Json, ObjectRow, RelationshipRow, Row, TypeRow, User
from libs.decision.tests.world import GOLD, World, object_type, related, relationship_type

KINDS = {
    "owns": ("zen:user", "product"),
    "likes": ("zen:user", "product"),
    "holds": ("product", "product"),
    "runs": ("zen:group", "product"),
    "buys": ("zen:organization", "product"),
    "sits": ("zen:user", "team"),
    "has": ("team", "product"),
    "made_by": ("product", "zen:user"),
}
RECORDS = ("p1", "p:1", "zen:user:x", "a#b@c", "s/t|u")
ENDS = {
    "product": RECORDS,
    "team": ("t1", "t:1"),
    "zen:user": tuple(f"zen:user:{n}" for n in range(1, 5)),
    "zen:group": ("zen:group:1", "zen:group:2"),
    "zen:organization": ("zen:organization:1", "zen:organization:2"),
}
PATHS: dict[str, list[tuple[str, ...]]] = {
    "user": [
        ("owns",),
        ("likes", "holds"),
        ("owns", "holds", "holds"),
        ("sits", "has"),
        ("sits", "has", "holds"),
    ],
    "group": [("runs",), ("runs", "holds")],
    "organization": [("buys",), ("buys", "holds")],
}
CONDITIONS = (
    "context.tier == 'gold'",
    "object.owner == subject.id",
    "object.level > 2",
    "now < timestamp('2026-06-01T00:00:00Z')",
    "relationship.id in ['rel-1', 'rel-2', 'rel-3']",
    "relationship.target == object.id",
    "subject.groups.exists(g, g == object.group)",
    "has(context.tier)",
    "subject.role",
    "false",
)
ALL_ACTIONS = ("create", "read", "update", "delete", "show_policies", "update_policies", "publish")
_CRUD, _RU = ("create", "read", "update", "delete"), ("read", "update")


class Dice(random.Random):
    """Rolls rows. A seed is what hypothesis draws: rolled rows meet each other far more often than drawn ones."""

    def chance(self, of_ten: int) -> bool:
        return self.randrange(10) < of_ten

    def policy(self, verbs: tuple[str, ...], of_ten: int) -> Json:
        def row() -> dict[str, bool]:
            return {verb: self.chance(of_ten) for verb in verbs}

        rows: Json = {role: row() for role in ("admin", "agent", "end_user")}
        custom = {role: row() for role in ("8237", "9001") if self.chance(4)}
        return {**rows, "custom": custom} if custom else rows

    def extended(self) -> Json:
        made: Json = {"rows": self.policy(_CRUD, 7)}
        if self.chance(8):
            made["start"] = self.choice(list(PATHS))
            first, *rest = self.choice(PATHS[made["start"]])
            made["path"] = [{"type": first}, *({"type": key, "up_to": self.randint(0, 3)} for key in rest)]
        return {**made, "condition": self.choice(CONDITIONS)} if self.chance(4) else made

    def product(self, *, extended: bool) -> TypeRow:
        rebac = {key: self.policy(_RU, 6) for key in ("owns", "likes") if self.chance(6)}
        more: Json = {}
        if extended and self.chance(9):
            more["policies"] = {name: self.extended() for name in "ab" if self.chance(8)}
            asked = ("rbac", "rebac/owns", "rebac/likes")
            more["conditions"] = {name: self.choice(CONDITIONS) for name in asked if self.chance(3)}
        return object_type("product", self.policy(_CRUD, 2), rebac, **more)

    def user(self, number: int) -> User:
        return User(
            number,
            self.choice(["admin", "agent", "agent", "end_user"]),
            self.choice([None, 8237, 9001, 7]),
            tuple(group for group in (1, 2) if self.chance(4)),
            self.choice([None, 1, 2]),
        )

    def relationship(self, number: int) -> RelationshipRow:
        """One of any type; now and then the wrong way round, which no rule may count."""
        kind = self.choice([*KINDS, "owns", "likes", "sits", "has", "holds", "holds", "holds"])
        source, target = (self.choice(ENDS[end]) for end in KINDS[kind])
        if not self.randrange(20):
            source, target = target, source
        return related(number, kind, source, target, self.choice([None, None, None, None, -1, 0, 1]))

    def record(self) -> ObjectRow:
        values = {"owner": self.randint(1, 3), "level": self.randint(1, 4), "group": self.randint(1, 2)}
        attributes = {key: value for key, value in values.items() if self.chance(7)}
        return ObjectRow("product", self.choice(RECORDS), attributes)

    def relationship_type(self, key: str) -> TypeRow:
        return relationship_type(key, *KINDS[key], self.policy(_CRUD, 5))

    def world(self, people: int, links: int, *, extended: bool) -> World:
        """`owns` is also the key of an object type."""
        rows: list[Row] = [self.product(extended=extended), object_type("owns", self.policy(_CRUD, 5))]
        rows += [self.relationship_type(key) for key in KINDS]
        rows += [self.user(number) for number in range(1, people + 1)]
        rows += [self.relationship(number) for number in range(1, links + 1)]
        rows += [self.record() for _ in range(3 if extended else 0)]
        return World().apply(Change(1, row) for row in rows)

    def change(self, number: int, present: list[Row]) -> Change:
        """One row that comes, changes or goes; what goes is mostly there."""
        if present and self.chance(3):
            return Change(number, self.choice(present), gone=True)
        rows: list[Row] = [
            *(self.relationship(20 + number) for _ in range(4)),
            self.user(self.randint(1, 5)),
            self.record(),
            self.product(extended=self.chance(8)),
            self.relationship_type(self.choice(list(KINDS))),
        ]
        return Change(number, self.choice(rows), gone=self.chance(1))


_SEEDS = st.integers(0, 2**64).map(Dice)


def worlds(*, extended: bool = True, links: tuple[int, ...] = (24, 16, 8)) -> st.SearchStrategy[World]:
    def made(dice: Dice, number: int) -> World:
        return dice.world(4, number, extended=extended)

    return st.builds(made, _SEEDS, st.sampled_from(links))


def changed_worlds() -> st.SearchStrategy[tuple[World, list[Change]]]:
    """A world with changes of every kind that can be made to it."""

    def made(dice: Dice, world: World, number: int) -> tuple[World, list[Change]]:
        return world, [dice.change(n, world.rows()) for n in range(2, 2 + number)]

    return st.builds(made, _SEEDS, worlds(), st.sampled_from([1, 3, 6]))


GIVEN = st.builds(
    Given,
    st.sampled_from([{}, {"owner": 2}, {"level": 3, "id": "p1"}]),
    st.sampled_from([GOLD, {}, {"tier": "tin"}]),
)


def questions(world: World, names: list[str] | None = None) -> list[tuple[User | None, str, str, str]]:
    """Return everything that can be asked, also of what is not there."""
    people: list[Any] = [None, *world.users.values(), User(9, "owner"), User(1, "end_user")]
    both = ["product", "relationship:owns", "object:owns", "owns", "likes", "object:likes"]
    asked = names or [*both, "relationship:product", "object:product", "nothing", "object:object:product"]
    return [
        (user, action, name, record)
        for user in people
        for action in ALL_ACTIONS
        for name in asked
        for record in ("", *RECORDS)
    ]
