"""Every example of seed 002, and the cases derived from it (facts: policy §2)."""

from __future__ import annotations

from typing import Any

import pytest

from services.policy.domain.decide import User, decide
from services.policy.domain.errors import PermissionsInvalidError
from services.policy.domain.permissions import merge, new_permissions, shown

K = "user_to_many_products"
Json = dict[str, Any]
ADMIN, AGENT, CUSTOM, OTHER, END = (
    User(1, "admin"),
    User(2, "agent"),
    User(3, "agent", 8237),
    User(4, "agent", 9001),
    User(5, "end_user"),
)


def crud(text: str) -> dict[str, bool]:
    return {v: c == "T" for v, c in zip(("create", "read", "update", "delete"), text, strict=True)}


def ru(text: str) -> dict[str, bool]:
    return {v: c == "T" for v, c in zip(("read", "update"), text, strict=True)}


def patch(state: Json, data: object, *, object_type: bool = True) -> Json:
    return merge(state, data, object_type=object_type, may_carry=lambda key: key == K)


def rights(state: Json, user: User, *, related: bool = False) -> str:
    return "".join(
        "T" if decide(user, action, state, "p1", lambda _: "rel" if related else None).allowed else "F"
        for action in ("create", "read", "update", "delete")
    )


S1 = {
    "rbac": {
        "agent": {"end_user": True, "read": True, "update": False, "delete": False},
        "custom": {"8237": crud("FTTF")},
    },
    "rebac": {K: {"end_user": {"update": True}, "custom": {"8237": {"read": True, "update": False}}}},
}
S4 = {
    "rbac": {"agent": crud("TTTF"), "custom": {"8237": crud("FTTF")}, "end_user": {"read": True}},
    "rebac": {K: {"custom": {"8237": ru("TT")}, "end_user": {"update": True}}},
}
S6 = {
    "rbac": {"agent": crud("TTTF"), "end_user": {"read": True}},
    "rebac": {K: {"end_user": {"update": True}}},
}
DEFAULT = {"admin": crud("TTTT"), "agent": crud("TTTT"), "end_user": crud("FFFF")}


def test_s1_the_slip_in_the_first_example_is_refused_by_its_path() -> None:
    with pytest.raises(PermissionsInvalidError) as caught:
        patch(new_permissions(), S1)

    assert [v.field for v in caught.value.violations] == ["/data/rbac/agent/end_user"]


def test_s2_s5_s7_a_new_type_has_the_default_and_no_rebac() -> None:
    assert shown(new_permissions(), patched=False) == {"rbac": DEFAULT}


def test_s3_a_new_rebac_policy_is_filled_with_its_default() -> None:
    state = patch(new_permissions(), {"rebac": {K: {}}})

    assert shown(state, patched=True)["rebac"] == {
        K: {"admin": ru("TT"), "agent": ru("FF"), "end_user": ru("FF")}
    }


def test_s4_the_full_example() -> None:
    assert shown(patch(new_permissions(), S4), patched=True) == {
        "rbac": {
            "admin": crud("TTTT"),
            "agent": crud("TTTF"),
            "custom": {"8237": crud("FTTF")},
            "end_user": crud("FTFF"),
        },
        "rebac": {
            K: {"admin": ru("TT"), "agent": ru("FF"), "custom": {"8237": ru("TT")}, "end_user": ru("FT")}
        },
    }


def test_s6_the_patch_of_an_object_type() -> None:
    assert shown(patch(new_permissions(), S6), patched=True) == {
        "rbac": {"admin": crud("TTTT"), "agent": crud("TTTF"), "end_user": crud("FTFF")},
        "rebac": {K: {"admin": ru("TT"), "agent": ru("FF"), "end_user": ru("FT")}},
    }


def test_s8_the_patch_of_a_relationship_type_shows_an_empty_rebac() -> None:
    state = patch(new_permissions(), {"rbac": S6["rbac"]}, object_type=False)

    assert shown(state, patched=True)["rebac"] == {}
    assert "rebac" not in shown(state, patched=False)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, ["TTTT", "TTTT", "TTTT", "TTTT", "FFFF", "FFFF"]),
        (S6, ["TTTT", "TTTF", "TTTF", "TTTF", "FTFF", "FTTF"]),
        (S4, ["TTTT", "TTTF", "FTTF", "TTTF", "FTFF", "FTTF"]),
    ],
)
def test_the_table_of_decisions(data: Json, expected: list[str]) -> None:
    state = patch(new_permissions(), data)

    found = [rights(state, u) for u in (ADMIN, AGENT, CUSTOM, OTHER, END)] + [
        rights(state, END, related=True)
    ]
    assert found == expected


