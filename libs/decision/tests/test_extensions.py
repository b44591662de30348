"""Paths, conditions and policies without a path decide as every walk over the raw rows does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from libs.decision.decide import Decided, Given, decide
from libs.decision.rows import User
from libs.decision.tests import naive, naive_extensions
from libs.decision.tests.strategies import GIVEN, questions, worlds
from libs.decision.tests.world import NOW, World, object_type, policy, related, relationship_type


@settings(max_examples=80, deadline=None)
@given(worlds(), GIVEN)
def test_every_answer_equals_trying_every_walk(world: World, facts: Given) -> None:
    snapshot = world.snapshot()
    for user, action, name, record in questions(world, ["product", "owns", "relationship:owns"]):
        answer = decide(snapshot, user, action, name, record, NOW, facts)
        explained = decide(snapshot, user, action, name, record, NOW, facts, explain=True)
        truth = naive_extensions.decide(world, user, action, name, record, NOW, facts)

        assert (answer.allowed, answer.reason) == (truth.allowed, truth.reason)
        assert explained._replace(tried=()) == answer
        if answer.allowed:
            _check_way(answer, truth)
        else:
            assert {note.partition(":")[0] for note in answer.failed} == truth.failed


def _check_way(answer: Decided, truth: naive_extensions.Answer) -> None:
    """What is said to have allowed it is one of the walks; failures before it are failures."""
    ways = {tuple(hop.id for hop in walk) for walk in truth.walks} or {()}
    said = answer.path or ((answer.relationship,) if answer.relationship else ())
    assert said in ways
    assert {note.partition(":")[0] for note in answer.failed} <= truth.failed


@settings(max_examples=40, deadline=None)
@given(worlds(extended=False), GIVEN)
def test_both_naive_sides_agree_where_nothing_is_extended(world: World, facts: Given) -> None:
    for user, action, name, record in questions(world, ["product"]):
        slow = naive_extensions.decide(world, user, action, name, record, NOW, facts)

        assert (slow.allowed, slow.reason) == naive.decide(world, user, action, name, record, NOW)


def _folders(*steps: tuple[str, int], start: str = "user") -> World:
    world = World()
    path = [{"type": key, "up_to": up_to} for key, up_to in steps]
    rows = policy(agent="crud", end_user="r")
    world.put(object_type("product", policy(), policies={"a": {"path": path, "start": start, "rows": rows}}))
    for key, source in [("owns", "zen:user"), ("runs", "zen:group"), ("buys", "zen:organization")]:
        world.put(relationship_type(key, source, "product"))
    world.put(relationship_type("holds", "product", "product"))
    return world


AGENT = User(1, "agent", groups=(4, 5), organization=6)


def _updates(world: World, *records: str) -> list[str]:
    snapshot = world.snapshot()
    return [r for r in records if decide(snapshot, AGENT, "update", "product", r, NOW).allowed]


@pytest.mark.parametrize(("up_to", "reached"), [(0, "b"), (1, "ab"), (2, "abc"), (3, "abcd"), (9, "abcde")])
def test_a_repeated_step_goes_so_far_and_no_farther(up_to: int, reached: str) -> None:
    world = _folders(("owns", 0), ("holds", up_to))
    world.put(related(1, "owns", "zen:user:1", "a"))
    for number, (source, target) in enumerate([("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], 2):
        world.put(related(number, "holds", source, target))

    assert _updates(world, *"abcdef") == list(reached)


def test_cycles_end_and_the_shortest_way_is_told() -> None:
    world = _folders(("owns", 0), ("holds", 50))
    world.put(related(1, "owns", "zen:user:1", "a"))
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a"), ("c", "d"), ("b", "d")]
    for number, (source, target) in enumerate(pairs, 2):
        world.put(related(number, "holds", source, target))
    decided = decide(world.snapshot(), AGENT, "read", "product", "d", NOW)

    assert decided.allowed
    assert decided.path == ("rel-1", "rel-2", "rel-7")
    assert decided.relationship == "rel-1"


def test_one_arm_of_a_diamond_may_end() -> None:
    world = _folders(("owns", 0), ("holds", 2))
    world.put(related(1, "owns", "zen:user:1", "a"))
    arms = [(0, "a", "b"), (None, "a", "c"), (9, "b", "d"), (9, "c", "d")]
    for number, (ends, source, target) in enumerate(arms, 2):
        world.put(related(number, "holds", source, target, ends))

    assert _updates(world, *"abcd") == ["a", "c", "d"]
    world.drop(related(3, "holds", "a", "c"))
    assert _updates(world, *"abcd") == ["a"]


@pytest.mark.parametrize(
    ("start", "kind", "source"),
    [("group", "runs", "zen:group:5"), ("organization", "buys", "zen:organization:6")],
)
def test_paths_start_at_groups_and_organizations(start: str, kind: str, source: str) -> None:
    world = _folders((kind, 0), start=start)
    world.put(related(1, kind, source, "a"))
    world.put(related(2, kind, source.replace("5", "7").replace("6", "7"), "b"))
    world.put(related(3, kind, f"zen:user:{AGENT.id}", "c"))

    assert _updates(world, *"abc") == ["a"]


def test_steps_of_several_types_are_followed_in_their_order() -> None:
    world = _folders(("sits", 0), ("has", 0), ("holds", 1))
    for number, (kind, source, target) in enumerate(
        [
            ("sits", "zen:user:1", "t1"),
            ("has", "t1", "a"),
            ("holds", "a", "b"),
            ("holds", "t1", "c"),
            ("has", "c", "d"),
        ],
        1,
    ):
        world.put(related(number, kind, source, target))
    decided = decide(world.snapshot(), AGENT, "read", "product", "b", NOW)

    assert _updates(world, "t1", *"abcd") == ["a", "b"]
    assert decided == (True, "EXTENDED:a", "extended/a:agent", "rel-1", ("rel-1", "rel-2", "rel-3"), (), ())


def test_the_first_step_never_repeats() -> None:
    world = _folders(("owns", 0), ("holds", 3))
    world.put(related(1, "holds", "zen:user:1", "a"))

    assert _updates(world, "a", "zen:user:1") == []


def test_a_path_gives_no_create_and_no_delete() -> None:
    world = _folders(("owns", 0))
    world.put(related(1, "owns", "zen:user:1", "a"))
    snapshot = world.snapshot()
    actions = [
        a
        for a in ("create", "read", "update", "delete")
        if decide(snapshot, AGENT, a, "product", "a", NOW)[0]
    ]

    assert actions == ["read", "update"]


def test_a_policy_without_a_path_needs_a_record_or_makes_one() -> None:
    world = World()
    world.put(object_type("product", policy(), policies={"a": {"rows": policy(end_user="crud")}}))
    snapshot, user = world.snapshot(), User(1, "end_user")

    def asked(action: str, record: str) -> Decided:
        return decide(snapshot, user, action, "product", record, NOW)

    assert [a for a in ("create", "read", "update", "delete") if asked(a, "").allowed] == ["create"]
    assert [a for a in ("create", "read", "update", "delete") if asked(a, "p1").allowed] == [
        "create",
        "read",
        "update",
        "delete",
    ]
    assert asked("delete", "p1") == (True, "EXTENDED:a", "extended/a:end_user", "", (), (), ())
