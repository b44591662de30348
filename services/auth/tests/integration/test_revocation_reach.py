"""Two replicas of auth on one PostgreSQL, verifiers that follow over mTLS: a revocation reaches all, also across a restart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

import grpc
import pytest

from libs.clients.channels import Channels
from libs.clients.revocation_feed import RevocationFollower
from libs.crypto.revocations import Revocations
from libs.db.engine import Database
from libs.db.notify import Listener
from libs.kernel.ids import AccountId
from libs.settings.service import ServiceSettings
from libs.testing.rpc import rpc_harness
from services.auth.adapters.sql.revocations import CHANNEL, SqlRevocationFeed
from services.auth.adapters.sql.store import SqlStore
from services.auth.app.watch_revocations import WatchRevocations
from services.auth.domain.installation import Installation
from services.auth.rpc.peers import AUTH, PEERS
from services.auth.rpc.servicer import AuthServicer
from services.auth.tests.house import House
from services.auth.tests.integration.conftest import NewInstallation, revoke, sql_sealer
from services.auth.tests.served import use_cases
from setlist.auth.v1.auth_service_pb2_grpc import add_AuthServiceServicer_to_server

pytestmark = pytest.mark.integration
AUTH_PEERS = {name: rule for name, rule in PEERS.items() if name.startswith(f"/{AUTH.full_name}/")}


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is waited for is no event of ours
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def replica(database: Database, verifiers: int) -> AsyncIterator[list[Channels]]:
    """Serve one replica; give each verifier channels of its own to it."""
    house = House(SqlStore(database), sql_sealer(database))
    watch = WatchRevocations(SqlRevocationFeed(database), house.keep_keys.load, heartbeat_seconds=0.5)
    house.watch = watch

    def add(server: grpc.aio.Server) -> None:
        add_AuthServiceServicer_to_server(AuthServicer(use_cases(house)), server)

    tasks = [
        asyncio.create_task(watch.run()),
        asyncio.create_task(Listener(database.url, CHANNEL, watch.wake).listen()),
    ]
    async with rpc_harness("auth", AUTH_PEERS, [AUTH], add, verifies_context=False) as rpc:
        settings = ServiceSettings(auth_address=rpc.address)
        made = [Channels(settings, rpc.files("policy")) for _ in range(verifiers)]
        yield made
        watch.close()
        for channels in made:
            await channels.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Verifiers:
    """Verifiers that follow whichever replica they are pointed at."""

    def __init__(self, count: int) -> None:
        self.known = [Revocations() for _ in range(count)]
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, channels: Sequence[Channels]) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = [
            asyncio.create_task(RevocationFollower(one, known).follow())
            for one, known in zip(channels, self.known, strict=True)
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def all_know(self, account: AccountId, generation: int) -> None:
        await until(lambda: all(known.generation(account) >= generation for known in self.known))


async def test_every_verifier_learns_of_every_revocation_across_a_restart(
    database: Database, new: NewInstallation
) -> None:
    store, verifiers = SqlStore(database), Verifiers(4)
    mine: list[Installation] = [await store.bind(new()) for _ in range(3)]
    try:
        async with replica(database, 4) as first, replica(database, 4) as second:
            verifiers.follow([*first[:2], *second[2:]])
            await until(lambda: all(known.begun for known in verifiers.known))
            await revoke(store, mine[0].account)
            await verifiers.all_know(mine[0].account, 1)
            positions = [known.position for known in verifiers.known]
        # Both replicas are gone; what is revoked now is found out by whoever comes back.
        await revoke(store, mine[1].account)
        await revoke(store, mine[0].account)
        assert all(known.generation(mine[1].account) == 0 for known in verifiers.known)
        async with replica(database, 4) as third:
            verifiers.follow(third)
            await verifiers.all_know(mine[1].account, 1)
            await verifiers.all_know(mine[0].account, 2)
            await revoke(store, mine[2].account)
            await verifiers.all_know(mine[2].account, 1)
            assert all(
                known.position > before for known, before in zip(verifiers.known, positions, strict=True)
            )
    finally:
        await verifiers.stop()


async def test_a_listener_that_is_cut_off_delays_a_revocation_by_a_poll_and_no_more(
    database: Database, new: NewInstallation
) -> None:
    """Without any notice: polling is the truth, the notice only a wake-up."""
    store = SqlStore(database)
    mine = await store.bind(new())
    watch = WatchRevocations(SqlRevocationFeed(database), _no_keys)
    task = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(10):
            stream = watch.stream(0)
            async for message in stream:
                if message.snapshot_end:
                    break
            await revoke(store, mine.account)
            async for message in stream:  # the same one: what comes now is no snapshot
                if message.entry is not None and message.entry.account == mine.account:
                    break
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _no_keys() -> None:
    """No keys to load."""
