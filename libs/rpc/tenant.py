"""One place keeps accounts apart: whatever a request names belongs to the account of the caller's token."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

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
            call.checks.append(lambda message: _require_account(message, account))
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
    for field, value in message.ListFields():
        if field.message_type is not None:
            if _may_name(field.message_type):
                for one in _messages(field, value):
                    yield from resource_names(one)
        elif field.name in NAMING and field.type == FieldDescriptor.TYPE_STRING:
            yield from value if field.is_repeated else (value,)


def _messages(field: FieldDescriptor, value: Any) -> Iterable[Message]:
    kind = field.message_type
    if kind is None or not field.is_repeated:
        return (value,)
    return value.values() if kind.GetOptions().map_entry else value  # type: ignore[no-any-return]  # protobuf's containers


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
