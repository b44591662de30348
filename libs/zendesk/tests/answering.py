"""A client whose Zendesk is a function, and whose waiting moves a clock instead of taking time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2

from libs.kernel.clock import ManualClock
from libs.zendesk.budget import Budget
from libs.zendesk.client import ZendeskClient
from libs.zendesk.tokens import StaticToken, TokenSupply
from libs.zendesk.transport import Patience

Answer = Callable[[httpx2.Request], httpx2.Response]
TICKET: dict[str, Any] = {
    "id": 7,
    "status": "open",
    "created_at": "2026-01-05T09:00:00Z",
    "updated_at": "2026-01-05 09:30:00 +00:00",
    "requester_id": 3,
}


class MovingTime:
    """A clock that a client's waiting moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.slept.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))


def client(
    answer: Answer | httpx2.AsyncBaseTransport,
    tokens: TokenSupply | None = None,
    *,
    time: MovingTime | None = None,
    budget: Budget | None = None,
    patience: Patience | None = None,
) -> ZendeskClient:
    """Return a client of acme.zendesk.com."""
    time = time or MovingTime()
    transport = answer if isinstance(answer, httpx2.AsyncBaseTransport) else httpx2.MockTransport(answer)
    return ZendeskClient(
        "https://acme.zendesk.com",
        tokens or StaticToken("t"),
        httpx2.AsyncClient(transport=transport),
        time.clock,
        budget or Budget(clock=time.clock),
        patience=patience,
        sleep=time.sleep,
    )


def scripted(*steps: httpx2.Response | type[httpx2.RequestError]) -> tuple[Answer, list[httpx2.Request]]:
    """Return a Zendesk that answers, or breaks, as it is told step by step, and the requests it got.

    The last step is repeated.
    """
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        step = steps[min(len(asked), len(steps) - 1)]
        asked.append(request)
        if isinstance(step, httpx2.Response):
            return httpx2.Response(step.status_code, headers=step.headers, content=step.content)
        raise step("broken", request=request)

    return answer, asked


def ok(body: object = None, headers: dict[str, str] | None = None) -> httpx2.Response:
    """Return a 200 with a ticket, or with what is given."""
    return httpx2.Response(200, json={"ticket": TICKET} if body is None else body, headers=headers)


def refusal(status: int, **headers: str) -> httpx2.Response:
    """Return an error with headers (`retry_after="0"`)."""
    return httpx2.Response(status, json={}, headers={k.replace("_", "-"): v for k, v in headers.items()})
