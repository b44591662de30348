"""Conditions: what is refused when it is written, and what a failure means when it is asked."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.decision.conditions import MAXIMUM_LENGTH, Condition, ConditionFailedError
from libs.decision.decide import Decided, Given, decide
from libs.decision.rows import ObjectRow, User
from libs.decision.tests.world import GOLD, NOW, World, object_type, policy, related, relationship_type

AGENT = User(1, "agent", None, (4,), 6)


def _variables(**more: Any) -> dict[str, Any]:
    none: dict[str, Any] = {"subject": {}, "object": {}, "relationship": {}, "context": {}}
    return {**none, "now": datetime.now(UTC), **more}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "is not CEL"),
        ("subject.id ==", "is not CEL"),
        ("(" * 499 + "1" + ")" * 499, "is not CEL"),
        ("true" + " " * MAXIMUM_LENGTH, "is longer than 1000 characters"),
        ("user.id == 1", "asks for `user`"),
        ("object.a == 1 || user.id == 1", "asks for `user`"),
        ("context.a ? objekt.b : true", "asks for `objekt`"),
        ("object.list.exists(x, y == x)", "asks for `y`"),
        ("subject.role.startswith('a')", "calls `startswith`"),
        ("subject.role.matches('a')", "calls `matches`"),
        ("size(context.list.map(x, context.list)) == 1", "calls `map`"),
        ("context.a.all(x, context.b.all(y, x == y))", "calls `all` inside of another"),
        ("context.a.all(x, true || (context.b . exists // (\n (y, x == y)))", "calls `exists` inside"),
        ("context.a.all(x, ')' == r'\\' || context.b.all(y, y == 'x'))", "calls `all` inside of another"),
        ("context.a.all(x, '''\"''' == \"\\\")'\" || context.b.all(y, x == y))", "calls `all` inside"),
    ],
)
def test_what_is_refused_when_it_is_written(source: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault.replace("(", r"\(")):
        Condition(source)


@pytest.mark.parametrize(
    "source",
    [
        "subject.groups.exists(g, g in object.groups) && context.list.all((x), x > 1)",
        "object.name == '.map(' || object.name == \"x.all(y, z.all(\" || true // .map(.all(x, a.all(y",
        "(now - timestamp('2026-01-01T00:00:00Z') > duration('1h')) && type(object.a) == int",
        "has(object.a) ? object.a.size() == 1 : subject.role in ['admin', 'agent']",
        "context.a.filter(x, x > 1).size() > 0 && context.b.exists_one(user, user == subject.id)",
        f"{'true && ' * 100}true",
    ],
)
def test_what_is_allowed_when_it_is_written(source: str) -> None:
    assert Condition(source).source == source


@settings(max_examples=120, deadline=None)
@given(st.text(st.sampled_from("sub.je'\"\\()[]{}1=&|!<r,: \n") | st.characters(), max_size=40))
def test_any_text_is_a_condition_or_a_value_error(source: str) -> None:
    try:
        condition = Condition(source)
    except ValueError:
        return
    with contextlib.suppress(ConditionFailedError):
        assert condition.holds(_variables()) in (True, False)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("object.level > 2", "there is no level"),
        ("context.list[3] == 1", "there is no such element"),
        ("subject.role", "is neither true nor false"),
        ("1", "is neither true nor false"),
        ("subject.role > 2", "no such overload"),
        ("subject.role + 2 == 4", r"unsupported operation: string \+ int"),
        ("subject.id + 9223372036854775807 > 0", "a number is out of range"),
        ("1 / (subject.id - subject.id) == 1", "a number is out of range"),
        ("timestamp(context.secret) == now", "timestamp cannot be called with this"),
        ("int(context.secret) == 1", "int cannot be called with this"),
    ],
)
def test_a_condition_that_fails_says_why_and_no_value(source: str, why: str) -> None:
    variables = _variables(
        subject={"id": 7, "role": "agent"}, context={"secret": "alice@example.com", "list": [1]}
    )
    with pytest.raises(ConditionFailedError, match=why) as failure:
        Condition(source).holds(variables)

    assert "alice" not in str(failure.value)


def _house(condition: str, *, on: str = "rbac") -> World:
    world = World()
    rows = policy(admin="crud", agent="crud")
    asked = {"conditions": {on: condition}} if on != "extended/a" else {}
    world.put(
        object_type(
            "product",
            rows if on == "rbac" else policy(),
            {"owns": rows} if on == "rebac/owns" else {},
            policies={"a": {"rows": rows, "condition": condition}} if on == "extended/a" else {},
            **asked,
        )
    )
    world.put(relationship_type("owns", "zen:user", "product"))
    world.put(related(1, "owns", "zen:user:1", "p1"))
    return world


def _ask(world: World, facts: Given = Given(), user: User = AGENT) -> Decided:  # noqa: B008 - immutable
    return decide(world.snapshot(), user, "update", "product", "p1", NOW, facts)


@pytest.mark.parametrize("on", ["rbac", "rebac/owns", "extended/a"])
def test_a_failing_condition_denies_and_is_reported(on: str) -> None:
    decided = _ask(_house("object.level > 2", on=on))

    assert not decided.allowed
    assert decided.reason == "CONDITION_FAILED"
    assert decided.failed == (f"{on}: there is no level",)


@pytest.mark.parametrize("on", ["rbac", "rebac/owns", "extended/a"])
def test_the_same_question_with_two_contexts_has_two_answers(on: str) -> None:
    """A cache without the context would give one (facts: policy §7.4)."""
    world = _house("context.tier == 'gold'", on=on)
    answers = [_ask(world, Given(context=c)).allowed for c in (GOLD, {"tier": "tin"}, GOLD, {})]

    assert answers == [True, False, True, False]


def test_a_failure_on_several_ways_is_told_once() -> None:
    path = [{"type": "runs"}]
    extended = {
        "rows": policy(agent="u"),
        "path": path,
        "start": "group",
        "condition": "context.tier == 'gold'",
    }
    world = World()
    world.put(object_type("product", policy(), policies={"a": extended}))
    world.put(related(1, "runs", "zen:group:4", "p1"))
    world.put(related(2, "runs", "zen:group:5", "p1"))
    decided = _ask(world, user=User(1, "agent", None, (4, 5)))

    assert decided.failed == ("extended/a: there is no tier",)


def test_a_condition_that_is_not_met_is_no_failure() -> None:
    decided = _ask(_house("subject.id == 2"))

    assert decided == (False, "NO_RULE_ALLOWS", "rbac:agent", "", (), (), ())


def test_a_later_rule_may_allow_and_the_failure_stays_told() -> None:
    world = _house("object.level > 2")
    found = world.types["object", "product"]
    extensions = {**found.extensions, "policies": {"a": {"rows": policy(agent="u")}}}
    world.put(object_type("product", found.permissions["rbac"], **extensions))
    decided = _ask(world)

    assert decided.reason == "EXTENDED:a"
    assert decided.failed == ("rbac: there is no level",)


def test_what_the_asker_sends_stands_in_for_what_is_stored_but_not_for_the_id() -> None:
    world = _house("object.level > 2 && object.id == 'p1' && object.type == 'product'")
    world.put(ObjectRow("product", "p1", {"level": 1}))

    assert not _ask(world).allowed
    assert _ask(world, Given({"level": 3, "id": "p9", "type": "team"})).allowed
    assert not _ask(world).allowed


@pytest.mark.parametrize(
    "condition",
    [
        "subject.id == 1 && subject.role == 'agent' && subject.custom_role_id == null",
        "4 in subject.groups && subject.organization == 6",
        "relationship.id == 'rel-1' && relationship.type == 'owns'",
        "relationship.source == 'zen:user:1' && relationship.target == object.id",
        "now >= timestamp('2026-01-01T00:00:00Z') && now < timestamp('2026-01-01T00:00:01Z')",
    ],
)
def test_what_a_condition_can_ask_for(condition: str) -> None:
    assert _ask(_house(condition, on="rebac/owns")).allowed
    assert not _ask(_house(f"!({condition})", on="rebac/owns")).allowed


def test_an_explanation_tells_about_the_condition() -> None:
    def why(condition: str) -> str:
        snapshot = _house(condition).snapshot()
        return decide(snapshot, AGENT, "update", "product", "p1", NOW, explain=True).tried[0].why

    assert why("true").endswith("; the condition is met")
    assert why("false").endswith("; the condition is not met")
    assert why("object.x").endswith("; the condition could not be evaluated: there is no x")
