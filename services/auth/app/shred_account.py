"""ShredAccount: an account's data keys are destroyed, and with them every secret and contact (facts: auth §7.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.crypto.envelope import CACHE_SECONDS
from libs.kernel.clock import Clock
from libs.kernel.errors import NotFoundError
from libs.kernel.ids import AccountId, account_name
from services.auth.app.ports import Store
from services.auth.app.revoke import Revoke
from services.auth.app.vault_ports import DataKeys, Evictions, Vault


@dataclass(frozen=True, slots=True)
class Shredded:
    """The receipt.

    Attributes:
        keys: ids of the destroyed data keys; of those that would be, when it was only checked.
        effective_at: when no replica can have one in its memory any more. Backups of the data are unreadable from
            then on; backups of the data keys must be older than their own retention to be so.
    """

    keys: tuple[str, ...]
    effective_at: datetime


class ShredAccount:
    """Ends an account for good; safe to be killed at any line and to be called again."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        data_keys: DataKeys,
        evictions: Evictions,
        revoke: Revoke,
        clock: Clock,
    ) -> None:
        self._store = store
        self._vault = vault
        self._data_keys = data_keys
        self._evictions = evictions
        self._revoke = revoke
        self._clock = clock

    async def __call__(self, account: AccountId, actor: str, *, validate_only: bool = False) -> Shredded:
        """Revoke the installation and its grant, then destroy every data key of the account.

        Raises:
            NotFoundError: no such account.
            DependencyUnavailableError: Zendesk does not answer, and our grant there must not outlive our copy of it:
                nothing was destroyed yet, call again.
        """
        async with self._store.transaction(account) as tx:
            found = await tx.installations.get()
        if found is None:
            raise NotFoundError("no such account", metadata={"name": account_name(account)})
        keys = await self._data_keys.of_account(account)
        if validate_only:
            return self._receipt(keys)
        await self._revoke.installation(account, actor)
        named = ",".join(sorted(key.hex() for key in keys))
        await self._note(account, actor, "account.shred", "begun", {"keys": named})
        gone = await self._vault.shred(account)
        await self._evictions.tell(account)
        async with self._store.transaction(account) as tx:
            mine = await tx.installations.get(for_update=True)
            if mine is not None:
                ended = replace(mine, admin=None, contact_name=None, contact_email=None, gone_since=None)
                await tx.installations.put(ended)
            facts = {"keys": ",".join(sorted(key.hex() for key in gone))}
            await tx.audit.record(actor, "account.shred", "ok", facts, self._clock.now())
        return self._receipt(gone)

    def _receipt(self, keys: Sequence[bytes]) -> Shredded:
        ids = tuple(sorted(key.hex() for key in keys))
        return Shredded(ids, self._clock.now() + timedelta(seconds=CACHE_SECONDS))

    async def _note(
        self, account: AccountId, actor: str, action: str, outcome: str, facts: dict[str, str]
    ) -> None:
        async with self._store.transaction(account) as tx:
            await tx.audit.record(actor, action, outcome, facts, self._clock.now())
