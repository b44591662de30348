"""What stands at the two ends of a relationship type, and of its records (facts: policy §3)."""

from __future__ import annotations

import re

RESERVED_KEYS = ("type", "relationship_type")
"""Not to be used as keys of object types: AuthZEN's `resource.type` means the types themselves by them."""

_ZENDESK_TYPE = re.compile(r"zen:[a-z_]+", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


def is_zendesk_type(name: str) -> bool:
    """Tell whether a name is that of one of Zendesk's own types, e.g. `zen:user`."""
    return _ZENDESK_TYPE.fullmatch(name) is not None


def end_fault(end_type: str, value: str) -> str:
    """Return what is wrong with one end of a relationship record; empty when nothing is.

    One spelling per record, so that a relationship counts, and is found again when its user is erased.

    Args:
        end_type: `zen:…` or an object type's key.
        value: `zen:user:10002`, or a record's id.
    """
    if "\0" in value:
        return "holds a zero character"
    if is_zendesk_type(end_type):
        prefix, number = value[: len(end_type) + 1], value[len(end_type) + 1 :]
        if prefix != f"{end_type}:" or not _NUMBER.fullmatch(number):
            return f"is not of the form {end_type}:{{id}}"
    elif value.startswith("zen:"):
        return f"is a record of Zendesk, not of the object type {end_type}"
    return ""
