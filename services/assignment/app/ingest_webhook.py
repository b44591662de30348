"""IngestWebhook: a signed webhook becomes routing facts, and a decision where a trigger queue holds the ticket."""

from __future__ import annotations

import asyncio

from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.assignment.app.drain import Drain
from services.assignment.app.ports import Sealer, Store
from services.assignment.app.prefer import LEASE_SECONDS, Prefer
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.webhook import read_body, require_fresh, require_signature

RESUMED = 1
"""How many new tickets that another replica left in the middle a webhook takes up: Zendesk waits for our answer."""


class IngestWebhook:
    """Takes webhooks. Decisions are written to Zendesk by the writer, not here: Zendesk waits for our answer."""

    def __init__(
        self, store: Store, sealer: Sealer, drain: Drain, prefer: Prefer, clock: Clock, wake: asyncio.Event
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._drain = drain
        self._prefer = prefer
        self._clock = clock
        self._wake = wake
        self._secrets: dict[tuple[AccountId, bytes], str] = {}

    async def __call__(
        self, account: AccountId, body: bytes, signature: str, timestamp: str, invocation: str
    ) -> tuple[bool, str]:
        """Take one webhook; return whether it was a repeat, and the decision's id if the ticket was routed.

        Raises:
            NotSyncedError: the account has no webhook yet.
            WebhookSignatureError: the signature does not fit, or is older than five minutes.
            InvalidRequestError: the body is not ours.
        """
        require_signature(await self._secret(account), timestamp, body, signature)
        now = self._clock.now()
        require_fresh(timestamp, now)
        facts = read_body(body)
        decision: str | None = ""
        async with self._store.transaction(account) as tx:
            # First of all: a round that has the lock wants the ticket's row next.
            await tx.decisions.lock()
            repeat = not await tx.tickets.take_invocation(invocation, now)
            wanted = self._prefer.wanted(await tx.directory.account())
            fresh = [] if repeat else await self._prefer.store(tx, [facts], lease_seconds=LEASE_SECONDS)
            await tx.views.heard([facts], now)
        # Zendesk repeats a webhook whose taker died: what he left undone goes on.
        preferring = fresh or (repeat and wanted and await self._prefer.taken(account, facts.id))
        if preferring:
            # It may ask Zendesk, so the lock is not held.
            decision = await self._prefer(account, facts.id, f"webhook/{invocation}")
        if decision == "" and (preferring or not repeat):
            decision = await self._by_queue(account, facts.id, invocation)
        if wanted and not repeat:
            await self._prefer.resume(account, RESUMED)
        if decision:
            self._wake.set()
        return repeat, decision or ""

    async def _by_queue(self, account: AccountId, ticket: int, invocation: str) -> str:
        """Let the queues be gone through, if one of groups holds the ticket; return its decision.

        The ticket is kept by now. So what fails here fails nobody: the store has told the replica to which the
        account belongs that there is something to do, and then there is the minute job.
        """
        if not self._drain.owns(account):
            return ""
        async with self._store.transaction(account) as tx:
            queue = await tx.tickets.holder(ticket, self._clock.now())
        if queue is not None and queue.kind == "trigger":
            try:
                found = await self._drain(account, f"webhook/{invocation}")
            except SetlistError as error:
                get_logger().warning("a webhook's ticket was not decided", account=account, why=error.reason)
                return ""
            if ticket in found:
                return found[ticket]
        async with self._store.transaction(account) as tx:
            return await tx.decisions.live(ticket)  # a pass that others had asked for was faster

    async def _secret(self, account: AccountId) -> str:
        async with self._store.transaction(account) as tx:
            kept = await tx.directory.account()
        if kept is None or kept.webhook_secret is None:
            raise NotSyncedError("this account has no webhook yet: sync it first")
        key = (account, kept.webhook_secret)
        if key not in self._secrets:
            opened = await self._sealer.open(
                account, "webhook", "accounts", "webhook_secret", account, kept.webhook_secret
            )
            self._secrets[key] = opened.decode()
        return self._secrets[key]
