"""Answers that go wrong on their way: refused, cut, or dribbled."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tools.zendesk_simulator.errors import Refusal, invalid_token
from tools.zendesk_simulator.faults import Fault, Faults
from tools.zendesk_simulator.state import Account

_BEFORE = ("rate_limit", "error", "delay", "refuse_tokens")
_AFTER = ("error", "cut", "slow_body")


class CutAnswer(Response):
    """Sends the head and a share of the body; the server then cuts the connection, as the answer is incomplete."""

    def __init__(self, answer: Response, share: float) -> None:
        # Nothing can be cut off a 204, which has no body by definition.
        status = 200 if answer.status_code == 204 else answer.status_code
        super().__init__(answer.body, status, dict(answer.headers))
        self._sent = min(int(len(answer.body) * share), max(0, len(answer.body) - 1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A head that promises at least one byte more than comes: else an empty body would be complete.
        length = str(max(1, len(self.body))).encode()
        head = [(k, v) for k, v in self.raw_headers if k != b"content-length"]
        head.append((b"content-length", length))
        await send({"type": "http.response.start", "status": self.status_code, "headers": head})
        await send({"type": "http.response.body", "body": self.body[: self._sent], "more_body": True})


class SlowAnswer(Response):
    """Sends the head at once and the body in pieces."""

    def __init__(self, answer: Response, seconds: float, pieces: int) -> None:
        super().__init__(answer.body, answer.status_code, dict(answer.headers))
        self._pause = seconds / max(1, pieces)
        self._size = max(1, -(-len(answer.body) // max(1, pieces)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for begin in range(0, len(self.body), self._size):
            await asyncio.sleep(self._pause)
            piece = self.body[begin : begin + self._size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _error(fault: Fault) -> Refusal:
    seconds = fault.options["retry_after"]
    headers = {} if seconds is None else {"retry-after": str(int(seconds))}
    status = int(fault.options["status"])
    texts = {
        500: "Internal Server Error",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Gateway Timeout",
    }
    return Refusal(status, texts[status], headers)


async def break_before(faults: Faults, method: str, path: str) -> None:
    """Do what a fault does before the request is looked at.

    Raises:
        Refusal: the answer.
    """
    fault = faults.hit(_BEFORE, method, path, when="before")
    if fault is None:
        return
    if fault.mode == "delay":
        await asyncio.sleep(float(fault.options["seconds"]))
    elif fault.mode == "refuse_tokens":
        raise invalid_token()
    elif fault.mode == "rate_limit":
        seconds = fault.options["retry_after"]
        headers = {} if seconds is None else {"retry-after": str(int(seconds))}
        raise Refusal(429, "Number of allowed API requests per minute exceeded", headers)
    else:
        raise _error(fault)


def break_answer(faults: Faults, method: str, path: str, answer: Response, *, refreshed: bool) -> Response:
    """Return the answer as a fault leaves it; what was asked has been done.

    Args:
        refreshed: whether the answer carries a rotated pair of tokens.

    Raises:
        Refusal: an error instead of it.
    """
    if refreshed and (lost := faults.hit(("lose_refresh",), method, path)):
        if lost.options["how"] == "error":
            raise Refusal(500, "Internal Server Error")
        return CutAnswer(answer, 0.0)
    fault = faults.hit(_AFTER, method, path, when="after")
    if fault is None:
        return answer
    if fault.mode == "cut":
        return CutAnswer(answer, float(fault.options["share"]))
    if fault.mode == "slow_body":
        return SlowAnswer(answer, float(fault.options["seconds"]), int(fault.options["pieces"]))
    raise _error(fault)


def stale_answer(account: Account, method: str, path: str, query: str) -> Response | None:
    """Return what a view answered before, while a fault keeps it stale."""
    kept = account.stale.get(f"{path}?{query}")
    if kept is None or not any(f.mode == "stale_views" and f.fits(method, path) for f in account.faults):
        return None
    until, status, body = kept
    if account.now().timestamp() >= until:
        return None
    account.faults.hit(("stale_views",), method, path)
    return Response(body, status, media_type="application/json; charset=utf-8")


def keep_stale(account: Account, method: str, path: str, query: str, answer: Response) -> None:
    """Keep a view's answer for `stale_answer`."""
    for fault in account.faults:
        if fault.mode == "stale_views" and fault.fits(method, path):
            until = account.now().timestamp() + float(fault.options["seconds"])
            account.stale[f"{path}?{query}"] = (until, answer.status_code, bytes(answer.body))
