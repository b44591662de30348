"""Whatever goes wrong, the caller gets one code, one reason, and nothing from inside."""

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from libs.kernel import errors
from libs.kernel.errors import ErrorKind, FieldViolation, InvalidRequestError, Retry, SetlistError
from libs.rpc.errors import DETAILS_KEY, error_info, field_violations, reason_of, retry_delay_seconds
from libs.rpc.tests.probe import EACH_KIND, MINE, Request, Serve, refusal

CODES = {
    ErrorKind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorKind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorKind.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    ErrorKind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorKind.ALREADY_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    ErrorKind.STALE: grpc.StatusCode.ABORTED,
    ErrorKind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorKind.WRONG_STATE: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorKind.OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
    ErrorKind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorKind.NOT_BUILT: grpc.StatusCode.UNIMPLEMENTED,
    ErrorKind.TOO_LATE: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""From google/rpc/code.proto: what each kind is to a caller."""
SECRET = "postgresql://setlist:hunter2@db/setlist"


def raising(error: Exception) -> Any:
    async def behave(request: Any, context: Any) -> str:
        raise error

    return behave


def all_details(error: grpc.aio.AioRpcError) -> list[str]:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return [d.type_url.rpartition(".")[2] for d in status_pb2.Status.FromString(value).details]
    return []


async def refused(serve: Serve, error: Exception, name: str = "Read") -> grpc.aio.AioRpcError:
    async with serve(raising(error)) as rpc:
        return await refusal(rpc.channel(), name, Request(parent=MINE), metadata=rpc.token(), timeout=8)


def made(kind: ErrorKind, retry: Retry) -> SetlistError:
    class ProbeError(SetlistError):
        """An error of the test."""

    ProbeError.kind, ProbeError.reason, ProbeError.retry = kind, "PROBE", retry
    return ProbeError("it is `blue`", metadata={"colour": "blue"})


@pytest.mark.parametrize("kind", list(ErrorKind))
@pytest.mark.parametrize("retry", [Retry.NEVER, Retry.REREAD])
async def test_each_kind_has_its_code_and_exactly_one_reason(
    serve: Serve, kind: ErrorKind, retry: Retry
) -> None:
    error = await refused(serve, made(kind, retry), "Write")

    assert error.code() is CODES[kind]
    assert error.details() == "it is `blue`"
    assert all_details(error) == ["ErrorInfo"]
    info = error_info(error)
    assert info is not None
    assert (info.domain, info.reason) == ("probe.setlist.dev", "PROBE")
    assert dict(info.metadata) == {"colour": "blue", "retry": retry.value}


def test_every_kind_has_a_code_of_its_own() -> None:
    assert set(CODES) == set(ErrorKind)
    assert len(set(CODES.values())) == len(CODES)


def test_every_error_of_the_kernel_has_kind_and_reason() -> None:
    found = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, SetlistError)]

    assert len(found) > 10
    for error in set(found) - {SetlistError}:
        assert error.kind in CODES
        assert error.reason == error.reason.upper()


@pytest.mark.parametrize("name", EACH_KIND)
@pytest.mark.parametrize("cause", [RuntimeError(SECRET), KeyError(SECRET), ValueError(SECRET)])
async def test_of_an_unexpected_error_the_caller_learns_nothing(
    serve: Serve, name: str, cause: Exception
) -> None:
    error = await refused(serve, cause, name)

    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == "internal error"
    assert reason_of(error) == "INTERNAL"
    assert all_details(error) == ["ErrorInfo"]
    assert "hunter2" not in repr(error) + str(error.trailing_metadata())


async def test_an_answer_that_cannot_be_encoded_is_hidden_too(serve: Serve) -> None:
    async def behave(request: Any, context: Any) -> str:
        return 7  # type: ignore[return-value]  # the fault of this test

    async with serve(behave) as rpc:
        error = await refusal(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token())

    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")


@pytest.mark.parametrize("name", ["Read", "Stream"])
async def test_bytes_that_are_no_message_are_a_bad_request(serve: Serve, name: str) -> None:
    async with serve() as rpc:
        channel: Any = rpc.channel()  # without serializers, both kinds
        make = channel.unary_unary if name == "Read" else channel.unary_stream
        call = make(f"/setlist.probe.v1.ProbeService/{name}")(b"\xff\xff\xff", metadata=rpc.token())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call if name == "Read" else [one async for one in call]

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(caught.value) == "INVALID_REQUEST"


async def test_violations_and_a_known_delay_reach_the_caller(serve: Serve) -> None:
    bad = [FieldViolation("a.b", "must be blue"), FieldViolation("c[2]", "must not be red")]
    error = await refused(serve, InvalidRequestError("no", violations=bad, retry_after_seconds=1.5))

    assert [(v.field, v.description) for v in field_violations(error)] == [
        ("a.b", "must be blue"),
        ("c[2]", "must not be red"),
    ]
    assert retry_delay_seconds(error) == 1.5
    assert all_details(error) == ["ErrorInfo", "BadRequest", "RetryInfo"]


async def test_a_refusal_never_outgrows_the_trailers(serve: Serve) -> None:
    bad = [FieldViolation(f"items[{n}]", "must not be empty" * 4) for n in range(2000)]
    error = await refused(
        serve, InvalidRequestError("x" * 50_000, violations=bad, metadata={"id": "y" * 50_000})
    )

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(error) == "INVALID_REQUEST"
    assert len(error.details() or "") == 1001
    assert len(field_violations(error)) > 20


async def test_a_refusal_in_another_script_never_outgrows_the_trailers(serve: Serve) -> None:
    bad = [FieldViolation(f"поле[{n}]", "не должно быть пустым" * 4) for n in range(2000)]
    error = await refused(
        serve,
        InvalidRequestError("ы" * 50_000, violations=bad, metadata={"id": "ы" * 50_000, "b": "ы" * 9_000}),
    )

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (error.details() or "") == "ы" * 166 + "…"
    assert len(field_violations(error)) > 5


@pytest.mark.parametrize(
    ("callee", "code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT"),
        (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL, "INTERNAL"),
        (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
async def test_what_a_callee_answered_is_not_passed_on(
    serve: Serve, callee: grpc.StatusCode, code: grpc.StatusCode, reason: str
) -> None:
    nothing = grpc.aio.Metadata()
    error = await refused(serve, grpc.aio.AioRpcError(callee, nothing, nothing, SECRET), "Write")

    assert (error.code(), reason_of(error)) == (code, reason)
    assert "hunter2" not in repr(error)


async def test_a_time_out_inside_is_a_deadline_with_a_reason(serve: Serve) -> None:
    error = await refused(serve, TimeoutError(), "Write")

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason_of(error) == "DEADLINE_TOO_SHORT"


async def test_a_servicer_may_end_a_call_itself(serve: Serve) -> None:
    async def behave(request: Any, context: Any) -> str:
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")
        return "never"

    async with serve(behave) as rpc:
        error = await refusal(rpc.channel(), "Read", Request(parent=MINE), metadata=rpc.token())

    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "gone")


def test_refusals_of_grpc_itself_have_no_reason() -> None:
    nothing = grpc.aio.Metadata()
    error = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "connection refused")

    assert error_info(error) is None
    assert reason_of(error) == ""
    assert list(field_violations(error)) == []
    assert retry_delay_seconds(error) is None
    assert error_details_pb2.ErrorInfo() != error_info(error)
