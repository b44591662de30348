"""Nothing of another account can be named, wherever in the request the name stands."""

from collections.abc import Iterator
from typing import Any

import pytest
from buf.validate import validate_pb2  # pants: no-infer-dep - comes with every proto of ours
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from libs.rpc.errors import reason_of
from libs.rpc.tenant import NAMING, resource_names
from libs.rpc.tests import probe
from libs.rpc.tests.probe import EACH_KIND, MINE, Request, Serve, ask, refusal
from setlist.assignment.v1 import assignment_service_pb2
from setlist.auth.v1 import auth_service_pb2
from setlist.policy.v1 import policy_service_pb2
from setlist.privacy.v1 import participant_service_pb2, privacy_service_pb2

OTHER = "accounts/acc-2"
FOREIGN: dict[str, Any] = {
    "parent": Request(parent=OTHER),
    "child of another parent": Request(parent=f"{OTHER}/queues/q"),
    "nested name": Request(parent=MINE, thing={"name": f"{OTHER}/queues/q"}),
    "nested name alone": Request(thing={"name": f"{OTHER}/queues/q"}),
    "deeply nested": Request(parent=MINE, thing={"parts": [{}, {"parts": [{"name": OTHER}]}]}),
    "one of many": Request(parent=MINE, names=[f"{MINE}/queues/q", f"{OTHER}/queues/q"]),
    "in a map": Request(parent=MINE, labelled={"a": {"name": MINE}, "b": {"name": OTHER}}),
    "prefix of mine": Request(parent="accounts/acc-11"),
    "mine is the prefix": Request(parent="accounts/acc"),
}


async def test_another_account_is_refused_wherever_it_is_named(serve: Serve) -> None:
    served: list[object] = []

    async def behave(request: Any, context: Any) -> str:
        served.append(request)
        return ""

    async with serve(behave) as rpc:
        for case, request in FOREIGN.items():
            for name in EACH_KIND:
                error = await refusal(rpc.channel(), name, request, metadata=rpc.token())
                assert reason_of(error) == "PERMISSION_DENIED", (case, name)
                assert error.details() == "the resource belongs to another account than the caller", case

    assert served == []


async def test_ones_own_account_passes_and_free_text_is_no_name(serve: Serve) -> None:
    everything = Request(
        parent=MINE,
        thing={"name": f"{MINE}/queues/q", "parts": [{"name": "a free name"}]},
        names=[MINE],
        labelled={OTHER: {"name": MINE}},
        words=["acc"],
        page_token=OTHER,
    )
    async with serve() as rpc:
        assert await ask(rpc.channel(), "Read", everything, metadata=rpc.token()) == ["hello"]


async def test_without_a_token_there_is_no_account_to_compare() -> None:
    async with probe.serve() as rpc:
        assert await ask(rpc.channel(), "Open", Request(parent=OTHER)) == ["hello"]


def _requests() -> Iterator[Descriptor]:
    for module in (
        assignment_service_pb2,
        auth_service_pb2,
        policy_service_pb2,
        participant_service_pb2,
        privacy_service_pb2,
    ):
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from (m.input_type for m in service.methods)


def _fields(kind: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield (field, pattern) of every text field at any depth."""
    if kind.full_name in seen:
        return
    for field in kind.fields:
        if field.message_type is not None:
            yield from _fields(field.message_type, seen | {kind.full_name})
        elif field.type == field.TYPE_STRING:
            rules = field.GetOptions().Extensions[validate_pb2.field]
            yield field.name, rules.string.pattern or rules.repeated.items.string.pattern


def test_every_field_of_our_protos_that_holds_a_resource_name_is_looked_at() -> None:
    holding = {
        name for request in _requests() for name, pattern in _fields(request) if "accounts/" in pattern
    }

    assert {"parent", "name", "account"} <= holding
    assert holding <= NAMING


def _walked(message: Message) -> list[str]:
    """Find names the slow way: look at whatever is set, at every depth."""
    found: list[str] = []
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            parts: Any = list(value.values())
        else:
            parts = value if field.is_repeated else [value]
        for part in parts:
            if isinstance(part, Message):
                found += _walked(part)
            elif field.name in NAMING and isinstance(part, str):
                found.append(part)
    return found


_TEXT = st.sampled_from(["", "accounts/a", "accounts/b/queues/q", "x"])
_THING = st.recursive(
    st.fixed_dictionaries({}, optional={"name": _TEXT}),
    lambda things: st.fixed_dictionaries(
        {}, optional={"name": _TEXT, "parts": st.lists(things, max_size=3), "inner": things}
    ),
    max_leaves=8,
)
_REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "parent": _TEXT,
        "thing": _THING,
        "names": st.lists(_TEXT, max_size=3),
        "words": st.lists(_TEXT, max_size=2),
        "labelled": st.dictionaries(_TEXT, _THING, max_size=3),
        "page_token": _TEXT,
        "size": st.integers(0, 3),
    },
)


@given(_REQUEST)
def test_the_planned_walk_finds_what_a_walk_over_everything_finds(fields: dict[str, Any]) -> None:
    message = Request(**fields)

    assert sorted(resource_names(message)) == sorted(_walked(message))


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (Request(), []),
        (Request(size=3, words=["accounts/x"]), []),
        (Request(parent="p", thing={"name": "t"}, names=["a", "b"]), ["p", "t", "a", "b"]),
    ],
)
def test_names_are_found(message: Message, names: list[str]) -> None:
    assert list(resource_names(message)) == names
