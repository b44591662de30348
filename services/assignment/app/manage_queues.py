"""Queues and the account's defaults: create, change, pause, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import EtagMismatchError, NotFoundError
from libs.kernel.ids import AccountId
from services.assignment.app.ports import Account, QueueRow, Store, Transaction
from services.assignment.domain.errors import NotSyncedError


class ManageQueues:
    """Changes rules; each change raises the account's rule version."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, account: AccountId, queue: QueueRow, *, validate_only: bool) -> QueueRow:
        """Keep a new queue; one with the same id is the answer to a repeat."""
        async with self._store.transaction(account) as tx:
            await self._account(tx)
            known = await tx.directory.queue(queue.id)
            if known is not None or validate_only:
                return known or queue
            await tx.directory.put_queue(queue)
            await self._raise_version(tx)
        return queue

    async def change(
        self,
        account: AccountId,
        queue_id: str,
        etag: str,
        change: Callable[[QueueRow], QueueRow],
        *,
        validate_only: bool,
    ) -> QueueRow:
        """Change a queue.

        Raises:
            NotFoundError: no such queue.
            EtagMismatchError: it changed since it was read.
        """
        name = f"accounts/{account}/queues/{queue_id}"
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            known = await tx.directory.queue(queue_id)
            if known is None:
                raise NotFoundError("no such queue", metadata={"name": name})
            if etag and etag != str(known.version):
                raise EtagMismatchError("the queue changed since it was read", metadata={"name": name})
            changed = replace(change(known), version=known.version + 1, updated_at=self._clock.now())
            if not validate_only:
                await tx.directory.put_queue(changed)
                await self._raise_version(tx)
        return changed

    async def delete(self, account: AccountId, queue_id: str, etag: str, *, validate_only: bool) -> None:
        """Delete a queue; its tickets go on waiting."""
        await self.change(account, queue_id, etag, lambda q: q, validate_only=True)
        if validate_only:
            return
        async with self._store.transaction(account) as tx:
            await tx.directory.delete_queue(queue_id)
            await self._raise_version(tx)

    async def settings(self, account: AccountId) -> Account:
        """Return the account's defaults."""
        async with self._store.transaction(account) as tx:
            return await self._account(tx)

    async def change_settings(
        self, account: AccountId, etag: str, change: Callable[[Account], Account], *, validate_only: bool
    ) -> Account:
        """Change the account's defaults."""
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            known = await self._account(tx)
            if etag and etag != str(known.rule_version):
                name = f"accounts/{account}/settings"
                raise EtagMismatchError("the settings changed since they were read", metadata={"name": name})
            changed = replace(change(known), rule_version=known.rule_version + 1)
            if not validate_only:
                await tx.directory.put_account(changed)
        return changed

    @staticmethod
    async def _account(tx: Transaction) -> Account:
        account = await tx.directory.account()
        if account is None:
            raise NotSyncedError("nothing is known of this account yet: sync it first")
        return account

    async def _raise_version(self, tx: Transaction) -> None:
        account = await self._account(tx)
        await tx.directory.put_account(replace(account, rule_version=account.rule_version + 1))
