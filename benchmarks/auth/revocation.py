"""How long from the beginning of a revocation until the last of many verifiers refuses.

Two replicas of auth on one PostgreSQL in this process, verifiers that follow both over gRPC on loopback. The second
part stops and starts one replica again and again while accounts are revoked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from libs.clients.channels import Channels
from libs.clients.revocation_feed import RevocationFollower
from libs.crypto.revocations import Revocations
from libs.db.embedded import EmbeddedPostgres
from libs.db.engine import Database
from libs.db.migrate import migrate
from libs.db.notify import Listener
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId
from libs.rpc.peers import PeerTable
from libs.rpc.server import build_server
from libs.settings.service import ServiceSettings
from libs.telemetry.logs import configure_logs
from services.auth.adapters.sql.revocations import CHANNEL, SqlRevocationFeed
from services.auth.adapters.sql.store import SqlStore
from services.auth.app.watch_revocations import WatchRevocations
from services.auth.domain.installation import Installation
from services.auth.rpc.mapping import feed_message
from services.auth.rpc.peers import PEERS
from setlist.auth.v1 import auth_service_pb2 as messages
from setlist.auth.v1.auth_service_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server


class Feed(AuthServiceServicer):
    """Auth's feed alone."""

    def __init__(self, watch: WatchRevocations) -> None:
        self._watch = watch

    async def WatchRevocations(
        self, request: messages.WatchRevocationsRequest, context: object
    ) -> AsyncIterator[messages.WatchRevocationsResponse]:
        async for message in self._watch.stream(request.position):
            yield feed_message(message)


async def _no_keys() -> None:
    """This replica signs nothing."""


@contextlib.asynccontextmanager
async def replica(database: Database, port: int) -> AsyncIterator[int]:
    """Run one replica; port 0 takes a free one."""
    watch = WatchRevocations(SqlRevocationFeed(database), _no_keys)
    tasks = [
        asyncio.create_task(watch.run()),
        asyncio.create_task(Listener(database.url, CHANNEL, watch.wake).listen()),
    ]
    peers: PeerTable = PEERS
    server = build_server(service="auth", peers=peers, verifier=None)
    add_AuthServiceServicer_to_server(Feed(watch), server)  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield bound
    finally:
        watch.close()
        await server.stop(1.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Verifiers:
    """Many verifiers; tells when the last of them knows."""

    def __init__(self, count: int, ports: list[int]) -> None:
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        settings = ServiceSettings(auth_address=f"ipv4:///{addresses}")
        self.known = [Revocations() for _ in range(count)]
        self.channels = [Channels(settings, None) for _ in range(count)]
        self._missing = 0
        self._all = asyncio.Event()
        for known in self.known:
            known.on_revoked(self._one)
        self.tasks = [
            asyncio.create_task(RevocationFollower(channels, known).follow())
            for channels, known in zip(self.channels, self.known, strict=True)
        ]

    def _one(self, _: AccountId | None) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._all.set()

    async def ready(self) -> None:
        while not all(known.begun for known in self.known):  # noqa: ASYNC110 - a start, not a measurement
            await asyncio.sleep(0.01)

    async def reach(self, revoke: Callable[[], object]) -> float:
        """Return the seconds that one revocation takes to be known by all."""
        self._missing = len(self.known)
        self._all.clear()
        began = time.perf_counter()
        done = revoke()
        if asyncio.iscoroutine(done):
            await done
        async with asyncio.timeout(30):
            await self._all.wait()
        return time.perf_counter() - began

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for channels in self.channels:
            await channels.close()


async def revoke(store: SqlStore, account: AccountId) -> None:
    """Raise the account's generation, as every revocation does."""
    async with store.transaction(account) as tx:
        mine = await tx.installations.get(for_update=True)
        if mine is not None:
            await tx.installations.put(replace(mine, generation=mine.generation + 1))


def show(name: str, taken: list[float]) -> None:
    """Print one line."""
    ordered = sorted(taken)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    figures = [statistics.median(ordered), p99, ordered[-1]]
    print(f"{name:40s}{len(taken):8d}" + "".join(f"{figure * 1000:10.1f}" for figure in figures))


async def _measure(url: str, verifiers: int, count: int, restarts: int) -> None:
    database = Database(url)
    store = SqlStore(database)
    account = AccountId("acc-1")
    await store.bind(Installation(account, 1, 2, "acme", SystemClock().now()))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        first = await stack.enter_async_context(replica(database, 0))
        second = contextlib.AsyncExitStack()
        port = await second.enter_async_context(replica(database, 0))
        group = Verifiers(verifiers, [first, port])
        stack.push_async_callback(group.stop)
        await group.ready()
        print(f"{'milliseconds':40s}{'n':>8s}{'median':>10s}{'p99':>10s}{'worst':>10s}")
        steady = [await group.reach(lambda: revoke(store, account)) for _ in range(count)]
        show(f"to the last of {verifiers} verifiers", steady)
        taken = []
        for _ in range(restarts):
            stopping = asyncio.create_task(second.aclose())
            while not stopping.done():
                taken.append(await group.reach(lambda: revoke(store, account)))
            await stopping
            second = contextlib.AsyncExitStack()
            await second.enter_async_context(replica(database, port))
            taken += [await group.reach(lambda: revoke(store, account)) for _ in range(5)]
        show(f"the same, one replica restarting {restarts} x", taken)
        await second.aclose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verifiers", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--revocations", type=int, default=200, help="in the first part (default: 200)")
    parser.add_argument("--restarts", type=int, default=10, help="in the second part (default: 10)")
    given = parser.parse_args()
    configure_logs("benchmark", "error")
    with tempfile.TemporaryDirectory(prefix="setlist-revocation-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres", durable=True)
        server.start()
        try:
            url = server.create_database("setlist_auth")
            migrate(url, "services.auth.migrations")
            asyncio.run(_measure(url, given.verifiers, given.revocations, given.restarts))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
