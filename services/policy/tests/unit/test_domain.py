"""The corners of the domain that no example of the seed shows."""

from __future__ import annotations

import json

import pytest

from libs.decision.rows import User
from libs.kernel.errors import InvalidRequestError
from services.policy.domain.ends import end_fault
from services.policy.domain.lint import lint
from services.policy.domain.patch import MAXIMUM_DEPTH, parse_patch
from services.policy.domain.permissions import new_permissions
from services.policy.tests.unit.strategies import decide, patched
from services.policy.tests.world import K

ADMIN = User(1, "admin")


def test_the_unknown_is_denied_with_a_reason_and_never_raises() -> None:
    fresh = new_permissions()

    assert decide(None, "read", fresh, "p", lambda _: None).reason == "UNKNOWN_USER"
    assert decide(ADMIN, "read", None, "p", lambda _: None).reason == "UNKNOWN_TYPE"
    assert decide(ADMIN, "fly", fresh, "p", lambda _: None).reason == "UNKNOWN_ACTION"
    assert decide(User(1, "owner"), "read", fresh, "p", lambda _: None).reason == "UNKNOWN_ROLE"


def test_a_role_that_is_called_like_a_member_of_a_policy_is_no_role() -> None:
    state = patched(new_permissions(), {"rbac": {"custom": {"1": {"read": True}}}})

    assert decide(User(1, "custom"), "read", state, "p", lambda _: None).reason == "UNKNOWN_ROLE"


def test_admins_read_types_whatever_the_rows_say_but_no_records() -> None:
    state = patched(new_permissions(), {"rbac": {"admin": {"read": False, "update": False}}})

    assert decide(ADMIN, "read", state, "", lambda _: None).reason == "ADMIN_READS_TYPES"
    assert not decide(ADMIN, "read", state, "p", lambda _: None).allowed
    assert not decide(ADMIN, "update", state, "", lambda _: None).allowed


def test_t24_reading_a_type_follows_the_role_and_no_relationship() -> None:
    state = patched(
        new_permissions(), {"rbac": {"agent": {"read": False}}, "rebac": {K: {"agent": {"read": True}}}}
    )
    reads = patched(new_permissions(), {"rbac": {"end_user": {"read": True}}})

    assert not decide(User(2, "agent"), "read", state, "", lambda _: "rel").allowed
    assert decide(User(2, "agent"), "read", state, "p", lambda _: "rel").allowed
    assert decide(User(5, "end_user"), "read", reads, "", lambda _: None).allowed


def test_an_explanation_tells_of_relationships_that_did_not_help_and_of_the_fallback() -> None:
    state = patched(new_permissions(), {"rbac": {"agent": {"read": False}}, "rebac": {K: {}}})

    decided = decide(User(4, "agent", 9001), "read", state, "p", lambda _: "rel-1")

    assert [(t.policy, t.row, t.allows, t.related) for t in decided.tried] == [
        ("rbac", "agent", False, True),
        (f"rebac/{K}", "agent", False, True),
    ]
    assert decided.tried[0].why == "row agent says false for read, custom role 9001 has no row of its own"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("", "is not JSON"),
        ("NaN", "is not JSON"),
        ('{"rbac":{"agent":{"delete":false,"delete":true}}}', "a member name stands twice"),
        ('{"\\ud800":1}', "lone surrogate"),
        ("[" * (MAXIMUM_DEPTH + 1) + "]" * (MAXIMUM_DEPTH + 1), "deeper than 16"),
        ("[" * 130_000 + "]" * 130_000, "deeper than 16"),
        ('{"a":' * 40_000 + "1" + "}" * 40_000, "deeper than 16"),
    ],
)
def test_a_patch_that_is_no_json_of_ours_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_patch(text)

    assert complaint in caught.value.message
    assert [v.field for v in caught.value.violations] == ["merge_patch_json"]


def test_a_patch_may_be_as_deep_as_the_limit() -> None:
    text = "[" * MAXIMUM_DEPTH + "]" * MAXIMUM_DEPTH

    assert parse_patch(text) == json.loads(text)


@pytest.mark.parametrize(
    ("end_type", "value", "fits"),
    [
        ("zen:user", "zen:user:10002", True),
        ("zen:user", "zen:user:010002", False),
        ("zen:user", "zen:user:0", False),
        ("zen:user", "zen:user:", False),
        ("zen:user", "zen:user:1\n", False),
        ("zen:user", "zen:user:٣", False),
        ("zen:user", "zen:ticket:1", False),
        ("zen:user", "10002", False),
        ("zen:user", "zen:user:99999999999999999999", False),
        ("zen:ticket", "zen:ticket:1", True),
        ("product", "a:b/c#d@e|f", True),
        ("product", "p\0", False),
        ("product", "zen:user:1", False),
    ],
)
def test_an_end_has_one_spelling(end_type: str, value: str, fits: bool) -> None:
    assert (end_fault(end_type, value) == "") is fits


def test_lint_finds_each_hole_and_is_silent_about_a_tight_policy() -> None:
    tight = {"rbac": {"agent": {"create": False}}}
    products = patched(
        new_permissions(),
        {
            "rbac": {
                "admin": {"delete": False},
                "end_user": {"update": True},
                "custom": {"8237": {}, "9": {}},
            },
            "rebac": {K: {"end_user": {"update": True}}},
        },
    )
    useful = patched(new_permissions(), {"rebac": {K: {"end_user": {"read": True}}}})

    def codes(objects: dict[str, object], carrier: object) -> list[tuple[str, str]]:
        permissions = {K: patched(new_permissions(), carrier, object_type=False)}
        return [(w.code, w.type) for w in lint(objects, permissions, {8237})]  # type: ignore[arg-type]  # plain JSON

    assert codes({"product": products}, {"rbac": {"end_user": {"create": True}}}) == [
        ("ADMIN_RESTRICTED", "product"),
        ("UPDATE_WITHOUT_READ", "product"),
        ("UNUSED_CUSTOM_ROLE", "product"),
        ("UPDATE_WITHOUT_READ", "product"),
        ("ADDS_NOTHING", "product"),  # end users may update every product by role already
        ("AGENTS_MAY_GRANT", K),
        ("END_USERS_MAY_GRANT", K),
    ]
    assert codes({"product": useful}, tight) == []
    idle = patched(new_permissions(), {"rebac": {K: {}}})
    assert codes({"product": idle}, tight) == [("ADDS_NOTHING", "product")]
    assert codes({}, {}) == [], "nothing is granted by this relationship type"
