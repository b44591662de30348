"""Delivers webhooks: signed, bounded, retried under the same invocation id (facts: Zendesk §9).

Retries wait on the account's clock, so a test that stops the clock decides when they come.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx2

from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.resources.triggers import ulid
from tools.zendesk_simulator.state import Account, Row, World
from tools.zendesk_simulator.webhook_request import (
    Breaker,
    attempt_row,
    headers_of,
    pause_before_retry,
    status_of,
)

WORKERS = 8
TIMEOUT_SECONDS = 10.0
INVOCATIONS_KEPT = 10_000
TRIAL_PER_MINUTE = 60
_TICK_SECONDS = 0.01


@dataclass(slots=True)
class Delivery:
    """One invocation on its way.

    Attributes:
        copies: how often it is sent again after it was delivered (faults).
        attempts: how often it was sent.
    """

    account: Account
    webhook: Row
    body: bytes
    invocation: Row
    copies: int = 0
    new_id: bool = False
    attempts: int = 0


class Dispatcher:
    """Sends what triggers put into the accounts' outboxes.

    Attributes:
        http: connections to everything outside.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._queue: asyncio.Queue[list[Delivery]] = asyncio.Queue()
        self._under_way = 0
        self._held: dict[str, list[Delivery]] = {}
        self._later: list[tuple[datetime, Delivery]] = []
        self._breakers: dict[str, Breaker] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.http = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    def start(self) -> None:
        """Start the workers."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        self._tasks.append(asyncio.create_task(self._retry()))

    async def stop(self) -> None:
        """Stop the workers; what was not sent is lost, as in a real outage."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.http.aclose()

    def collect(self) -> None:
        """Queue what triggers left since the last call."""
        for account in self._world.accounts.values():
            if not account.outbox:
                continue
            entries, account.outbox[:] = account.outbox[:], []
            for webhook_id, body in entries:
                webhook = account.webhooks.get(webhook_id)
                if webhook is not None and webhook["status"] == "active":
                    self._take(account, webhook, body)

    def release(self) -> None:
        """Send what a fault holds back, the last one first."""
        for held in self._held.values():
            if held:
                self._put(held[::-1])
                held.clear()

    def quiet(self, *, retries: bool, held: bool) -> bool:
        """Tell whether nothing is on its way.

        Args:
            retries: whether those count that wait for their next attempt.
            held: whether those count that a fault holds back.
        """
        waits = (held and any(self._held.values())) or (retries and self._later)
        return self._under_way == 0 and not waits

    def _take(self, account: Account, webhook: Row, body: bytes) -> None:
        delivery = Delivery(account, webhook, body, self._invocation(account, webhook))
        where = f"webhooks/{webhook['id']}"
        if account.plan == "trial" and not self._trial_may(account):
            delivery.invocation["status"] = "throttled"
        elif account.faults.hit(("lose_webhooks",), None, where):
            delivery.invocation |= {"status": "success", "status_code": 200}
            delivery.invocation["latest_completed_at"] = stamp(account.now())
        else:
            if twice := account.faults.hit(("duplicate_webhooks",), None, where):
                delivery.copies, delivery.new_id = int(twice.options["copies"]), bool(twice.options["new_id"])
            held = self._held.setdefault(account.subdomain, [])
            if mixed := account.faults.hit(("reorder_webhooks",), None, where):
                held.append(delivery)
                if len(held) >= mixed.options["window"]:
                    self.release()
            else:
                self._put([delivery])

    @staticmethod
    def _trial_may(account: Account) -> bool:
        minute = int(account.now().timestamp()) // 60
        end, used = account.windows.get("trial-invocations", (minute, 0))
        used = used + 1 if end == minute else 1
        account.windows["trial-invocations"] = (minute, used)
        return used <= TRIAL_PER_MINUTE

    @staticmethod
    def _invocation(account: Account, webhook: Row) -> Row:
        row: Row = {"id": ulid(account), "webhook_id": webhook["id"], "status": "failed", "status_code": 0}
        row["attempts"] = []
        account.invocations.append(row)
        if len(account.invocations) > 2 * INVOCATIONS_KEPT:
            del account.invocations[:-INVOCATIONS_KEPT]
        return row

    def _put(self, deliveries: list[Delivery]) -> None:
        """Queue deliveries that one worker sends one after the other."""
        self._under_way += len(deliveries)
        self._queue.put_nowait(deliveries)

    async def _retry(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            due = [d for at, d in self._later if at <= d.account.now()]
            if due:
                self._later = [(at, d) for at, d in self._later if at > d.account.now()]
                for delivery in due:
                    self._put([delivery])

    async def _work(self) -> None:
        while True:
            for delivery in await self._queue.get():
                try:
                    await self._deliver(delivery)
                finally:
                    self._under_way -= 1

    async def _deliver(self, delivery: Delivery) -> None:
        account, webhook, invocation = delivery.account, delivery.webhook, delivery.invocation
        breaker = self._breakers.setdefault(webhook["id"], Breaker())
        if not breaker.lets_through(account.now()):
            invocation["status"] = "circuit broken"
            return
        delivery.attempts += 1
        answer: httpx2.Response | None = None
        headers = headers_of(account, webhook, invocation["id"], delivery.body)
        began = account.now()
        with suppress(httpx2.TransportError):
            method = webhook.get("http_method", "POST")
            content = None if method in ("GET", "DELETE") else delivery.body
            answer = await self.http.request(method, webhook["endpoint"], content=content, headers=headers)
        now = account.now()
        breaker.learn(now, ok=answer is not None and answer.status_code < 400)
        invocation["status"] = status_of(answer)
        invocation["status_code"] = answer.status_code if answer is not None else 0
        invocation["latest_completed_at"] = stamp(now)
        invocation["attempts"].append(attempt_row(account, invocation, began, headers, delivery.body, answer))
        pause = pause_before_retry(answer, delivery.attempts)
        if pause is not None:
            self._later.append((now + timedelta(seconds=pause), delivery))
        elif delivery.copies:
            delivery.copies -= 1
            if delivery.new_id:
                delivery.invocation = self._invocation(account, webhook)
            delivery.attempts = 0
            await self._deliver(delivery)
