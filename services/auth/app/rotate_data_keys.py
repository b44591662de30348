"""RotateDataKeys: new key-encryption key around every data key, new data keys, every value sealed anew (facts: auth §7.5).

Every step finds what is left by looking, not by remembering: a kill anywhere leaves nothing to repair, and the next
turn, on whatever replica, goes on. A retired data key is dropped only when nothing refers to it and no replica can
have it in its memory for writing any more.
"""

from __future__ import annotations

import asyncio

from libs.crypto.envelope import CACHE_SECONDS, key_id_of
from libs.crypto.errors import InvalidCiphertextError
from libs.kernel.clock import Clock
from libs.kernel.errors import SetlistError
from libs.kernel.ids import IdSource
from libs.telemetry.logs import get_logger
from services.auth.app.ports import Store
from services.auth.app.vault_ports import DataKey, DataKeys, Rotation, Rotations, SealedValues, Vault
from services.auth.domain.revocation import PLATFORM

EVERY_SECONDS = 60.0
TURN_SECONDS = 180.0
GRACE_SECONDS = 3 * CACHE_SECONDS
"""From a key's successor to its removal: a replica writes under a key it knows for CACHE_SECONDS, and a pair that
waits for its database for a minute more."""
_BATCH = 100


class RotateDataKeys:
    """Starts rotations and works them off.

    Args:
        holder: names this process among the replicas.
        grace_seconds: how long a retired data key is kept at least.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        data_keys: DataKeys,
        values: SealedValues,
        rotations: Rotations,
        clock: Clock,
        ids: IdSource,
        *,
        holder: str,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._store = store
        self._vault = vault
        self._data_keys = data_keys
        self._values = values
        self._rotations = rotations
        self._clock = clock
        self._ids = ids
        self._holder = holder
        self._grace = grace_seconds
        self._wake = asyncio.Event()

    async def __call__(self, actor: str) -> tuple[int, Rotation]:
        """Wrap every data key under the present key-encryption key and begin a rotation, or join the one under way.

        Returns:
            how many data keys were rewrapped, and the rotation.
        """
        rewrapped = await self._vault.rewrap_all()
        fresh = Rotation(self._ids.new("rot"), actor, await self._data_keys.now())
        rotation = await self._rotations.begin(fresh)
        facts = {"rotation": rotation.id, "rewrapped": str(rewrapped)}
        await self._note(actor, "begun" if rotation.id == fresh.id else "joined", facts)
        self._wake.set()
        return rewrapped, rotation

    async def run(self) -> None:
        """Work for ever: what a rotation wants, and data keys that were replaced because they had written enough."""
        while True:
            self._wake.clear()
            try:
                await self.once()
            except SetlistError as error:  # the database is away: the next turn finds the same
                get_logger().warning("data keys were not looked after", why=error.reason)
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def once(self) -> bool:
        """Do what can be done now; return whether something is left for later. One replica at a time does it."""
        if not await self._take_turn():
            return True
        rotation = await self._rotations.under_way()
        if rotation is not None and (renewed := await self._vault.renew(rotation.started_at)):
            await self._rotations.progress(rotation.id, renewed=renewed)
        old = {(key.account, key.id) async for key in self._data_keys.retired(self._grace)}
        left = 0
        async for key in self._data_keys.retired(0):
            if not await self._take_turn():
                return True
            left += not await self._settle(key, rotation, droppable=(key.account, key.id) in old)
        if rotation is not None and not left and await self._rotations.finish(rotation.id, self._clock.now()):
            done = await self._rotations.get(rotation.id) or rotation
            facts = {
                "rotation": done.id,
                "renewed": str(done.renewed),
                "resealed": str(done.resealed),
                "dropped": str(done.dropped),
            }
            await self._note("service:auth", "finished", facts)
        return left > 0

    async def _take_turn(self) -> bool:
        return await self._rotations.take_turn(self._holder, TURN_SECONDS)

    async def _settle(self, key: DataKey, rotation: Rotation | None, *, droppable: bool) -> bool:
        """Seal anew what a retired key still holds; return whether the key is gone."""
        resealed = await self._reseal(key)
        dropped = (
            droppable
            and not await self._values.under(key.account, key.id, 1)
            and await self._vault.drop(key.account, key.id)
        )
        if rotation is not None and (resealed or dropped):
            await self._rotations.progress(rotation.id, resealed=resealed, dropped=int(dropped))
        return dropped

    async def _reseal(self, key: DataKey) -> int:
        self._vault.forget(key.account)  # another replica may have made the successor
        done = 0
        while batch := await self._values.under(key.account, key.id, _BATCH):
            before = done
            for value in batch:
                place = (key.account, key.purpose, value.table, value.column, value.row)
                try:
                    fresh = await self._vault.seal(*place, await self._vault.open(*place, value.sealed))
                except InvalidCiphertextError:
                    get_logger().error(
                        "a value cannot be sealed anew",
                        account=key.account,
                        table=value.table,
                        column=value.column,
                    )
                    continue
                if key_id_of(fresh) != key.id:
                    done += await self._values.replace(key.account, value, fresh)
            if done == before:
                break
        return done

    async def _note(self, actor: str, outcome: str, facts: dict[str, str]) -> None:
        async with self._store.transaction(PLATFORM) as tx:
            await tx.audit.record(actor, "data_keys.rotation", outcome, facts, self._clock.now())
