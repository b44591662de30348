"""Random policies, patches and users for property tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from libs.decision.build import Builder
from libs.decision.decide import Decided
from libs.decision.decide import decide as decide_on
from libs.decision.rows import OBJECT, RELATIONSHIP, ROLES, RU, RelationshipRow, TypeRow, User, user_end
from services.policy.domain.permissions import CRUD, merge, new_permissions
from services.policy.tests.world import PRODUCT, K, L

CUSTOM_ROLES = (8237, 9001)
_VALUE = st.none() | st.booleans()


def _row(verbs: tuple[str, ...]) -> st.SearchStrategy[Any]:
    return st.none() | st.dictionaries(st.sampled_from(verbs), _VALUE)


def _policy(verbs: tuple[str, ...]) -> st.SearchStrategy[Any]:
    row = _row(verbs)
    custom = st.none() | st.dictionaries(st.sampled_from([str(r) for r in CUSTOM_ROLES]), row)
    return st.none() | st.fixed_dictionaries({}, optional={**dict.fromkeys(ROLES, row), "custom": custom})


PATCHES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "rbac": _policy(CRUD),
        "rebac": st.none() | st.dictionaries(st.sampled_from([K, L]), _policy(RU)),
    },
)
USERS_OF_ALL_KINDS = st.builds(
    User, st.integers(1, 4), st.sampled_from(ROLES), st.none() | st.sampled_from([*CUSTOM_ROLES, 7])
)


def patched(state: Any, patch: object, *, object_type: bool = True) -> Any:
    """Return permissions after a patch; K and L may carry policies."""
    merged, _ = merge(state, patch, object_type=object_type, may_carry=lambda key: key in (K, L))
    return merged


_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def decide(
    user: User | None,
    action: str,
    permissions: Any,
    record: str,
    related: Callable[[str], str | None],
    *,
    explain: bool = True,
) -> Decided:
    """Decide on an account that has this one object type and these relationships from the user."""
    builder = Builder()
    if permissions is not None:
        builder.put(TypeRow(OBJECT, PRODUCT, permissions, _LONG_AGO))
    for key in (K, L):
        builder.put(TypeRow(RELATIONSHIP, key, new_permissions(), _LONG_AGO, "zen:user", PRODUCT, True))
        if user is not None and (name := related(key)):
            builder.put(RelationshipRow(name, key, user_end(user.id), record, _LONG_AGO))
    return decide_on(builder.finish(1), user, action, PRODUCT, record, 0.0, explain=explain)


PERMISSIONS: st.SearchStrategy[Any] = st.lists(PATCHES, max_size=3).map(
    lambda patches: _applied(new_permissions(), patches)
)


def _applied(state: Any, patches: list[Any]) -> Any:
    for patch in patches:
        state = patched(state, patch)
    return state
