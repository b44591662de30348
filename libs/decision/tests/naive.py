"""Seed 002 read slowly: rows are searched one by one, nothing is indexed, nothing of the core is used but its rows."""

from collections.abc import Iterator

from libs.decision.rows import Json, RelationshipRow, User
from libs.decision.tests.world import World


def row(policy: Json, user: User) -> Json:
    """A custom row replaces the agent row whole; each policy is asked by itself (facts: policy §1.5, D7)."""
    if user.role == "agent" and str(user.custom_role_id) in policy.get("custom", {}):
        return dict(policy["custom"][str(user.custom_role_id)])
    return dict(policy[user.role])


def says(policy: Json, user: User, action: str) -> bool:
    """What a policy's row says."""
    return bool(row(policy, user).get(action, False))


def related(world: World, kind: str, source: str, target: str, now: float) -> Iterator[RelationshipRow]:
    """Relationship records that count."""
    for one in world.relationships.values():
        ends = None if one.expires_at is None else one.expires_at.timestamp()
        if (one.type, one.source, one.target) == (kind, source, target) and (ends is None or now < ends):
            yield one


def unknown(world: World, user: User | None, action: str, name: str) -> str:
    """Why a question cannot be asked, or nothing."""
    if user is None:
        return "UNKNOWN_USER"
    if user.role not in ("admin", "agent", "end_user"):
        return "UNKNOWN_ROLE"
    if world.named(name) is None:
        return "UNKNOWN_TYPE"
    return "" if action in ("create", "read", "update", "delete") else "UNKNOWN_ACTION"


def decide(
    world: World, user: User | None, action: str, name: str, record: str, now: float
) -> tuple[bool, str]:
    """Return the answer and its reason by the seed alone (facts: policy §1.5, §1.6)."""
    why, found = unknown(world, user, action, name), world.named(name)
    if user is None or found is None or why not in ("", "UNKNOWN_ACTION"):
        return False, why
    if action in ("show_policies", "update_policies") and not record:
        return user.role == "admin" or (user.role, action) == ("agent", "show_policies"), "ROLE"
    if why:
        return False, why
    if says(found.permissions["rbac"], user, action):
        return True, "RBAC"
    if action == "read" and not record and user.role == "admin":
        return True, "ADMIN_READS_TYPES"  # facts: policy, D8
    if action in ("read", "update") and record:
        for key, policy in sorted(found.permissions["rebac"].items()):
            if says(policy, user, action) and any(related(world, key, f"zen:user:{user.id}", record, now)):
                return True, f"REBAC:{key}"
    return False, "NO_RULE_ALLOWS"
