"""Delivers webhooks: signed, bounded, retried under the same invocation id (facts: Zendesk §9)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from contextlib import suppress

import httpx2

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.resources.triggers import ulid
from tools.zendesk_simulator.state import Account, Row, World

WORKERS = 8
ATTEMPTS = 3
TIMEOUT_SECONDS = 10.0


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature: base64 of HMAC-SHA-256 over timestamp and body, key = the secret as text."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class Dispatcher:
    """Sends what triggers put into the accounts' outboxes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: asyncio.Queue[tuple[Account, Row, bytes]] = asyncio.Queue()
        self._under_way = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._http = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    def start(self) -> None:
        """Start the workers."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(WORKERS)]

    async def stop(self) -> None:
        """Stop the workers; what was not sent is lost, as in a real outage."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    def collect(self) -> None:
        """Queue what triggers left since the last call."""
        for account in self._world.accounts.values():
            while account.outbox:
                webhook_id, body = account.outbox.pop(0)
                webhook = account.webhooks.get(webhook_id)
                if webhook is not None and webhook["status"] == "active":
                    self._under_way += 1
                    self._queue.put_nowait((account, webhook, body))

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way."""
        return self._under_way == 0

    async def _work(self) -> None:
        while True:
            account, webhook, body = await self._queue.get()
            try:
                await self._deliver(account, webhook, body)
            finally:
                self._under_way -= 1

    async def _deliver(self, account: Account, webhook: Row, body: bytes) -> None:
        invocation: Row = {
            "id": ulid(account),
            "webhook_id": webhook["id"],
            "status": "failed",
            "status_code": 0,
        }
        invocation["attempts"] = 0
        account.invocations.append(invocation)
        del account.invocations[:-10_000]
        for attempt in range(ATTEMPTS):
            timestamp = stamp(account.now())
            headers = {
                "content-type": "application/json; charset=utf-8",
                "user-agent": "Zendesk Webhook",
                "x-zendesk-account-id": str(account.id),
                "x-zendesk-webhook-id": webhook["id"],
                "x-zendesk-webhook-invocation-id": invocation["id"],
                "x-zendesk-webhook-signature": sign(webhook["_secret"], timestamp, body),
                "x-zendesk-webhook-signature-timestamp": timestamp,
            }
            invocation["attempts"] = attempt + 1
            with suppress(httpx2.TransportError):
                answer = await self._http.post(webhook["endpoint"], content=body, headers=headers)
                invocation["status_code"] = answer.status_code
                invocation["latest_completed_at"] = stamp(account.now())
                if answer.status_code < 300:
                    invocation["status"] = "success"
                    return
                if answer.status_code not in (409, 429, 503):
                    return
            await asyncio.sleep(0.2 * 2**attempt)
