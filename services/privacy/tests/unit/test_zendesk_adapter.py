"""Erasure at Zendesk through the real client: gone already is done, no answer is waited for, a refusal is told.

The whole path runs on `tools/zendesk_simulator` in the suite's own tests; services may not import tools.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import grpc
import httpx2
import pytest
import pytest_asyncio

from libs.clients.zendesk_access import ZendeskClients
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from libs.zendesk.client import ZendeskClient
from libs.zendesk.tokens import StaticToken
from services.privacy.adapters.zendesk import ZendeskErasure
from services.privacy.app.ports import ParticipantMissingError, StepRefusedError

ACCOUNT, USER = AccountId("acc-1"), 770011
GONE = (404, {"error": "RecordNotFound", "description": "Not found"})
CY = {"id": USER, "role": "end-user", "active": True, "name": "Cy", "email": "cy@example.com"}


class Answers(httpx2.AsyncBaseTransport):
    """Answers each route with what a test put there, 404 otherwise; remembers what was asked."""

    def __init__(self) -> None:
        self.by_route: dict[str, tuple[int, Any]] = {}
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        route = f"{request.method} {request.url.path.removeprefix('/api/v2/')}"
        self.asked.append(route)
        status, body = self.by_route.get(route, GONE)
        return httpx2.Response(status, json=body)


class OneClient:
    """Hands out one client, or says why there is none."""

    def __init__(self, client: ZendeskClient) -> None:
        self._client = client
        self.trouble: Exception | None = None

    async def of(self, account: AccountId) -> ZendeskClient:
        if self.trouble is not None:
            raise self.trouble
        return self._client


class Place:
    """The adapter with what is around it."""

    def __init__(self, http: httpx2.AsyncClient, answers: Answers) -> None:
        self.answers = answers
        self.clients = OneClient(ZendeskClient("https://acme.zendesk.com", StaticToken("t"), http))
        self.zendesk = ZendeskErasure(cast(ZendeskClients, self.clients))


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    answers = Answers()
    async with httpx2.AsyncClient(transport=answers) as http:
        yield Place(http, answers)


async def test_somebody_unknown_is_done_with_every_call(place: Place) -> None:
    zendesk = place.zendesk

    assert await zendesk.role(ACCOUNT, USER) is None
    assert await zendesk.tickets(ACCOUNT, USER) == []
    assert await zendesk.compliance(ACCOUNT, USER) is None
    assert await zendesk.left(ACCOUNT, USER) == 0
    await zendesk.trash(ACCOUNT, 9001)
    await zendesk.delete_user(ACCOUNT, USER)
    await zendesk.destroy_user(ACCOUNT, USER)

    assert [route for route in place.answers.asked if route.startswith("DELETE")] == ["DELETE tickets/9001"]


async def test_each_level_of_deletion_is_asked_for_once(place: Place) -> None:
    routes = place.answers.by_route
    routes[f"GET users/{USER}"] = (200, {"user": CY})
    routes[f"DELETE users/{USER}"] = (200, {"user": {**CY, "active": False}})
    assert (await place.zendesk.role(ACCOUNT, USER), await place.zendesk.left(ACCOUNT, USER)) == (
        "end-user",
        1,
    )
    await place.zendesk.delete_user(ACCOUNT, USER)
    routes[f"GET users/{USER}"] = (200, {"user": {**CY, "active": False}})
    routes[f"GET deleted_users/{USER}"] = (200, {"deleted_user": {**CY, "active": False}})
    routes[f"DELETE deleted_users/{USER}"] = (200, {"deleted_user": {**CY, "active": False}})

    await place.zendesk.delete_user(ACCOUNT, USER)
    await place.zendesk.destroy_user(ACCOUNT, USER)

    deletions = [route for route in place.answers.asked if route.startswith("DELETE")]
    assert deletions == [f"DELETE users/{USER}", f"DELETE deleted_users/{USER}"]


async def test_progress_counts_what_began(place: Place) -> None:
    def entry(application: str, action: str) -> dict[str, Any]:
        return {
            "application": application,
            "action": action,
            "user_id": USER,
            "created_at": "2026-01-05T09:00:00Z",
        }

    rows = [
        entry("all", "request_deletion"),
        entry("support", "started"),
        entry("support", "complete"),
        entry("chat", "started"),
    ]
    route = f"GET users/{USER}/compliance_deletion_statuses"
    place.answers.by_route[route] = (200, {"compliance_deletion_statuses": rows[:1]})
    assert await place.zendesk.compliance(ACCOUNT, USER) == {}

    place.answers.by_route[route] = (200, {"compliance_deletion_statuses": rows})

    assert await place.zendesk.compliance(ACCOUNT, USER) == {"support": True, "chat": False}


async def test_tickets_are_destroyed_by_a_job_that_is_waited_for(place: Place) -> None:
    job = {"id": "V3-1", "status": "queued", "url": "u", "total": None, "progress": None, "results": None}
    place.answers.by_route["DELETE deleted_tickets/destroy_many"] = (200, {"job_status": job})
    done = {**job, "status": "completed", "results": {"success": True}}
    place.answers.by_route["GET job_statuses/V3-1"] = (200, {"job_status": done})

    await place.zendesk.destroy(ACCOUNT, [1, 2])

    assert place.answers.asked == ["DELETE deleted_tickets/destroy_many", "GET job_statuses/V3-1"]


@pytest.mark.parametrize(("status", "error"), [(403, "Forbidden"), (422, "RecordInvalid")])
async def test_a_refusal_is_told_without_the_person(place: Place, status: int, error: str) -> None:
    place.answers.by_route[f"GET users/{USER}"] = (200, {"user": CY})
    place.answers.by_route[f"DELETE users/{USER}"] = (status, {"error": error, "description": "Cy 770011"})

    with pytest.raises(StepRefusedError) as caught:
        await place.zendesk.delete_user(ACCOUNT, USER)

    assert str(caught.value) == f"ZENDESK_REFUSED: `DELETE users/{{id}}` answered {status}: {error}"


async def test_no_answer_is_waited_for(place: Place) -> None:
    place.answers.by_route[f"GET users/{USER}"] = (200, {"user": CY})
    place.answers.by_route["DELETE deleted_tickets/destroy_many"] = (503, {"error": "Unavailable"})
    with pytest.raises(ParticipantMissingError) as away:
        await place.zendesk.destroy(ACCOUNT, [1])
    refused = grpc.aio.AioRpcError(
        grpc.StatusCode.FAILED_PRECONDITION, grpc.aio.Metadata(), grpc.aio.Metadata(), "no grant"
    )
    names = {away.value.name}
    for trouble in (refused, DependencyUnavailableError("the address of `auth` is not set")):
        place.clients.trouble = trouble
        with pytest.raises(ParticipantMissingError) as caught:
            await place.zendesk.role(ACCOUNT, USER)
        names.add(caught.value.name)

    assert names == {"zendesk"}
