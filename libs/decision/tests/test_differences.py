"""What differs between two snapshots is what differs between the answers to every question."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from libs.decision.build import Builder
from libs.decision.decide import decide
from libs.decision.differences import Difference, Flip, differences
from libs.decision.rows import ACTIONS, Change, ObjectRow, Row, User
from libs.decision.snapshot import Snapshot
from libs.decision.tests import naive
from libs.decision.tests.strategies import changed_worlds
from libs.decision.tests.world import NOW, World, object_type, policy, related, relationship_type


def _flips(before: Snapshot, after: Snapshot, changes: list[Change]) -> list[Flip]:
    return [flip for one in differences(before, after, changes, NOW) for flip in one.flips()]


def _every(world: World, snapshot: Snapshot, user: User | None, action: str, name: str) -> bool:
    found = world.named(name)
    if action == "create" or user is None or found is None:
        return decide(snapshot, user, action, name, "", NOW).allowed
    conditional = "rbac" in found.extensions.get("conditions", {})
    return naive.says(found.permissions["rbac"], user, action) and not conditional


def _answers(
    world: World, names: set[str], known: dict[str, set[str]]
) -> dict[tuple[int, str, str, str], bool]:
    """Return every answer; `*` is that to every record, or to the making of one."""
    snapshot = world.snapshot()
    found = {}
    for user_id in range(1, 6):
        user = snapshot.users.get(user_id)
        for name in names:
            for action in ACTIONS:
                found[user_id, name, "*", action] = _every(world, snapshot, user, action, name)
                for record in known[name] if action != "create" else ():
                    allowed = decide(snapshot, user, action, name, record, NOW).allowed
                    found[user_id, name, record, action] = allowed
    return found


@settings(max_examples=150, deadline=None)
@given(changed_worlds())
def test_differences_are_the_answers_that_differ(case: tuple[World, list[Change]]) -> None:
    world, changes = case
    other = world.apply(changes)
    before = world.snapshot()
    after = Builder(before).apply(changes).finish(2)
    names = {*world.names(), *other.names()}
    known = {name: world.known(name) | other.known(name) for name in names}
    was, becomes = _answers(world, names, known), _answers(other, names, known)
    expected = {Flip(*key, allowed) for key, allowed in becomes.items() if was[key] != allowed}

    flips = _flips(before, after, changes)
    assert set(flips) == expected
    assert len(flips) == len(expected)


@settings(max_examples=80, deadline=None)
@given(changed_worlds())
def test_counts_are_the_numbers_of_flips_and_back_again_is_the_opposite(
    case: tuple[World, list[Change]],
) -> None:
    world, changes = case
    before = world.snapshot()
    after = Builder(before).apply(changes).finish(2)
    found = list(differences(before, after, changes, NOW))
    for one in found:
        yes = Counter(flip.allowed for flip in one.flips())
        assert one.count() == (yes[True], yes[False])

    back = _flips(after, before, changes)
    assert {flip._replace(allowed=not flip.allowed) for flip in back} == {
        f for one in found for f in one.flips()
    }
    order = [(one.user, one.type, one.action) for one in found]
    assert order == sorted(order)
    assert len(order) == len(set(order))


@settings(max_examples=40, deadline=None)
@given(changed_worlds())
def test_nothing_differs_from_itself(case: tuple[World, list[Change]]) -> None:
    world, changes = case
    snapshot = world.snapshot()

    assert _flips(snapshot, snapshot, changes) == []


AGENT, OTHER = User(1, "agent"), User(2, "agent", groups=(4,), organization=3)


def _house(**extensions: object) -> World:
    rows: list[Row] = [
        object_type("product", policy("crud"), {"owns": policy(agent="ru")}, **extensions),
        relationship_type("owns", "zen:user", "product"),
        relationship_type("runs", "zen:group", "product"),
        relationship_type("holds", "product", "product"),
        AGENT,
        OTHER,
        related(1, "owns", "zen:user:1", "p1"),
    ]
    return World().apply(Change(1, row) for row in rows)


def _of(world: World, *rows: Row, gone: bool = False) -> list[Difference]:
    before, changes = world.snapshot(), [Change(2, row, gone) for row in rows]
    return list(differences(before, Builder(before).apply(changes).finish(2), changes, NOW))


def _told(found: list[Difference]) -> list[str]:
    return [
        f"{f.user} {f.type} {f.record} {f.action} {'+' if f.allowed else '-'}"
        for one in found
        for f in one.flips()
    ]


def test_a_relationship_gives_two_rights_to_one_user() -> None:
    told = _told(_of(_house(), related(2, "owns", "zen:user:2", "p2")))

    assert told == ["2 product p2 read +", "2 product p2 update +"]


def test_a_role_that_may_everything_hides_the_single_records() -> None:
    found = _of(_house(), object_type("product", policy("crud", agent="r"), {"owns": policy(agent="ru")}))

    assert _told(found) == ["1 product * read +", "2 product * read +", "2 product p1 read +"]
    assert [one.count() for one in found] == [(1, 0), (2, 0)]


@pytest.mark.parametrize(("start", "kind"), [("group", "runs"), ("organization", "buys"), ("user", "owns")])
@pytest.mark.parametrize("last", [("p4", "p5"), ("p5", "p6")])
def test_whoever_stands_at_the_start_of_a_longer_way_is_found(
    start: str, kind: str, last: tuple[str, str]
) -> None:
    path = [{"type": kind}, {"type": "holds", "up_to": 2}]
    world = _house(policies={"a": {"path": path, "start": start, "rows": policy(agent="r")}})
    at = {"group": "zen:group:4", "organization": "zen:organization:3", "user": "zen:user:2"}[start]
    world.put(related(2, kind, at, "p4"))
    for number, ends in enumerate({("p4", "p5"), ("p5", "p6")} - {last}, 3):
        world.put(related(number, "holds", *ends))

    told = _told(_of(world, related(9, "holds", *last)))
    assert told == [f"2 product {record} read +" for record in ("p5", "p6") if record >= last[1]]


def test_steps_of_several_types_are_followed_back_in_their_order() -> None:
    path = [{"type": "sits"}, {"type": "has"}, {"type": "holds"}]
    world = _house(policies={"a": {"path": path, "rows": policy(agent="r")}})
    for row in (related(2, "sits", "zen:user:2", "t1"), related(3, "has", "t1", "p8")):
        world.put(row)
    told = _told(_of(world, related(4, "holds", "p8", "p9")))

    assert told == ["2 product p9 read +"]


def test_an_attribute_touches_its_record_only() -> None:
    world = _house(policies={"a": {"rows": policy(agent="d"), "condition": "object.level > 2"}})
    for record, level in (("p1", 1), ("p2", 3)):
        world.put(ObjectRow("product", record, {"level": level}))

    assert _told(_of(world, ObjectRow("product", "p1", {"level": 4}))) == [
        "1 product p1 delete +",
        "2 product p1 delete +",
    ]


def test_who_may_create_by_a_policy_without_a_path_flips_once() -> None:
    rows = {"a": {"rows": policy(agent="c")}}
    found = _of(_house(), object_type("product", policy("crud"), {"owns": policy(agent="ru")}, policies=rows))

    assert _told(found) == ["1 product * create +", "2 product * create +"]


def test_a_user_who_goes_loses_everything() -> None:
    assert _told(_of(_house(), AGENT, gone=True)) == [
        "1 product p1 read -",
        "1 product p1 update -",
        *(f"1 relationship:{key} * {a} -" for key in ("holds", "owns", "runs") for a in sorted(ACTIONS)),
    ]


@pytest.mark.parametrize("source", ["zen:user:x", "zen:user:", "zen:group:²", "zen:user:" + "9" * 5000])
def test_a_record_whose_id_looks_like_a_user_is_a_record(source: str) -> None:
    assert _told(_of(_house(), related(2, "owns", source, "p2"))) == []
