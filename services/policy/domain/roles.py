"""What a role gives by itself, without relationships: for types, and for who writes relationship records."""

from __future__ import annotations

from libs.decision.rows import ROLES, Json, User


def allowed_by_role(user: User, action: str, permissions: Json) -> bool:
    """Tell whether the RBAC policy allows an action; a custom row replaces the agent row whole (seed 002)."""
    if user.role not in ROLES:
        return False
    policy, role = permissions["rbac"], str(user.custom_role_id)
    if user.role == "agent" and user.custom_role_id is not None and role in policy.get("custom", {}):
        return bool(policy["custom"][role].get(action, False))
    return bool(policy[user.role].get(action, False))
