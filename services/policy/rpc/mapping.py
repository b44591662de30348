"""Rows as messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.policy.app.ports import Answer, LogRow, RelationshipRow, TypeRow
from services.policy.domain.permissions import Json, shown
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

TO_ACTION = {
    resources.ACTION_CREATE: "create",
    resources.ACTION_READ: "read",
    resources.ACTION_UPDATE: "update",
    resources.ACTION_DELETE: "delete",
}
FROM_ACTION = {name: number for number, name in TO_ACTION.items()}
KINDS = {"objectTypes": "object", "relationshipTypes": "relationship"}


def timestamp(instant: datetime | None) -> Timestamp | None:
    """Return an instant as a message."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def instant(given: Timestamp, field: str) -> datetime:
    """Return a message as an instant.

    Raises:
        InvalidRequestError: it is outside of the years 1 to 9999.
    """
    try:
        return given.ToDatetime(UTC)
    except (ValueError, OverflowError):
        fault = FieldViolation(field, "is not an instant of the years 1 to 9999")
        raise InvalidRequestError(f"`{field}` {fault.description}", violations=[fault]) from None


def kind_and_key(name: str) -> tuple[str, str]:
    """Return kind and key of `accounts/{account}/{objectTypes or relationshipTypes}/{key}`."""
    _, _, plural, key = name.split("/")
    return KINDS[plural], key


def object_type_message(parent: str, row: TypeRow) -> resources.ObjectType:
    """Return an object type as a message."""
    return resources.ObjectType(
        name=f"{parent}/objectTypes/{row.key}", key=row.key, create_time=timestamp(row.created_at)
    )


def relationship_type_message(parent: str, row: TypeRow) -> resources.RelationshipType:
    """Return a relationship type as a message."""
    return resources.RelationshipType(
        name=f"{parent}/relationshipTypes/{row.key}",
        key=row.key,
        source=row.source,
        target=row.target,
        many=row.many,
        create_time=timestamp(row.created_at),
    )


def _rows(policy: Json) -> resources.Rows:
    return resources.Rows(
        admin=resources.Row(**policy["admin"]),
        agent=resources.Row(**policy["agent"]),
        end_user=resources.Row(**policy["end_user"]),
        custom={role: resources.Row(**row) for role, row in policy.get("custom", {}).items()},
    )


def permissions_message(parent: str, row: TypeRow) -> resources.Permissions:
    """Return a type's permissions as a message."""
    plural = "objectTypes" if row.kind == "object" else "relationshipTypes"
    return resources.Permissions(
        name=f"{parent}/{plural}/{row.key}/permissions",
        rbac=_rows(row.permissions["rbac"]),
        rebac={key: _rows(policy) for key, policy in row.permissions["rebac"].items()},
        etag=str(row.version),
    )


def permissions_json(row: TypeRow, *, patched: bool) -> str:
    """Return a type's permissions in the seed's exact JSON."""
    return json.dumps(shown(row.permissions, patched=patched), separators=(",", ":"))


def relationship_message(parent: str, row: RelationshipRow) -> resources.Relationship:
    """Return a relationship as a message."""
    return resources.Relationship(
        name=f"{parent}/relationships/{row.id}",
        type=row.type,
        source=row.source,
        target=row.target,
        create_time=timestamp(row.created_at),
        expire_time=timestamp(row.expires_at),
    )


def decided_message(answer: Answer) -> resources.Decided:
    """Return a decision as a message."""
    decided = answer.decided
    return resources.Decided(
        allowed=decided.allowed,
        reason=decided.reason,
        relationship=decided.relationship,
        revision=answer.revision,
    )


def tried_messages(answer: Answer) -> list[resources.TriedRule]:
    """Return the rules that were tried as messages."""
    return [
        resources.TriedRule(policy=t.policy, row=t.row, allows=t.allows, related=t.related, why=t.why)
        for t in answer.decided.tried
    ]


def logged_message(row: LogRow) -> messages.LoggedDecision:
    """Return a logged decision as a message."""
    return messages.LoggedDecision(
        time=timestamp(row.at),
        user_id=row.user_id,
        action=FROM_ACTION.get(row.action, resources.ACTION_UNSPECIFIED),
        object_type=row.object_type,
        record_id=row.record,
        decided=resources.Decided(allowed=row.allowed, reason=row.reason, revision=row.revision),
    )
