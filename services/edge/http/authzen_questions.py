"""AuthZEN's words as policy's (facts: policy §5.6). What policy cannot know is a deny, not an error."""

from __future__ import annotations

import re

from services.edge.http.authzen_entities import Entity, Json
from services.edge.http.authzen_errors import RefusedError
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

USER = "user"
TOKEN = "consistency_token"  # noqa: S105 - the name of a member, no secret
OBJECT, RELATIONSHIP = "object:", "relationship:"
"""Before the key of a type: which of the two kinds is meant, whatever types of the other there are."""
TYPES = {"type": OBJECT, "relationship_type": RELATIONSHIP}
"""Resource types that mean a type itself, and what policy writes before its key (decision 15)."""
RECORD_ACTIONS = {
    "create": resources.ACTION_CREATE,
    "read": resources.ACTION_READ,
    "update": resources.ACTION_UPDATE,
    "delete": resources.ACTION_DELETE,
}
TYPE_ACTIONS = {
    "read": resources.ACTION_READ,
    "show_policies": resources.ACTION_SHOW_POLICIES,
    "update_policies": resources.ACTION_UPDATE_POLICIES,
}
_USER_ID = re.compile(r"[1-9][0-9]{0,18}")
_MAXIMUM_USER_ID = 2**63 - 1
_TYPE = re.compile(r"(relationship:)?[0-9a-z_-]{2,32}")
_RECORD_LENGTH = 200
_ROLES = ("admin", "agent", "end_user")


class UnknownError(Exception):
    """Policy knows nothing of the kind: a deny, or an empty list.

    Args:
        reason: for the answer's context.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def actions_of(resource_type: str) -> dict[str, resources.Action.ValueType]:
    """Return the actions that a resource type takes, by name."""
    return TYPE_ACTIONS if resource_type in TYPES else RECORD_ACTIONS


def action_of(name: str, resource_type: str) -> resources.Action.ValueType:
    """Return an action.

    Raises:
        UnknownError: the resource type does not take it.
    """
    found = actions_of(resource_type).get(name)
    if found is None:
        raise UnknownError("UNKNOWN_ACTION")
    return found


def user_of(subject: Entity) -> int:
    """Return the id of a user.

    Raises:
        UnknownError: the subject is no user of Zendesk's.
    """
    if subject.type != USER or not _USER_ID.fullmatch(subject.id) or int(subject.id) > _MAXIMUM_USER_ID:
        raise UnknownError("UNKNOWN_USER")
    return int(subject.id)


def object_type_of(resource_type: str) -> str:
    """Return a type of records as policy takes it.

    Raises:
        UnknownError: it can be no type's.
    """
    if resource_type in TYPES or not _TYPE.fullmatch(resource_type):
        raise UnknownError("UNKNOWN_TYPE")
    return resource_type if resource_type.startswith(RELATIONSHIP) else OBJECT + resource_type


def target_of(resource: Entity) -> tuple[str, str]:
    """Return policy's object type and record of a resource; the record is empty for a type itself.

    Raises:
        UnknownError: there can be no such type or record.
    """
    if resource.type in TYPES:
        if not _TYPE.fullmatch(resource.id) or ":" in resource.id:
            raise UnknownError("UNKNOWN_TYPE")
        return TYPES[resource.type] + resource.id, ""
    object_type = object_type_of(resource.type)
    if len(resource.id) > _RECORD_LENGTH or "\0" in resource.id:
        raise UnknownError("UNKNOWN_RECORD")
    return object_type, resource.id


def given_of(subject: Entity | None, resource: Entity, context: Json, *, trusted: bool) -> messages.Given:
    """Return what the asker knows himself; a role only from those who are trusted to send it.

    Raises:
        RefusedError: 400, a trusted asker's role or custom role has a wrong type.
        UnknownError: there is no such role.
    """
    given = messages.Given()
    if subject is not None and trusted and "role" in subject.properties:
        _put_role(given, subject.properties["role"], subject.properties.get("custom_role_id"))
    if resource.properties:
        given.object.update(dict(resource.properties))
    if facts := {name: value for name, value in context.items() if name != TOKEN}:
        given.context.update(facts)
    return given


def _put_role(given: messages.Given, role: object, custom: object) -> None:
    if not isinstance(role, str):
        raise RefusedError(400, "subject.properties.role must be a string")
    if role not in _ROLES:
        raise UnknownError("UNKNOWN_ROLE")
    given.role = role
    if custom is not None:
        text = str(custom) if isinstance(custom, int | str) and not isinstance(custom, bool) else ""
        if not _USER_ID.fullmatch(text) or int(text) > _MAXIMUM_USER_ID:
            raise RefusedError(400, "subject.properties.custom_role_id must be the id of a role")
        given.custom_role_id = int(text)


def question_of(
    subject: Entity, action: str, resource: Entity, context: Json, *, trusted: bool
) -> messages.Question:
    """Return one evaluation as policy's question.

    Raises:
        RefusedError, UnknownError: as above.
    """
    object_type, record = target_of(resource)
    return messages.Question(
        user_id=user_of(subject),
        action=action_of(action, resource.type),
        object_type=object_type,
        record_id=record,
        given=given_of(subject, resource, context, trusted=trusted),
    )


def token_of(context: Json) -> str:
    """Return the consistency token of a context, an empty text without one.

    Raises:
        RefusedError: 400, it is no text.
    """
    token = context.get(TOKEN, "")
    if not isinstance(token, str):
        raise RefusedError(400, f"context.{TOKEN} must be a string")
    return token
