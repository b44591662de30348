"""What holds for every policy, patch and user (facts: policy §2.3, last line, and §7.4)."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from libs.decision.rows import ACTIONS, ROLES, RU, User
from services.policy.domain.permissions import CRUD, shown
from services.policy.tests.unit.strategies import PATCHES, PERMISSIONS, USERS_OF_ALL_KINDS, decide, patched
from services.policy.tests.world import K, L

RELATED = st.frozensets(st.sampled_from([K, L]))
RECORDS = st.sampled_from(["", "p1"])


def allowed(user: User, action: str, permissions: Any, record: str, related: frozenset[str]) -> bool:
    ids = {key: f"rel-{key}" for key in related}
    return decide(user, action, permissions, record, ids.get).allowed


def reference(user: User, action: str, permissions: Any, record: str, related: frozenset[str]) -> bool:
    """Decide as the facts state it (§1.5), written anew."""

    def row(policy: Any) -> Any:
        if user.role == "agent" and str(user.custom_role_id) in policy.get("custom", {}):
            return policy["custom"][str(user.custom_role_id)]
        return policy[user.role]

    if row(permissions["rbac"])[action]:
        return True
    if action == "read" and not record and user.role == "admin":  # decision 8
        return True
    return (
        record != ""
        and action in ("read", "update")
        and any(row(policy)[action] and key in related for key, policy in permissions["rebac"].items())
    )


@given(USERS_OF_ALL_KINDS, st.sampled_from(ACTIONS), PERMISSIONS, RECORDS, RELATED)
def test_the_decision_is_that_of_the_facts(
    user: User, action: str, permissions: Any, record: str, related: frozenset[str]
) -> None:
    expected = reference(user, action, permissions, record, related)
    ids = {key: f"rel-{key}" for key in related}

    assert allowed(user, action, permissions, record, related) == expected
    assert decide(user, action, permissions, record, ids.get, explain=False).allowed == expected


@given(PERMISSIONS, PATCHES)
def test_a_patch_applied_twice_is_applied_once(permissions: Any, patch: Any) -> None:
    before = copy.deepcopy(permissions)
    once = patched(permissions, patch)

    assert patched(once, patch) == once
    assert permissions == before, "a merge does not touch what it was given"


@given(PERMISSIONS, st.booleans())
def test_an_answer_sent_back_changes_nothing(permissions: Any, patched_form: bool) -> None:
    assert patched(permissions, shown(permissions, patched=patched_form)) == permissions


@given(PERMISSIONS, PATCHES)
def test_permissions_are_always_complete(permissions: Any, patch: Any) -> None:
    state = patched(permissions, patch)

    policies = [(CRUD, state["rbac"]), *((RU, policy) for policy in state["rebac"].values())]
    for verbs, policy in policies:
        assert set(policy) - {"custom"} == set(ROLES)
        assert policy.get("custom") != {}
        for row in [*(policy[role] for role in ROLES), *policy.get("custom", {}).values()]:
            assert set(row) == set(verbs)
            assert all(isinstance(value, bool) for value in row.values())


@given(USERS_OF_ALL_KINDS, st.sampled_from(ACTIONS), PERMISSIONS, RECORDS, RELATED)
def test_without_relationship_policies_role_alone_decides(
    user: User, action: str, permissions: Any, record: str, related: frozenset[str]
) -> None:
    bare = patched(permissions, {"rebac": None})

    assert allowed(user, action, bare, record, related) == allowed(user, action, bare, record, frozenset())


@given(USERS_OF_ALL_KINDS, st.sampled_from(ACTIONS), PERMISSIONS, RECORDS, RELATED)
def test_relationships_only_add_and_never_create_or_delete(
    user: User, action: str, permissions: Any, record: str, related: frozenset[str]
) -> None:
    by_role = allowed(user, action, patched(permissions, {"rebac": None}), record, frozenset())
    with_relationships = allowed(user, action, permissions, record, related)

    assert with_relationships or not by_role
    if action in ("create", "delete"):
        assert with_relationships == by_role


@given(PERMISSIONS, st.sampled_from(ROLES), st.sampled_from(ACTIONS), RECORDS, RELATED)
def test_granting_one_action_leaves_every_other_answer(
    permissions: Any, role: str, granted: str, record: str, related: frozenset[str]
) -> None:
    after = patched(permissions, {"rbac": {role: {granted: True}}})

    for other in ROLES:
        for action in ACTIONS:
            before_answer = allowed(User(1, other), action, permissions, record, related)
            after_answer = allowed(User(1, other), action, after, record, related)
            if (other, action) == (role, granted):
                assert after_answer
            else:
                assert after_answer == before_answer


@given(USERS_OF_ALL_KINDS, PERMISSIONS, RELATED)
def test_a_decision_names_the_rule_that_made_it(
    user: User, permissions: Any, related: frozenset[str]
) -> None:
    ids = {key: f"rel-{key}" for key in related}
    for action in ACTIONS:
        decided = decide(user, action, permissions, "p1", ids.get)
        deciding = [t for t in decided.tried if t.allows and t.related]
        assert decided.tried[0].policy == "rbac"
        if decided.allowed:
            (rule,) = deciding
            assert rule == decided.tried[-1]
            assert decided.reason == {"rbac": "RBAC"}.get(rule.policy, f"REBAC:{rule.policy[6:]}")
            assert decided.relationship == ids.get(rule.policy[6:], "")
        else:
            assert deciding == []
            assert decided.reason == "NO_RULE_ALLOWS"


@given(USERS_OF_ALL_KINDS, st.sampled_from(ACTIONS), PERMISSIONS, RELATED, st.randoms())
def test_the_order_of_policies_does_not_matter(
    user: User, action: str, permissions: Any, related: frozenset[str], random: Any
) -> None:
    keys = list(permissions["rebac"])
    random.shuffle(keys)
    shuffled = {**permissions, "rebac": {key: permissions["rebac"][key] for key in keys}}
    ids = {key: f"rel-{key}" for key in related}

    assert decide(user, action, shuffled, "p1", ids.get) == decide(user, action, permissions, "p1", ids.get)
