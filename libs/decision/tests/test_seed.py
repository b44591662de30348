"""The core decides as the seed does, with and without an explanation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings

from libs.decision.decide import decide
from libs.decision.rows import User
from libs.decision.tests import naive
from libs.decision.tests.strategies import questions, worlds
from libs.decision.tests.world import NOW, T0, World, object_type, policy, related, relationship_type


@settings(max_examples=80, deadline=None)
@given(worlds(extended=False))
def test_every_answer_and_reason_is_the_seeds(world: World) -> None:
    snapshot = world.snapshot()
    for user, action, name, record in questions(world):
        answer = decide(snapshot, user, action, name, record, NOW)
        explained = decide(snapshot, user, action, name, record, NOW, explain=True)

        assert (answer.allowed, answer.reason) == naive.decide(world, user, action, name, record, NOW)
        assert explained._replace(tried=()) == answer
        assert not answer.tried


@settings(max_examples=50, deadline=None)
@given(worlds(extended=False))
def test_what_was_tried_holds_the_rule_that_decided_last(world: World) -> None:
    snapshot = world.snapshot()
    for user, action, name, record in questions(world, ["product"]):
        decided = decide(snapshot, user, action, name, record, NOW, explain=True)
        deciding = [one for one in decided.tried if one.allows and one.related]

        assert len(deciding) == (decided.reason == "RBAC" or decided.reason.startswith("REBAC:"))
        if deciding:
            assert decided.row == f"{deciding[0].policy}:{deciding[0].row}"
            assert deciding[0] == decided.tried[-1]


def _house(*, rbac: object, rebac: object = None) -> World:
    world = World()
    world.put(object_type("product", rbac, rebac))
    world.put(relationship_type("owns", "zen:user", "product"))
    world.put(relationship_type("likes", "zen:user", "product"))
    return world


def _cruds(world: World, user: User, record: str = "p1") -> str:
    snapshot = world.snapshot()
    verbs = ("create", "read", "update", "delete")
    return "".join("T" if decide(snapshot, user, v, "product", record, NOW).allowed else "F" for v in verbs)


AGENT, OWN_ROW, NO_ROW = User(1, "agent"), User(1, "agent", 8237), User(1, "agent", 9001)
S4 = {
    "rbac": policy("crud", "cru", "r", r8237="ru"),
    "rebac": {"owns": policy("ru", "", "u", r8237="ru")},
}


@pytest.mark.parametrize(
    ("user", "linked", "answers"),
    [
        (User(1, "admin"), False, "TTTT"),
        (AGENT, False, "TTTF"),
        (OWN_ROW, False, "FTTF"),
        (NO_ROW, False, "TTTF"),
        (User(1, "end_user"), False, "FTFF"),
        (User(1, "end_user"), True, "FTTF"),
        (User(1, "end_user", 8237), False, "FTFF"),  # T20: the custom row of an end user is ignored
    ],
)
def test_the_seeds_full_example(user: User, *, linked: bool, answers: str) -> None:
    world = _house(**S4)
    if linked:
        world.put(related(1, "owns", "zen:user:1", "p1"))

    assert _cruds(world, user) == answers


def test_a_relationship_gives_read_and_update_only() -> None:
    world = _house(rbac=policy(), rebac={"owns": policy("crud", "crud", "crud")})
    world.put(related(1, "owns", "zen:user:1", "p1"))

    assert _cruds(world, User(1, "end_user")) == "FTTF"  # T17
    assert _cruds(world, User(1, "end_user"), "p2") == "FFFF"
    assert _cruds(world, User(1, "admin"), "") == "FTFF"  # T24, D8: the type itself


def test_each_policy_chooses_its_own_row() -> None:
    world = _house(rbac=policy(agent="crud", r8237=""), rebac={"owns": policy(agent="ru")})
    world.put(related(1, "owns", "zen:user:1", "p1"))

    assert _cruds(world, OWN_ROW) == "FTTF"  # T18


def test_the_second_of_two_policies_allows_and_is_named() -> None:
    world = _house(rbac=policy(), rebac={"likes": policy("ru", "ru"), "owns": policy("ru", "ru", "u")})
    world.put(related(1, "likes", "zen:user:1", "p1"))
    world.put(related(2, "owns", "zen:user:1", "p1"))
    decided = decide(world.snapshot(), User(1, "end_user"), "update", "product", "p1", NOW)

    assert decided == (True, "REBAC:owns", "rebac/owns:end_user", "rel-2", (), (), ())  # T15


@pytest.mark.parametrize(
    ("kind", "source", "target"), [("owns", "p1", "zen:user:1"), ("likes", "zen:user:1", "p1")]
)
def test_reversed_and_other_relationships_do_not_count(kind: str, source: str, target: str) -> None:
    world = _house(rbac=policy(), rebac={"owns": policy("ru", "ru", "ru")})
    world.put(related(1, kind, source, target))

    assert _cruds(world, User(1, "end_user")) == "FFFF"  # T16


def test_ids_that_joined_keys_would_confuse() -> None:
    world = _house(rbac=policy(), rebac={"owns": policy("ru", "ru", "ru")})
    world.put(related(1, "owns", "zen:user:1", "b:c"))
    world.put(related(2, "owns", "zen:user:1:b", "c"))

    assert _cruds(world, User(1, "agent"), "b:c") == "FTTF"
    assert _cruds(world, User(1, "agent"), "c") == "FFFF"
    assert _cruds(world, User(11, "agent"), "b:c") == "FFFF"


def test_a_relationship_ends_at_its_instant() -> None:
    world = _house(rbac=policy(), rebac={"owns": policy("ru", "ru", "ru")})
    world.put(related(1, "owns", "zen:user:1", "p1", 10))
    snapshot = world.snapshot()
    end = (T0 + timedelta(seconds=10)).timestamp()

    assert decide(snapshot, AGENT, "read", "product", "p1", end - 0.001).allowed
    assert not decide(snapshot, AGENT, "read", "product", "p1", end).allowed
