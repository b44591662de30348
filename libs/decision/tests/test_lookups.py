"""Every list holds what `decide` allows, and nothing else (facts: policy §7.4, list and check disagree)."""

from __future__ import annotations

from hypothesis import given, settings

from libs.decision.decide import Given, decide
from libs.decision.lookups import (
    allowed_actions,
    allowed_records,
    allowed_users,
    every_right,
    led_to,
    role_grants,
)
from libs.decision.rows import ACTIONS, ObjectRow, User
from libs.decision.tests import naive_extensions
from libs.decision.tests.strategies import ALL_ACTIONS, GIVEN, RECORDS, worlds
from libs.decision.tests.world import (
    GOLD,
    NOW,
    World,
    object_type,
    policy,
    related,
    relationship_type,
)

NAMES = ("product", "owns", "relationship:owns", "team", "nothing")
STRANGER = "a record that nobody knows"


def _people(world: World) -> list[User | None]:
    return [None, *world.users.values(), User(8, "agent", 8237), User(9, "owner")]


@settings(max_examples=80, deadline=None)
@given(worlds(), GIVEN)
def test_allowed_records_are_those_of_the_known_ones_that_decide_allows(world: World, facts: Given) -> None:
    snapshot = world.snapshot()
    for user in _people(world):
        for name in NAMES:
            found = world.named(name)
            known = world.known(found.key) if found is not None and found.kind == "object" else set()
            for action in ("read", "update", "delete", "show_policies", "publish"):
                records = allowed_records(snapshot, user, action, name, NOW, facts)
                allowed = {r for r in known if decide(snapshot, user, action, name, r, NOW, facts).allowed}

                assert records.every or records.ids == allowed
                if records.every:
                    assert not records.ids
                    assert allowed == known
                    assert decide(snapshot, user, action, name, STRANGER, NOW, facts).reason == "RBAC"
                else:
                    stranger = decide(snapshot, user, action, name, STRANGER, NOW)
                    assert not stranger.allowed or stranger.reason.startswith(("EXTENDED:", "RBAC"))


@settings(max_examples=60, deadline=None)
@given(worlds(), GIVEN)
def test_who_may_create_may_create_every_record_and_lists_none(world: World, facts: Given) -> None:
    snapshot = world.snapshot()
    for user in _people(world):
        for name in NAMES:
            records = allowed_records(snapshot, user, "create", name, NOW, facts)

            assert records == (decide(snapshot, user, "create", name, "", NOW, facts).allowed, frozenset())


@settings(max_examples=60, deadline=None)
@given(worlds(), GIVEN)
def test_allowed_users_and_actions_are_those_that_decide_allows(world: World, facts: Given) -> None:
    snapshot, people = world.snapshot(), list(world.users.values())
    for name in NAMES:
        for record in ("", *RECORDS):
            may = {
                (user.id, action)
                for user in people
                for action in ALL_ACTIONS
                if naive_extensions.decide(world, user, action, name, record, NOW, facts).allowed
            }
            for action in ALL_ACTIONS:
                expected = [user.id for user in people if (user.id, action) in may]
                assert allowed_users(snapshot, people, action, name, record, NOW, facts) == expected
            for user in people:
                actions = allowed_actions(snapshot, user, name, record, NOW, facts)
                assert actions == [action for action in ACTIONS if (user.id, action) in may]


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_every_holder_of_a_granted_row_may_and_nobody_else_by_role(world: World) -> None:
    """Who has no relationship, group or organization can only be allowed by his row."""
    snapshot = world.snapshot()
    for name in NAMES:
        found = world.named(name)
        custom = found.permissions["rbac"].get("custom", {}) if found else {}
        holders = {role: User(99, role) for role in ("admin", "agent", "end_user")}
        holders |= {f"custom/{key}": User(99, "agent", int(key)) for key in custom}
        for action in ALL_ACTIONS:
            for record in ("", "p1"):
                grants = role_grants(snapshot, action, name, record)
                decided = {
                    key: decide(snapshot, user, action, name, record, NOW) for key, user in holders.items()
                }

                assert grants == sorted(grants)
                assert all(decided[key].allowed for key in grants)
                others = {key for key, one in decided.items() if one.allowed} - set(grants)
                assert all(
                    decided[key].reason.startswith("EXTENDED:")
                    or (found and found.extensions.get("conditions", {}).get("rbac"))
                    for key in others
                )


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_every_right_holds_every_type_and_known_record(world: World) -> None:
    snapshot = world.snapshot()
    for user in _people(world):
        rights = list(every_right(snapshot, user, NOW))
        expected = set()
        for kind, key in world.types:
            name = key if kind == "object" else f"relationship:{key}"
            for action in ACTIONS:
                records = allowed_records(snapshot, user, action, name, NOW)
                expected |= {(name, "", action)} if records.every else set()
                expected |= {(name, record, action) for record in records.ids}

        assert set(rights) == expected
        assert len(rights) == len(expected)
        names = [name for name, _, _ in rights]
        assert names == sorted(names)


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_a_path_leads_to_where_walks_end(world: World) -> None:
    found = world.types["object", "product"]
    compiled = world.snapshot().types["object", "product"]
    slow = {one[0]: one for one in naive_extensions.policies(found)}
    for one in compiled.further:
        if not one.path:
            continue
        _, _, _, path, start, _ = slow[one.name]
        for user in world.users.values():
            ends = {
                end
                for at in naive_extensions.starts(user, start)
                for end, _ in naive_extensions.walks(world, path, at, NOW)
            }
            assert led_to(world.snapshot(), one, user, NOW) == ends


def test_a_record_of_another_type_on_the_way_is_not_listed() -> None:
    world = World()
    path = [{"type": "sits"}, {"type": "has", "up_to": 1}]
    rows = policy(agent="ru")
    world.put(object_type("product", policy(), policies={"a": {"path": path, "rows": rows}}))
    world.put(object_type("team", policy()))
    world.put(relationship_type("sits", "zen:user", "team"))
    world.put(relationship_type("has", "team", "product"))
    world.put(related(1, "sits", "zen:user:1", "t1"))
    world.put(related(2, "has", "t1", "p1"))

    found = allowed_records(world.snapshot(), User(1, "agent"), "read", "product", NOW)
    assert found == (False, frozenset({"p1"}))


def test_a_conditional_role_lists_the_records_that_meet_the_condition() -> None:
    world = World()
    world.put(
        object_type(
            "product", policy(agent="r"), conditions={"rbac": "object.level > 2 && context.tier == 'gold'"}
        )
    )
    for record, level in [("p1", 1), ("p3", 3), ("p4", 4)]:
        world.put(ObjectRow("product", record, {"level": level}))
    snapshot = world.snapshot()
    agent = User(1, "agent")

    assert allowed_records(snapshot, agent, "read", "product", NOW, Given(context=GOLD)).ids == {"p3", "p4"}
    assert allowed_records(snapshot, agent, "read", "product", NOW) == (False, frozenset())
    assert role_grants(snapshot, "read", "product", "p4") == []
