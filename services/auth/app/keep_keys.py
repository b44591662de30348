"""KeepKeys: makes, publishes, activates, retires and revokes signing keys, once over all replicas.

What must change is the domain's plan; it is written by compare-and-set on the ring's version, together with its
audit events and the announcement to verifiers. Any replica may do it: who comes second finds another version,
reads again, and has nothing left to do. RotateSigningKey and RevokeSigningKey are here too.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.crypto.keys import KeySet
from libs.crypto.signer import Signer
from libs.kernel.clock import Clock
from libs.kernel.errors import ConcurrentChangeError, NotFoundError, SetlistError
from libs.kernel.ids import IdSource
from libs.telemetry.logs import get_logger
from services.auth.app.key_ports import KeyRing, StoredKey
from services.auth.app.ports import Sealer, Store, Transaction
from services.auth.app.token_keys import CONTEXT_LIFE, INSTALLATION_LIFE, TokenKeys
from services.auth.domain.errors import TooManyKeysError
from services.auth.domain.revocation import PLATFORM
from services.auth.domain.signing_key import LIVING, Phase, Plan, Schedule, SigningKey, crowded, next_signer

EVERY_SECONDS = 60.0
_ATTEMPTS = 10
_KID_RANDOM = 10
_PURPOSE, _TABLE = "signing", "signing_keys"
_ACTOR = "service:auth"
_SAID = {
    Phase.PUBLISHED: "signing_key.published",
    Phase.ACTIVE: "signing_key.activated",
    Phase.RETIRING: "signing_key.retired",
    Phase.REVOKED: "signing_key.revoked",
    Phase.GONE: "signing_key.gone",
}


def schedules(algorithm: str) -> dict[str, Schedule]:
    """Return the schedule of each kind: five keys at most for 90 days of life, two or three for 60 seconds."""
    return {
        "installation": Schedule(algorithm, INSTALLATION_LIFE, timedelta(days=30)),
        "context": Schedule(algorithm, CONTEXT_LIFE, timedelta(days=7)),
    }


class KeepKeys:
    """Keeps the signing keys of every kind and hands them to `TokenKeys`.

    Args:
        keys: gets the active key and the set of each kind.
        plans: by kind.
    """

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        keys: TokenKeys,
        clock: Clock,
        ids: IdSource,
        plans: Mapping[str, Schedule],
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._plans = plans
        self._opened: dict[str, Signer] = {}
        self.distrusted: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Do what the plan says, once a minute, for ever."""
        while True:
            try:
                await self.keep()
            except SetlistError as error:  # the database is away: the keys in hand go on
                get_logger().warning("signing keys were not looked at", why=error.reason)
            await asyncio.sleep(EVERY_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - replicas should not march in step

    async def keep(self) -> None:
        """Do what the plans say now, and take over what other replicas did."""
        for kind in self._plans:
            await self._publish(kind)
            await self._settle(kind)
        await self.load()

    async def load(self) -> None:
        """Take over the keys as they are stored."""
        signers: dict[str, Signer] = {}
        sets: dict[str, KeySet] = {}
        distrusted: set[str] = set()
        async with self._store.transaction(PLATFORM) as tx:
            rings = {kind: await tx.signing_keys.ring(kind) for kind in self._plans}
        for kind, ring in rings.items():
            published: list[dict[str, object]] = []
            for one in ring.keys:
                if one.key.phase is Phase.ACTIVE:
                    signers[kind] = await self._open(kind, one)
                if one.key.phase in LIVING:
                    published.append(json.loads(one.public))
                elif one.key.phase is Phase.REVOKED:
                    distrusted.add(one.key.kid)
            sets[kind] = KeySet.from_jwks({"keys": published})
        self._opened = {signer.kid: signer for signer in signers.values()}
        self.distrusted = frozenset(distrusted)
        self._keys.replace(signers, sets)

    async def rotate(self, kind: str, actor: str) -> str:
        """Let the next key sign, now or as soon as it is ripe; return its id.

        Raises:
            TooManyKeysError: the set would become larger than verifiers take.
        """
        for _ in range(_ATTEMPTS):
            ring, keys = await self._read(kind)
            if crowded(keys):
                raise TooManyKeysError("so many keys are published that another rotation must wait")
            plan = self._plans[kind].plan(keys, self._clock.now(), requested=True)
            wanted = replace(ring, requested=not plan.rotated)
            if await self._write(kind, wanted, keys, plan, actor, asked=not ring.requested):
                await self.keep()
                return await self._signs_next(kind, rotated=plan.rotated)
        raise ConcurrentChangeError("the keys are changed by others all the time")

    async def _signs_next(self, kind: str, *, rotated: bool) -> str:
        _, keys = await self._read(kind)
        if rotated:
            return next(k.kid for k in keys if k.phase is Phase.ACTIVE)
        waiting = next_signer(keys, self._plans[kind])
        return waiting.kid if waiting is not None else ""

    async def revoke(self, kid: str, actor: str) -> None:
        """Take a key out of the set and out of trust at once; the standby signs if it was the active one.

        Raises:
            NotFoundError: there never was such a key.
        """
        for _ in range(_ATTEMPTS):
            async with self._store.transaction(PLATFORM) as tx:
                found = await tx.signing_keys.find(kid)
            if found is None:
                raise NotFoundError("no such key", metadata={"name": kid})
            kind, phase = found
            if phase in (Phase.REVOKED, Phase.GONE):
                return
            ring, keys = await self._read(kind)
            now = self._clock.now()
            left = [replace(k, phase=Phase.REVOKED, ended_at=now) if k.kid == kid else k for k in keys]
            plan = self._plans[kind].plan(left, now)
            plan = replace(plan, moves={kid: Phase.REVOKED, **plan.moves})
            if await self._write(kind, ring, keys, plan, actor):
                await self.keep()
                return
        raise ConcurrentChangeError("the keys are changed by others all the time")

    async def _settle(self, kind: str) -> None:
        for _ in range(_ATTEMPTS):
            ring, keys = await self._read(kind)
            plan = self._plans[kind].plan(keys, self._clock.now(), requested=ring.requested)
            if plan.nothing:
                return
            wanted = replace(ring, requested=ring.requested and not plan.rotated)
            await self._write(kind, wanted, keys, plan, _ACTOR)

    async def _read(self, kind: str) -> tuple[KeyRing, list[SigningKey]]:
        async with self._store.transaction(PLATFORM) as tx:
            ring = await tx.signing_keys.ring(kind)
        return ring, [one.key for one in ring.keys]

    async def _write(
        self,
        kind: str,
        ring: KeyRing,
        keys: Sequence[SigningKey],
        plan: Plan,
        actor: str,
        *,
        asked: bool = False,
    ) -> bool:
        now = self._clock.now()
        # Made and sealed before the transaction: sealing may have to make a data key in one of its own.
        new = [await self._make(kind, phase, now) for phase in plan.make]
        by_kid = {key.kid: key for key in keys}
        moves = {kid: _moved(by_kid[kid], phase, now) for kid, phase in plan.moves.items()}
        async with self._store.transaction(PLATFORM) as tx:
            if not await tx.signing_keys.change(
                kind, ring.version, moves=moves, new=new, requested=ring.requested
            ):
                return False
            for key in [*moves.values(), *(one.key for one in new)]:
                await self._note(tx, actor, _SAID[key.phase], kind, key.kid)
                if key.phase is Phase.REVOKED:
                    tx.announcements.distrust(key.kid)
            if asked:
                await self._note(tx, actor, "signing_key.rotation_asked", kind, "")
            if not plan.nothing:
                tx.announcements.keys_changed()
        return True

    async def _note(self, tx: Transaction, actor: str, action: str, kind: str, kid: str) -> None:
        facts = {"kind": kind, "kid": kid} if kid else {"kind": kind}
        await tx.audit.record(actor, action, "ok", facts, self._clock.now())

    async def _make(self, kind: str, phase: Phase, now: datetime) -> StoredKey:
        # Short, for it is in every token, and a setting at Zendesk has some unknown end: 50 random bits of an id.
        kid = f"{kind[:3]}-{self._ids.new('key')[-_KID_RANDOM:]}"
        signer = Signer.generate(kid, self._plans[kind].algorithm)
        sealed = await self._sealer.seal(PLATFORM, _PURPOSE, _TABLE, kind, signer.kid, signer.private_pem())
        activated = now if phase is Phase.ACTIVE else None
        key = SigningKey(signer.kid, signer.algorithm, phase, now, activated)
        return StoredKey(key, json.dumps(signer.public_key().jwk()), sealed)

    async def _open(self, kind: str, stored: StoredKey) -> Signer:
        kid = stored.key.kid
        known = self._opened.get(kid)
        if known is not None:
            return known
        pem = await self._sealer.open(PLATFORM, _PURPOSE, _TABLE, kind, kid, stored.sealed or b"")
        return Signer.from_pem(kid, pem)

    async def _publish(self, kind: str) -> None:
        """Write the public half of keys of the first schema, before the private one, which tells it, is destroyed."""
        async with self._store.transaction(PLATFORM) as tx:
            ring = await tx.signing_keys.ring(kind)
        for one in ring.keys:
            if not one.public and one.sealed is not None:
                public = json.dumps((await self._open(kind, one)).public_key().jwk())
                async with self._store.transaction(PLATFORM) as tx:
                    await tx.signing_keys.publish(kind, one.key.kid, public)


def _moved(key: SigningKey, phase: Phase, now: datetime) -> SigningKey:
    if phase is Phase.ACTIVE:
        return replace(key, phase=phase, activated_at=now)
    return replace(key, phase=phase, ended_at=key.ended_at or now)
