"""Requests are checked against the rules in their proto, all faults at once."""

import grpc

from libs.rpc.errors import field_violations, reason_of
from libs.rpc.tests.probe import MINE, Request, Serve, refusal


async def test_every_bad_field_is_named_at_once_by_its_path(serve: Serve) -> None:
    request = Request(parent=MINE, size=-1, words=["fine", "far too long", "also too long"])
    async with serve() as rpc:
        error = await refusal(rpc.channel(), "Read", request, metadata=rpc.token())

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_REQUEST"
    assert [v.field for v in field_violations(error)] == ["size", "words[1]", "words[2]"]
    assert all(v.description for v in field_violations(error))
    assert error.details() == "the request has bad fields: `size`, `words[1]`, `words[2]`"


async def test_values_are_not_repeated_to_the_caller(serve: Serve) -> None:
    async with serve() as rpc:
        request = Request(parent=MINE, words=["lovelace@example.com"])
        error = await refusal(rpc.channel(), "Read", request, metadata=rpc.token())

    assert "lovelace" not in repr(error) + str(error.trailing_metadata())


async def test_thousands_of_faults_still_reach_the_caller(serve: Serve) -> None:
    request = Request(parent=MINE, words=["far too long"] * 5000)
    async with serve() as rpc:
        error = await refusal(rpc.channel(), "Read", request, metadata=rpc.token())

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_REQUEST"
    assert field_violations(error)[0].field == "words[0]"
