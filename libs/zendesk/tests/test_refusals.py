"""Errors say precisely what Zendesk said, and nothing that a person wrote."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from libs.zendesk.errors import (
    ForbiddenError,
    InvalidTokenError,
    RecordInvalidError,
    RecordNotFoundError,
    TooManyJobsError,
    TooManyRequestsError,
    UpdateConflictError,
    ZendeskError,
    ZendeskUnavailableError,
)
from libs.zendesk.tests.answering import client

NO_ACCESS = "You do not have access to this page. Please contact the account owner of this help desk for further help."
SAFE = "Safe Update prevented the update due to outdated ticket data."
SKILL = {"title": "Invalid attribute", "message": "You passed an invalid value for the name attribute"}


async def refused(status: int, body: object, **headers: str) -> ZendeskError:
    """Return the error that an answer becomes."""
    answer = httpx2.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    with pytest.raises(ZendeskError) as caught:
        await client(lambda _: answer).tickets.update(7, {"status": "open"})
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "description"),
    [
        (
            404,
            {"error": "RecordNotFound", "description": "Not found"},
            RecordNotFoundError,
            "RecordNotFound",
            "Not found",
        ),
        (410, {}, RecordNotFoundError, "", ""),
        (
            403,
            {"error": {"title": "Forbidden", "message": NO_ACCESS}},
            ForbiddenError,
            "Forbidden",
            "You do not have access to this page",
        ),
        (403, {"error": "Forbidden"}, ForbiddenError, "Forbidden", ""),
        (
            409,
            {"error": "UpdateConflict", "description": SAFE},
            UpdateConflictError,
            "UpdateConflict",
            SAFE[:-1],
        ),
        (400, {"errors": [{"code": "InvalidCursor", "title": "t"}]}, RecordInvalidError, "InvalidCursor", ""),
        (400, {"error": SKILL}, RecordInvalidError, "Invalid attribute", ""),
        (401, {"error": "Couldn't authenticate you"}, InvalidTokenError, "Couldn't authenticate you", ""),
        (500, {"error": "InternalError"}, ZendeskUnavailableError, "InternalError", ""),
        (418, {"error": "Teapot"}, ZendeskError, "Teapot", ""),
        (422, "text", RecordInvalidError, "", ""),
        (422, {"error": 7, "errors": "x", "details": ["y"]}, RecordInvalidError, "", ""),
    ],
)
async def test_every_spelling_of_an_error_is_read(
    status: int, body: object, kind: type[Exception], code: str, description: str
) -> None:
    error = await refused(status, body, x_request_id="0b1e-77")

    assert type(error) is kind
    assert (error.status, error.error, error.description) == (status, code, description)
    assert (error.route, error.request_id) == ("PUT tickets/{id}", "0b1e-77")
    assert str(error).endswith("(request 0b1e-77)")


async def test_a_refused_field_is_named_with_its_code() -> None:
    faults = {"assignee": [{"description": "Assignee: Ann Example is no member", "error": "InvalidValue"}]}
    body = {"error": "RecordInvalid", "description": "Record validation errors", "details": faults}
    error = await refused(422, body)

    assert error.details == ("assignee",)
    assert error.reasons == {"assignee": ("InvalidValue",)}
    assert str(error) == (
        "`PUT tickets/{id}` answered 422: RecordInvalid, Record validation errors, assignee InvalidValue"
    )


async def test_too_many_jobs_are_told_apart() -> None:
    async def kind(body: object) -> type[ZendeskError]:
        return type(await refused(429, body, retry_after="3600"))

    assert await kind({"error": "TooManyJobs", "description": "Too many jobs are queued"}) is TooManyJobsError
    assert await kind("Number of allowed API requests per minute exceeded") is TooManyRequestsError


@pytest.mark.parametrize(
    "body",
    [
        {"error": "ann@example.com is suspended", "description": "ann@example.com"},
        {
            "error": {
                "title": "Ann Example",
                "message": "Ann Example has no access",
                "code": "ann@example.com",
            }
        },
        {"errors": [{"code": "ann@example.com", "title": "Ann Example", "detail": "Ann Example"}]},
        {
            "error": "RecordInvalid",
            "details": {"email": [{"description": "ann@example.com", "error": "ann@x"}]},
        },
        {"error": "RecordInvalid", "details": {"ann@example.com": [{"description": "x", "error": "Y"}]}},
        {"description": "Email: ann@example.com is already being used by another user"},
        {"description": "Not found: Ann Example"},
        {"message": "Ann Example"},
        "Ann Example wrote: my password is x",
        ["Ann Example"],
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
async def test_nothing_that_a_person_wrote_is_in_an_error(status: int, body: Any) -> None:
    error = await refused(
        status, body, retry_after="3600", x_request_id="Ann Example", x_note="ann@example.com"
    )
    told = f"{error} {error!r} {vars(error)} {error.args}"

    assert "nn Example" not in told
    assert "example.com" not in told
    assert "password" not in told
