"""One place keeps accounts apart: whatever a request names belongs to the account of the caller's token."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from enum import Enum, auto

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from libs.kernel.errors import PermissionDeniedError
from libs.kernel.ids import account_of
from libs.rpc.call import Call, Proceed
from libs.rpc.identity import current_caller

NAMING = frozenset({"parent", "name", "names", "account", "request"})
"""Fields that hold resource names in our protos; a test compares it with their patterns."""


class Tenant:
    """The account that a request names must be the token's. Before anything is looked up."""

    name = "tenant"

    async def around(self, call: Call, proceed: Proceed) -> None:
        account = current_caller().account
        if account is not None:
            call.checks.append(functools.partial(_require_account, account=account))
        await proceed()


def _require_account(message: Message, account: str) -> None:
    for name in resource_names(message):
        try:
            said = account_of(name)
        except ValueError:
            continue  # the validator names the field; nothing is looked up under such a name
        if said != account:
            raise PermissionDeniedError("the resource belongs to another account than the caller")


def resource_names(message: Message) -> Iterator[str]:
    """Yield every value of a `NAMING` field, in nested messages, lists and maps too."""
    for name, form in _plan(message.DESCRIPTOR):
        if form is _Form.MESSAGE and not message.HasField(name):
            continue  # read, an unset message would be an empty one, and so on for ever
        value = getattr(message, name)
        match form:
            case _Form.TEXT:
                if value:
                    yield value
            case _Form.TEXTS:
                yield from value
            case _Form.MESSAGE:
                yield from resource_names(value)
            case _Form.MESSAGES:
                for one in value:
                    yield from resource_names(one)
            case _Form.MAP:
                for one in value.values():
                    yield from resource_names(one)


class _Form(Enum):
    TEXT = auto()
    TEXTS = auto()
    MESSAGE = auto()
    MESSAGES = auto()
    MAP = auto()


@functools.cache
def _plan(kind: Descriptor) -> tuple[tuple[str, _Form], ...]:
    """Return the fields of a message that can lead to a name; descriptors never change."""
    found = []
    for field in sorted(kind.fields, key=lambda f: f.number):
        inner = field.message_type
        if inner is not None:
            if _may_name(inner):
                many = _Form.MAP if inner.GetOptions().map_entry else _Form.MESSAGES
                found.append((field.name, many if field.is_repeated else _Form.MESSAGE))
        elif field.name in NAMING and field.type == FieldDescriptor.TYPE_STRING:
            found.append((field.name, _Form.TEXTS if field.is_repeated else _Form.TEXT))
    return tuple(found)


@functools.cache
def _may_name(kind: Descriptor) -> bool:
    """Tell whether a message can hold a resource name at any depth; long lists of others are not walked."""
    seen: set[str] = set()

    def look(one: Descriptor) -> bool:
        if one.full_name in seen:
            return False
        seen.add(one.full_name)
        is_map = one.GetOptions().map_entry
        for field in one.fields:
            inner = field.message_type
            if look(inner) if inner is not None else field.name in NAMING and not is_map:
                return True
        return False

    return look(kind)
