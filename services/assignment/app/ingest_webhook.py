"""IngestWebhook: a signed webhook becomes routing facts, and a decision where a trigger queue holds the ticket."""

from __future__ import annotations

import asyncio

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.assignment.app.ports import Sealer, Store, Transaction
from services.assignment.app.prefer import Prefer
from services.assignment.app.route import Route
from services.assignment.domain.errors import NotSyncedError
from services.assignment.domain.webhook import read_body, require_fresh, require_signature


class IngestWebhook:
    """Takes webhooks. Decisions are written to Zendesk by the writer, not here: Zendesk waits for our answer."""

    def __init__(
        self, store: Store, sealer: Sealer, route: Route, prefer: Prefer, clock: Clock, wake: asyncio.Event
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._route = route
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
        decision = ""
        await self._route.prepare(account)
        async with self._store.transaction(account) as tx:
            # First of all: a round that has the lock wants the ticket's row next.
            await tx.decisions.lock()
            if not await tx.tickets.take_invocation(invocation, now):
                return True, ""
            fresh = await tx.tickets.one(facts.id) is None
            await tx.tickets.store([facts])
            preferring = fresh and self._prefer.wanted(await tx.directory.account())
            if not preferring:
                decision = await self._by_queue(tx, facts.id, invocation)
        if preferring:
            # It may ask Zendesk, so the lock is not held; a death here leaves the ticket to the minute job.
            decision = await self._prefer(account, facts.id, f"webhook/{invocation}")
            if not decision:
                async with self._store.transaction(account) as tx:
                    await tx.decisions.lock()
                    decision = await self._by_queue(tx, facts.id, invocation)
        if decision:
            self._wake.set()
        return False, decision

    async def _by_queue(self, tx: Transaction, ticket: int, invocation: str) -> str:
        queue = await tx.tickets.holder(ticket, self._clock.now())
        if queue is None or queue.kind != "trigger":
            return ""
        routed = await self._route.within(tx, queue, f"webhook/{invocation}", self._clock.now())
        return next((i for i, d in routed.news if d.ticket == ticket), "")

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
