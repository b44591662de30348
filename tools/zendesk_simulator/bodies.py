"""What requests bring: the wrapped object of a body, its known members, and the warning about the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools.zendesk_simulator.endpoint import Call
from tools.zendesk_simulator.errors import not_found, number, wrong_type
from tools.zendesk_simulator.state import Row

_NAMES = {
    "integer": "id user_id group_id organization_id requester_id submitter_id assignee_id ticket_id position "
    "custom_status_id custom_role_id problem_id brand_id default_group_id",
    "string": "name title email type key status priority role external_id description endpoint http_method "
    "request_format status_category agent_label due_at subject body html_body value time_zone phone notes details",
    "object": "comment requester user_fields organization_fields output restriction configuration metadata schema",
    "hash": "conditions filter",
    "array": "tags additional_tags remove_tags domain_names subscriptions attribute_value_ids",
    "integers": "collaborator_ids follower_ids email_cc_ids",
    "objects": "all any actions custom_fields policy_metrics custom_field_options intervals",
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_WORDS = {
    "integer": "an integer",
    "string": "a string",
    "object": "an object",
    "hash": "a hash",
    "array": "an array",
    "integers": "an array",
    "objects": "an array",
}
_OR_OBJECT = {"custom_fields"}
_OR_TEXT = {"tags", "additional_tags", "remove_tags"}


def action_of(call: Call) -> str:
    """Return the endpoint as Zendesk names it in refusals, e.g. `api/v2/tickets/update`."""
    verb = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "destroy", "GET": "show"}
    words = [w for w in call.request.url.path.split("/") if w and not w.isdigit()]
    if len(words) > 2 and words[2] in ("triggers", "views"):
        words.insert(2, "rules")
    last = words[-1]
    named = "_many" in last or last in ("create_or_update", "merge", "search", "reorder", "preview")
    return "/".join(words if named else [*words, verb[call.request.method]])


def wrapped(call: Call, member: str, known: Iterable[str] = ()) -> Row:
    """Return the object of a body.

    Args:
        member: its wrapper, e.g. `ticket`.
        known: its permitted members; others are left out with `x-zendesk-api-warn` (facts §2.1). None = all.

    Raises:
        Refusal: 400, the wrapper is missing or no object.
    """
    value = call.body.get(member)
    if not isinstance(value, dict):
        raise wrong_type(member, "an object", action_of(call))
    if permitted := set(known):
        warn(call, [f"{member}.{key}" for key in value if key not in permitted])
        value = {key: held for key, held in value.items() if key in permitted}
    require_kinds(call, value, member)
    return value


def rows_of(call: Call, member: str) -> list[Row]:
    """Return the array of objects of a body.

    Raises:
        Refusal: 400, it is missing or no array of objects.
    """
    value = call.body.get(member)
    if not isinstance(value, list) or any(not isinstance(row, dict) for row in value):
        raise wrong_type(member, "an array", action_of(call))
    for row in value:
        require_kinds(call, row, member)
    return value


def require_kinds(call: Call, values: Row, prefix: str) -> None:
    """Refuse members of the wrong kind, wherever in the API they stand: null is of every kind.

    Raises:
        Refusal: 400, e.g. `ticket.tags must be an array`.
    """
    for name, value in values.items():
        if value is not None and name in _KINDS and not _is(name, value):
            raise wrong_type(f"{prefix}.{name}", _WORDS[_KINDS[name]], action_of(call))
        if name in ("conditions", "filter") and isinstance(value, dict):
            require_kinds(call, value, f"{prefix}.{name}")


def _is(name: str, value: Any) -> bool:
    kind = _KINDS[name]
    if kind == "integer":
        return (not isinstance(value, bool) and str(value).lstrip("-").isdigit()) or value == ""
    if kind == "string":
        return isinstance(value, str | int | float) and not isinstance(value, bool)
    if kind in ("object", "hash"):
        return isinstance(value, dict)
    if name in _OR_OBJECT and isinstance(value, dict):
        return True
    if name in _OR_TEXT and isinstance(value, str):
        return True
    if not isinstance(value, list):
        return False
    if kind == "objects":
        return all(isinstance(one, dict) for one in value)
    return kind == "array" or all(str(one).isdigit() for one in value)


def warn(call: Call, unpermitted: list[str]) -> None:
    """Tell about members that were ignored, as Zendesk's parameter filter prints them."""
    if unpermitted:
        words = [w for w in action_of(call).split("/") if w not in ("api", "v2")]
        keys = ",".join(f'"{key}"' for key in unpermitted)
        call.headers["x-zendesk-api-warn"] = (
            f'{{:allowed_parameters=>{{:controller=>"{words[-2]}", :action=>"{words[-1]}", '
            f":unpermitted_keys=>[{keys}], :invalid_values=>[]}}}}"
        )


def integer(call: Call, values: Row, name: str, prefix: str) -> int | None:
    """Return a whole number of an object, None when absent or null.

    Raises:
        Refusal: 400, it is something else.
    """
    value = values.get(name)
    if value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise wrong_type(f"{prefix}.{name}", "an integer", action_of(call)) from None


def find(rows: dict[Any, Row], key: Any) -> Row:
    """Return a row by its key of the path; refuses with 404."""
    row = rows.get(key if isinstance(key, str) else number(key))
    if row is None:
        raise not_found()
    return row
