"""VerifyChain: the account's evidence, checked from the first event on."""

from __future__ import annotations

import hmac

from libs.crypto.chain import GENESIS, chain_hash
from libs.kernel.ids import AccountId
from services.privacy.app.evidence import chained
from services.privacy.app.ports import Store

_PAGE = 1000


class VerifyChain:
    """Reads, changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, account: AccountId) -> tuple[int, int, bytes]:
        """Return how many events were checked, the first that does not fit (0 = none), and the last hash.

        A missing event is one that does not fit; one cut off at the end shows against the head that a
        certificate names.
        """
        head, after, checked = GENESIS, 0, 0
        while True:
            async with self._store.transaction(account) as tx:
                rows = await tx.events(after, _PAGE)
            for row in rows:
                checked += 1
                head = chain_hash(head, chained(account, row))
                if row.sequence != checked or not hmac.compare_digest(head, row.hash):
                    return checked, row.sequence, head
            if len(rows) < _PAGE:
                return checked, 0, head
            after = rows[-1].sequence
