"""`./pants run benchmarks/policy:replicas`: how soon a second replica, a watcher and a copy see a write.

Two policy processes on one PostgreSQL. A write goes to the first; from its answer on it is measured how long until
the second answers by it: to a caller who has the write's token, to one who has not, on a stream of changes, and in
an embedded decision point that follows the second. Then what SimulateChange takes on the whole account.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cyclopts
import grpc

from benchmarks.measure import Report, Samples, cpu_seconds, percentile
from benchmarks.policy.auth_keys import AuthKeys
from benchmarks.policy.house import START_SECONDS, Served, house
from benchmarks.policy.model import ACCOUNT, OWNS, PRODUCT, Model, snapshot_of
from libs.clients.decision_point import DecisionPoint
from libs.decision.rows import user_end
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId, account_name
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceStub

if TYPE_CHECKING:
    from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceAsyncStub  # in the stubs only

PARENT = account_name(ACCOUNT)
SIMULATIONS = {
    "narrow (agents lose update by relationship)": {"rebac": {OWNS: {"agent": {"update": False}}}},
    "broad (agents may read everything)": {"rbac": {"agent": {"read": True}}},
}
app = cyclopts.App(name="benchmark-replicas", help="Measure how soon others see a write.")
See = Callable[[str, messages.CheckPermissionRequest], Awaitable[None]]


def pairs(model: Model) -> Iterator[tuple[int, str]]:
    """Yield agents and records that nothing relates yet: a relationship lets them read."""
    snapshot = snapshot_of(model.rows())
    agents = [u.id for _, u in sorted(snapshot.users.items()) if u.role == "agent" and not u.custom_role_id]
    records = sorted(snapshot.objects[PRODUCT])
    for place, record in enumerate(records):
        agent = agents[place % len(agents)]
        if snapshot.edge(OWNS, user_end(agent), record, 0.0) is None:
            yield agent, record


class Second:
    """The replica that is not written to, and who depends on it."""

    def __init__(self, served: Served, auth: AuthKeys) -> None:
        self.stub: PolicyServiceAsyncStub = PolicyServiceStub(served.channel)
        self._served = served
        self._auth = auth

    async def by_token(self, token: str, question: messages.CheckPermissionRequest) -> None:
        """Ask with the write's token."""
        fresh = messages.CheckPermissionRequest()
        fresh.CopyFrom(question)
        fresh.consistency.at_least = token
        if not (await self.stub.CheckPermission(fresh, metadata=self._auth.token())).decided.allowed:
            raise SystemExit("a token's write was not seen: that must never be")

    async def without(self, token: str, question: messages.CheckPermissionRequest) -> None:
        """Ask until the answer has changed."""
        metadata = self._auth.token()
        while not (await self.stub.CheckPermission(question, metadata=metadata)).decided.allowed:
            pass

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[See]:
        """Read the stream of changes."""
        stream = self.stub.WatchRelationships(
            messages.WatchRelationshipsRequest(parent=PARENT), metadata=self._auth.token()
        )
        await stream.read()  # the first heartbeat: it has begun

        async def see(token: str, _: messages.CheckPermissionRequest) -> None:
            while True:
                message = await stream.read()
                if isinstance(message, messages.WatchRelationshipsResponse) and message.token == token:
                    return

        try:
            yield see
        finally:
            stream.cancel()

    @contextlib.asynccontextmanager
    async def copied(self) -> AsyncIterator[See]:
        """Follow with an embedded decision point."""

        async def connect() -> tuple[grpc.aio.Channel, tuple[tuple[str, str], ...]]:
            return self._served.channel, self._auth.token()

        point = DecisionPoint(AccountId(ACCOUNT), connect, SystemClock())
        task = asyncio.create_task(point.follow())

        async def see(token: str, question: messages.CheckPermissionRequest) -> None:
            await point.caught_up(token)
            if not point.check(question.user_id, "read", PRODUCT, question.record_id).allowed:
                raise SystemExit("the copy decides otherwise")

        try:
            async with asyncio.timeout(START_SECONDS):
                await point.caught_up()
            yield see
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _delays(
    first: Served, auth: AuthKeys, see: See, some: Iterator[tuple[int, str]], count: int
) -> list[float]:
    stub: PolicyServiceAsyncStub = PolicyServiceStub(first.channel)
    taken = []
    for user, record in (next(some) for _ in range(count)):
        question = messages.CheckPermissionRequest(
            parent=PARENT, user_id=user, action=resources.ACTION_READ, object_type=PRODUCT, record_id=record
        )
        written = await stub.CreateRelationship(
            messages.CreateRelationshipRequest(
                parent=PARENT,
                relationship=messages.NewRelationship(type=OWNS, source=user_end(user), target=record),
            ),
            metadata=auth.token(),
        )
        began = time.perf_counter()
        async with asyncio.timeout(START_SECONDS):
            await see(written.token, question)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


