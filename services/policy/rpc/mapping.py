"""Rows as messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from libs.decision.decide import NOTHING_GIVEN, Given
from libs.decision.differences import Flip
from libs.decision.rows import Json, ObjectRow, RelationshipRow, TypeRow
from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.policy.app.ports import AccountSettings, Answer, LogRow
from services.policy.domain.lint import LintWarning
from services.policy.domain.permissions import shown
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

TO_ACTION = {
    resources.ACTION_CREATE: "create",
    resources.ACTION_READ: "read",
    resources.ACTION_UPDATE: "update",
    resources.ACTION_DELETE: "delete",
    resources.ACTION_SHOW_POLICIES: "show_policies",
    resources.ACTION_UPDATE_POLICIES: "update_policies",
}
FROM_ACTION = {name: number for number, name in TO_ACTION.items()}
MAXIMUM_GIVEN_BYTES = 8192
"""Of the object, and of the context, in a question: a condition may look at a list as often as it is long."""
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
        extensions=extensions_message(row.extensions),
    )


def extensions_message(extensions: Json) -> resources.Extensions:
    """Return extensions as a message."""
    return resources.Extensions(
        policies={
            name: resources.ExtendedPolicy(
                path=[resources.PathStep(**step) for step in policy["path"]],
                start=policy["start"],
                rows=_rows(policy["rows"]),
                condition=policy.get("condition", ""),
            )
            for name, policy in extensions.get("policies", {}).items()
        },
        conditions=extensions.get("conditions", {}),
    )


def extensions_of(message: resources.Extensions) -> Json:
    """Return a message as extensions: complete, as they are kept."""
    return {
        "policies": {
            name: {
                "path": [{"type": step.type, "up_to": step.up_to} for step in policy.path],
                "start": policy.start or "user",
                "rows": _policy_of(policy.rows),
                "condition": policy.condition,
            }
            for name, policy in sorted(message.policies.items())
        },
        "conditions": dict(sorted(message.conditions.items())),
    }


def _policy_of(rows: resources.Rows) -> Json:
    policy: Json = {name: _row_of(getattr(rows, name)) for name in ("admin", "agent", "end_user")}
    if rows.custom:
        policy["custom"] = {role: _row_of(row) for role, row in sorted(rows.custom.items())}
    return policy


def _row_of(row: resources.Row) -> Json:
    return {"create": row.create, "read": row.read, "update": row.update, "delete": row.delete}


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


def write_decided(message: resources.Decided, answer: Answer, token: str) -> None:
    """Write a decision into the message of an answer; what is made elsewhere would be copied into it."""
    decided = answer.decided
    message.allowed = decided.allowed
    message.reason = decided.reason
    message.relationship = decided.relationship
    message.revision = answer.revision
    message.row = decided.row
    if decided.path:
        message.path.extend(decided.path)
    if decided.failed:
        message.failed_conditions.extend(decided.failed)
    message.decision_id = answer.decision_id
    message.token = token
    message.history_redacted = answer.redacted


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
        decided=resources.Decided(
            allowed=row.allowed,
            reason=row.reason,
            relationship=row.relationship,
            revision=row.revision,
            row=row.rule,
            decision_id=row.id,
        ),
        decision_id=row.id,
        caller=row.caller,
        trace_id=row.trace,
        duration_us=row.duration_us,
    )


def struct_of(given: Struct, field: str) -> dict[str, Any]:
    """Return a struct as JSON values; whole numbers become integers, as people write them.

    Raises:
        InvalidRequestError: a number is none of JSON's.
    """
    try:
        return {key: _plain(value) for key, value in MessageToDict(given).items()}
    except ValueError:
        fault = FieldViolation(field, "holds a number that JSON has not: NaN or infinity")
        raise InvalidRequestError(f"`{field}` {fault.description}", violations=[fault]) from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    # beyond 64 bits conditions know no integers
    return int(value) if -(2**63) <= value < 2**63 and value == int(value) else float(value)


def given_of(given: messages.Given) -> Given:
    """Return what the asker knows himself.

    Raises:
        InvalidRequestError: it is more than `MAXIMUM_GIVEN_BYTES`, or holds a number that JSON has not.
    """
    if not given.HasField("object") and not given.HasField("context"):
        return NOTHING_GIVEN
    for field, struct in (("given.object", given.object), ("given.context", given.context)):
        if struct.ByteSize() > MAXIMUM_GIVEN_BYTES:
            fault = FieldViolation(field, f"is longer than {MAXIMUM_GIVEN_BYTES} bytes")
            raise InvalidRequestError(f"`{field}` {fault.description}", violations=[fault])
    return Given(struct_of(given.object, "given.object"), struct_of(given.context, "given.context"))


def object_message(row: ObjectRow) -> resources.ObjectRecord:
    """Return an object record as a message."""
    attributes = Struct()
    attributes.update(dict(row.attributes))
    return resources.ObjectRecord(type=row.type, record_id=row.id, attributes=attributes)


def flip_message(flip: Flip) -> messages.Flip:
    """Return an answer that differs as a message."""
    return messages.Flip(
        user_id=flip.user,
        action=FROM_ACTION[flip.action],
        object_type=flip.type,
        record_id=flip.record,
        allowed=flip.allowed,
    )


def warning_message(warning: LintWarning) -> messages.Warning:
    """Return a warning as a message."""
    return messages.Warning(code=warning.code, type=warning.type, text=warning.text)


def settings_message(parent: str, settings: AccountSettings) -> resources.PolicySettings:
    """Return an account's settings as a message."""
    return resources.PolicySettings(
        name=f"{parent}/policySettings",
        lenient_patches=settings.lenient_patches,
        history_days=settings.history_days,
        log_days=settings.log_days,
        log_share=settings.log_share,
        audited_types=settings.audited_types,
        etag=str(settings.version),
    )
