"""Random policies, patches and users for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from services.policy.domain.decide import User
from services.policy.domain.permissions import CRUD, ROLES, RU, merge, new_permissions
from services.policy.tests.world import K, L

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
    return merge(state, patch, object_type=object_type, may_carry=lambda key: key in (K, L))


PERMISSIONS: st.SearchStrategy[Any] = st.lists(PATCHES, max_size=3).map(
    lambda patches: _applied(new_permissions(), patches)
)


def _applied(state: Any, patches: list[Any]) -> Any:
    for patch in patches:
        state = patched(state, patch)
    return state