async def _simulate(report: Report, served: Served, auth: AuthKeys, rounds: int) -> None:
    stub: PolicyServiceAsyncStub = PolicyServiceStub(served.channel)
    for name, patch in SIMULATIONS.items():
        wall, cpu, flips = Samples(), Samples(), 0
        for number in range(rounds + 1):
            used, began = cpu_seconds(served.pid), time.perf_counter()
            answer = await stub.SimulateChange(
                messages.SimulateChangeRequest(
                    name=f"{PARENT}/objectTypes/{PRODUCT}", merge_patch_json=json.dumps(patch)
                ),
                metadata=auth.token(),
                timeout=60,
            )
            wall.add(number, (time.perf_counter() - began) * 1000)
            cpu.add(number, (cpu_seconds(served.pid) - used) * 1000)
            flips = answer.gained + answer.lost
        report.add(f"SimulateChange, {name}", wall.median, max(wall.values), cpu.median)
        report.notes.append(f"{name}: {flips:,} answers would flip")


async def _measure(report: Report, writes: int, rounds: int) -> None:
    model = Model()
    some = pairs(model)
    async with (
        house(model) as (run, auth, _),
        run.policy("first") as first,
        run.policy("second") as one,
    ):
        second = Second(one, auth)
        await asyncio.gather(_ready(first, auth), _ready(one, auth))
        cases: dict[str, contextlib.AbstractAsyncContextManager[See]] = {
            "second replica, with the token": contextlib.nullcontext(second.by_token),
            "second replica, without": contextlib.nullcontext(second.without),
            "WatchRelationships on the second": second.watched(),
            "embedded decision point on the second": second.copied(),
        }
        for name, case in cases.items():
            async with case as see:
                taken = await _delays(first, auth, see, some, writes)
            report.add(name, percentile(taken, 0.5), percentile(taken, 0.99), "")
        await _simulate(report, one, auth, rounds)
    report.notes.append(
        f"from the write's answer on; {writes} writes each, {rounds} simulations, p99 = the slowest"
    )


async def _ready(served: Served, auth: AuthKeys) -> None:
    """Wait until it verifies tokens and has the account in memory."""
    stub: PolicyServiceAsyncStub = PolicyServiceStub(served.channel)
    request = messages.CheckPermissionRequest(
        parent=PARENT, user_id=1, action=resources.ACTION_READ, object_type=PRODUCT
    )
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                await stub.CheckPermission(request, metadata=auth.token())
                return
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)


@app.default
def run(*, writes: int = 100, rounds: int = 5, json_file: Path | None = None) -> None:
    """Write to one replica and look at the other.

    Args:
        writes: for each way to look.
        rounds: of each simulated change.
        json_file: where to write the figures to as well.
    """
    report = Report("milliseconds", ("p50", "p99", "CPU ms"))
    asyncio.run(_measure(report, writes, rounds))
    report.show(json_file)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
