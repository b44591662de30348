"""What every implementation of the port `Store` promises of rotations."""

from __future__ import annotations

from libs.kernel.ids import AccountId
from services.assignment.app.ports import Store
from services.assignment.tests.store_conformance import Q, round_, seed


class RotationsConformance:
    """Subclasses give `store`, and `account`: one that nobody used before."""

    async def test_a_stretch_is_kept_by_queue_and_forgotten_by_a_reset(
        self, store: Store, account: AccountId
    ) -> None:
        await seed(store, account)
        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            assert await tx.rotations.stretch("q") == ""
            await tx.rotations.put_stretch("q", "0123456789abcdef")
            await tx.rotations.put_stretch("q", "changed")
            await tx.rotations.put_stretch("other", "0123456789abcdef")
        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            assert await tx.rotations.stretch("q") == "changed"
            assert await tx.rotations.reset("q") == 0
            assert await tx.rotations.stretch("q") == ""
            assert await tx.rotations.stretch("other") == "0123456789abcdef"

    async def test_after_a_reset_nobody_is_owed_a_turn(self, store: Store, account: AccountId) -> None:
        await seed(store, account, 1)
        async with store.transaction(account) as tx:
            await tx.decisions.lock()
            await round_(tx)
            assert await tx.rotations.reset("other") == 0
            owed = await tx.rotations.reset(Q.id)
            assert owed > 1
            assert await tx.rotations.reset(Q.id) == 0
