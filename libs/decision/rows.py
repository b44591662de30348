"""What decisions are made from, as it is kept and as it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

ROLES = ("admin", "agent", "end_user")
ACTIONS = ("create", "read", "update", "delete")
ABOUT_TYPES = ("show_policies", "update_policies")
"""Actions on a type that go by role alone (facts: policy §1.6)."""
RU = ("read", "update")
OBJECT, RELATIONSHIP = "object", "relationship"
USER, GROUP, ORGANIZATION = "zen:user", "zen:group", "zen:organization"


def user_end(user_id: int) -> str:
    """Return a user as an end of a relationship: `zen:user:10002`."""
    return f"{USER}:{user_id}"


@dataclass(frozen=True, slots=True)
class User:
    """A user: ids only.

    Attributes:
        role: admin, agent or end_user.
        custom_role_id: counts for agents only.
        groups: those he is a member of.
        organization: the one he belongs to.
    """

    id: int
    role: str
    custom_role_id: int | None = None
    groups: tuple[int, ...] = ()
    organization: int | None = None


@dataclass(frozen=True, slots=True)
class TypeRow:
    """An object type or relationship type with its permissions.

    Attributes:
        kind: object or relationship; keys of the two are two name spaces.
        permissions: `{"rbac": policy, "rebac": {relationship type: policy}}`, a policy being `{"admin": row,
            "agent": row, "end_user": row, "custom": {role id: row}}` and a row `{verb: bool}`.
        source: of a relationship type: one of Zendesk's types or an object type's key.
        target: of a relationship type.
        many: whether one source may have many targets.
        version: counts changes of the permissions; the etag.
        extensions: of an object type, what goes beyond the seed: `{"policies": {name: {"path": [{"type": key,
            "up_to": hops}], "start": kind, "rows": policy, "condition": CEL}}, "conditions": {policy: CEL}}`.
    """

    kind: str
    key: str
    permissions: Json
    created_at: datetime
    source: str = ""
    target: str = ""
    many: bool = False
    version: int = 1
    extensions: Json = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Key as rights are listed by: `product`, or `relationship:user_to_many_products`."""
        return self.key if self.kind == OBJECT else f"{RELATIONSHIP}:{self.key}"


@dataclass(frozen=True, slots=True)
class RelationshipRow:
    """A relationship record.

    Attributes:
        expires_at: from then on it gives no right; None = never.
    """

    id: str
    type: str
    source: str
    target: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A record of an object type.

    Attributes:
        attributes: what conditions may ask for; JSON values.
    """

    type: str
    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


Row: TypeAlias = TypeRow | User | RelationshipRow | ObjectRow


@dataclass(frozen=True, slots=True)
class Change:
    """One row that came or went.

    Attributes:
        revision: of the account, after it.
        row: as it is now; as it was, when gone.
    """

    revision: int
    row: Row
    gone: bool = False