def test_t1_t2_what_is_left_out_keeps_the_previous_value() -> None:
    state = patch(patch(new_permissions(), S6), {"rbac": {"end_user": {"update": True}}})
    state = patch(state, {"rebac": {K: {"agent": {"read": True}}}})

    assert state["rbac"]["end_user"] == crud("FTTF")
    assert state["rebac"][K] == {"admin": ru("TT"), "agent": ru("TF"), "end_user": ru("FT")}


def test_t3_t4_custom_rows_keep_their_values_and_new_ones_start_at_false() -> None:
    state = patch(
        patch(new_permissions(), S4), {"rbac": {"custom": {"8237": {"delete": True}, "9001": {"read": True}}}}
    )

    assert state["rbac"]["custom"] == {"8237": crud("FTTT"), "9001": crud("FTFF")}
    assert rights(state, OTHER) == "FTFF"


def test_t5_t6_t7_t8_null_removes() -> None:
    state = patch(new_permissions(), S4)

    assert "custom" not in patch(state, {"rbac": {"custom": {"8237": None}}})["rbac"]
    assert patch(state, {"rebac": {K: None}})["rebac"] == {}
    assert patch(state, {"rbac": None})["rbac"] == DEFAULT
    assert patch(state, {"rbac": {"agent": {"delete": None}}})["rbac"]["agent"] == crud("TTTT")
    assert patch(state, {"rbac": {"custom": None}})["rbac"].get("custom") is None


def test_t9_t23_an_empty_patch_and_the_answer_sent_back_change_nothing() -> None:
    state = patch(new_permissions(), S4)

    assert patch(state, {}) == state
    assert patch(state, shown(state, patched=True)) == state


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"rebac": {"unknown": {}}}, "/data/rebac/unknown"),
        ({"rebac": {K: {"agent": {"delete": True}}}}, "/data/rebac/user_to_many_products/agent/delete"),
        ({"rbac": {"agent": {"read": "true"}}}, "/data/rbac/agent/read"),
        ({"rbac": {"agent": []}}, "/data/rbac/agent"),
        ({"rbac": {"custom": True}}, "/data/rbac/custom"),
        ({"rbac": {"owner": {}}}, "/data/rbac/owner"),
        ({"x": 1}, "/data/x"),
        ([], "/data"),
    ],
)
def test_t11_t12_t13_faults_name_their_pointer_and_nothing_is_stored(data: object, pointer: str) -> None:
    state = new_permissions()
    with pytest.raises(PermissionsInvalidError) as caught:
        patch(state, data)

    assert pointer in [v.field for v in caught.value.violations]
    assert state == new_permissions()


def test_t10_relationship_types_take_no_rebac() -> None:
    with pytest.raises(PermissionsInvalidError):
        patch(new_permissions(), {"rebac": {"x": {}}}, object_type=False)

    assert patch(new_permissions(), {"rebac": {}}, object_type=False) == new_permissions()
    assert patch(new_permissions(), {"rebac": None}, object_type=False) == new_permissions()


def test_t14_custom_role_ids_are_not_validated() -> None:
    assert "99999999" in patch(new_permissions(), {"rbac": {"custom": {"99999999": {}}}})["rbac"]["custom"]


def test_t17_relationships_never_create_or_delete() -> None:
    state = patch(new_permissions(), {"rbac": {"agent": crud("FFFF")}, "rebac": {K: {"agent": ru("TT")}}})

    assert rights(state, AGENT, related=True) == "FTTF"
    assert rights(state, AGENT) == "FFFF"


def test_t18_each_policy_chooses_its_own_row() -> None:
    state = patch(
        new_permissions(), {"rbac": {"custom": {"8237": crud("FFFF")}}, "rebac": {K: {"agent": ru("TT")}}}
    )

    assert rights(state, CUSTOM, related=True) == "FTTF"


def test_t19_an_admin_may_be_shut_out_of_records_and_let_in_by_relationship() -> None:
    state = patch(new_permissions(), {"rbac": {"admin": crud("FFFF")}, "rebac": {K: {}}})

    assert rights(state, ADMIN) == "FFFF"
    assert rights(state, ADMIN, related=True) == "FTTF"


def test_t20_custom_roles_count_for_agents_only() -> None:
    state = patch(new_permissions(), {"rbac": {"custom": {"8237": crud("TTTT")}}})

    assert rights(state, User(5, "end_user", 8237)) == "FFFF"
    assert (
        rights(patch(state, {"rbac": {"custom": {"8237": crud("FFFF")}}}), User(1, "admin", 8237)) == "TTTT"
    )


def test_unknown_users_and_types_are_denied_with_a_reason() -> None:
    assert decide(None, "read", new_permissions(), "p", lambda _: None).reason == "UNKNOWN_USER"
    assert decide(ADMIN, "read", None, "p", lambda _: None).reason == "UNKNOWN_TYPE"
    assert not decide(ADMIN, "fly", new_permissions(), "p", lambda _: None).allowed
