"""Who calls, and what his role lets him do whatever the policies say (facts: policy §1.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace

from libs.decision.rows import ROLES, User
from libs.kernel.errors import FieldViolation, InvalidRequestError, PermissionDeniedError
from libs.rpc.identity import current_caller
from services.policy.app.asked import Question
from services.policy.rpc.mapping import TO_ACTION, given_of
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages

MAXIMUM_KEY = 64
"""Of `object_type` in a question, in characters: what is longer is no key, and is not to be logged."""
MAXIMUM_RECORD = 200
"""Of `record_id`, in characters."""


def acting() -> User | None:
    """Return the acting person with the role that his verified token states; None for a service."""
    caller = current_caller()
    return None if caller.user is None else User(caller.user, caller.role or "", caller.custom_role_id)


def require_admin() -> None:
    """Let admins and services pass.

    Raises:
        PermissionDeniedError: somebody else.
    """
    person = acting()
    if person is not None and person.role != "admin":
        raise PermissionDeniedError("only admins may do this")


def require_staff() -> None:
    """Let agents, admins and services pass.

    Raises:
        PermissionDeniedError: somebody else.
    """
    person = acting()
    if person is not None and person.role not in ("agent", "admin"):
        raise PermissionDeniedError("only agents and admins may see this")


def subject_of(user_id: int) -> int:
    """Return whom a question is about; services and admins may ask about anybody, others about themselves.

    Raises:
        InvalidRequestError: a service asks about itself.
        PermissionDeniedError: somebody asks about another.
    """
    person = acting()
    if person is None:
        if not user_id:
            fault = FieldViolation("user_id", "must be given when no person asks")
            raise InvalidRequestError("a service must say about whom it asks", violations=[fault])
        return user_id
    if user_id not in (0, person.id) and person.role != "admin":
        raise PermissionDeniedError("you may ask about yourself only")
    return person.id if user_id == 0 else user_id


def require_plain(**texts: str) -> None:
    """Refuse texts that can be no key and no record's id.

    Raises:
        InvalidRequestError: names each of them.
    """
    if all("\0" not in text and len(text) <= MAXIMUM_KEY for text in texts.values()):
        return  # nearly always
    faults = [
        FieldViolation(field, "holds a zero character" if "\0" in text else "is too long")
        for field, text in texts.items()
        if "\0" in text or (field == "object_type" and len(text) > MAXIMUM_KEY)
    ]
    if faults:
        fields = ", ".join(f"`{fault.field}`" for fault in faults)
        raise InvalidRequestError(f"the request has bad fields: {fields}", violations=faults)


def question_of(asked: Any, action: resources.Action.ValueType | None = None) -> Question:
    """Return a question of a request.

    Args:
        asked: a message with `user_id`, `object_type`, `record_id`, `given` and, unless given here, `action`.

    Raises:
        InvalidRequestError, PermissionDeniedError: it may not be answered.
    """
    object_type, record = asked.object_type, getattr(asked, "record_id", "")
    require_plain(object_type=object_type, record_id=record)
    user = asked.user_id if hasattr(asked, "user_id") else None
    what = TO_ACTION.get(asked.action if action is None else action)
    if what is None or not object_type or len(record) > MAXIMUM_RECORD or (user is not None and user < 0):
        raise _misshapen(user, what, object_type)
    user = 0 if user is None else subject_of(user)
    if not asked.HasField("given"):
        return Question(user, what, object_type, record)
    given = asked.given
    if given.role and given.role not in ROLES:
        raise _bad("given.role", f"is not one of {', '.join(ROLES)}")
    if given.role and acting() is not None:
        raise PermissionDeniedError("only services may state a role")
    return Question(
        user,
        what,
        object_type,
        record,
        given.role,
        given.custom_role_id if given.HasField("custom_role_id") else None,
        given_of(given),
    )


def _misshapen(user: int | None, action: str | None, object_type: str) -> InvalidRequestError:
    """Return why a question is none: those of a batch are looked at by themselves, not by the contract's rules."""
    if user is not None and user < 0:
        return _bad("user_id", "is negative")
    if action is None:
        return _bad("action", "is none of the actions")
    if not object_type:
        return _bad("object_type", "is empty")
    return _bad("record_id", f"is longer than {MAXIMUM_RECORD} characters")


def _bad(field: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"`{field}` {why}", violations=[FieldViolation(field, why)])


def actor() -> str:
    """Return who changes something, for the change log: `user:{id}` or `service:{name}`."""
    caller = current_caller()
    return caller.subject or f"service:{caller.peer}"


def trace_id() -> str:
    """Return the id of the current trace; empty without one."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def require_targets(relationships: Sequence[messages.NewRelationship], name: str) -> None:
    """Refuse texts that no row can hold.

    Args:
        name: of their field, `{}` where the place stands.

    Raises:
        InvalidRequestError: names each of them.
    """
    faults = [
        FieldViolation(f"{name.format(place)}.{field}", "holds a zero character")
        for place, given in enumerate(relationships)
        for field in ("type", "source", "target")
        if "\0" in getattr(given, field)
    ]
    if faults:
        raise InvalidRequestError(f"`{faults[0].field}` {faults[0].description}", violations=faults)
