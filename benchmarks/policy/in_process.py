"""`./pants run benchmarks/policy:in_process`: microseconds per decision in this process, and cedarpy's beside it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import cyclopts
import grpc

from benchmarks.measure import Report, Samples, turns
from benchmarks.policy.model import ACCOUNT, MADE, Asked, Model, expected, questions, snapshot_of
from benchmarks.policy.peer import HOW_PEERS, PEERS, Peers
from benchmarks.policy.translate import cedar_entities, cedar_policies, cedar_request
from libs.clients.decision_point import DecisionPoint
from libs.decision.decide import decide
from libs.decision.rows import Change
from libs.decision.snapshot import Snapshot
from libs.decision.wire import encode
from libs.kernel.clock import SystemClock
from libs.kernel.ids import AccountId
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import (
    PolicyServiceServicer,
    add_PolicyServiceServicer_to_server,
)

PART = 1000
DECIDE, POINT, CEDAR = "decide", "decision point", "cedarpy"
app = cyclopts.App(name="benchmark-in-process", help="Measure decisions in one process.")


class Copies(PolicyServiceServicer):
    """What a decision point follows: one account, complete, and heartbeats."""

    def __init__(self, model: Model) -> None:
        self._changes = [Change(1, row) for row in model.rows()]

    async def ReadChanges(
        self, request: messages.ReadChangesRequest, context: object
    ) -> AsyncIterator[messages.ReadChangesResponse]:
        for start in range(0, len(self._changes), PART):
            part = encode(self._changes[start : start + PART])
            yield messages.ReadChangesResponse(revision=1, change=part, snapshot=True)
        while True:
            yield messages.ReadChangesResponse(revision=1, snapshot=False, complete=True, token="p1.1.x")
            await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def following(model: Model) -> AsyncIterator[DecisionPoint]:
    """Run a decision point that has caught up."""
    server = grpc.aio.server()
    add_PolicyServiceServicer_to_server(Copies(model), server)  # type: ignore[abstract]  # the other methods answer UNIMPLEMENTED
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def connect() -> tuple[grpc.aio.Channel, tuple[tuple[str, str], ...]]:
            return channel, ()

        # rounds keep the event loop busy for longer than a process that serves ever does
        point = DecisionPoint(AccountId(ACCOUNT), connect, SystemClock(), bound_seconds=600)
        task = asyncio.create_task(point.follow())
        try:
            async with asyncio.timeout(60):
                await point.caught_up()
            yield point
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await server.stop(None)


def by_decide(snapshot: Snapshot, asked: list[Asked]) -> float:
    """Return seconds for all questions."""
    prepared = [(one.user, one.action, one.type, one.record, one.given) for one in asked]
    now = MADE.timestamp()
    began = time.perf_counter()
    for user, action, kind, record, given in prepared:
        decide(snapshot, user, action, kind, record, now, given)
    return time.perf_counter() - began


def by_point(point: DecisionPoint, asked: list[Asked]) -> float:
    """Return seconds for all questions, clock, freshness and user's look-up included."""
    prepared = [(one.user.id, one.action, one.type, one.record, one.given) for one in asked]
    began = time.perf_counter()
    for user, action, kind, record, given in prepared:
        point.check(user, action, kind, record, given=given)
    return time.perf_counter() - began


@contextlib.contextmanager
def cedar(
    program: Path, every: list[Asked], snapshot: Snapshot
) -> Iterator[Callable[[int, int], float] | None]:
    """Run cedarpy on the same model and questions; None = it is not here.

    Raises:
        SystemExit: it decides something else than we do.
    """
    if not program.exists():
        yield None
        return
    with Peers(program, "cedar") as peers:
        answers = peers.ask(
            {
                "policies": cedar_policies(),
                "entities": cedar_entities(every),
                "requests": [cedar_request(one) for one in every],
            }
        )["answers"]
        wrong = sum(a != expected(snapshot, one) for a, one in zip(answers, every, strict=True))
        if wrong:
            raise SystemExit(
                f"cedarpy decides {wrong} of {len(every)} questions otherwise: nothing is measured"
            )
        yield lambda start, count: float(peers.ask({"start": start, "count": count})["seconds"])


async def _measure(report: Report, each: int, rounds: int, program: Path) -> None:
    model = Model()
    snapshot = snapshot_of(model.rows())
    kinds = questions(model, snapshot, each)
    every = [one for asked in kinds.values() for one in asked]
    async with following(model) as point:
        for one in every:
            answer = point.check(one.user.id, one.action, one.type, one.record, given=one.given)
            if answer.allowed != expected(snapshot, one):
                raise SystemExit("the decision point answers otherwise: nothing is measured")
        with cedar(program, every, snapshot) as peer:
            cases = {f"{way}, {kind}": Samples() for kind in kinds for way in (DECIDE, POINT, CEDAR)}
            for number, name in turns(list(cases), rounds):
                way, _, kind = name.partition(", ")
                asked = kinds[kind]
                if way == CEDAR:
                    if peer is None:
                        continue
                    seconds = peer(list(kinds).index(kind) * each, len(asked))
                else:
                    seconds = by_decide(snapshot, asked) if way == DECIDE else by_point(point, asked)
                cases[name].add(number, seconds / len(asked) * 1e6)
                await asyncio.sleep(0)
            for kind in kinds:
                base = cases[f"{DECIDE}, {kind}"]
                for way in (DECIDE, POINT, CEDAR):
                    if (found := cases[f"{way}, {kind}"]).values:
                        report.add(f"{way}, {kind}", found.median, found.best, found.best / base.best)
            compared = "the decision point" + (" and cedarpy" if peer else "")
            report.notes.append(f"{len(every)} answers of {compared} compared: 0 mismatches")
            if peer is None:
                report.notes.append(f"cedarpy is not measured: `{program}` is not there; {HOW_PEERS}")


@app.default
def run(*, each: int = 2_000, rounds: int = 15, peers: Path = PEERS, json_file: Path | None = None) -> None:
    """Measure and print medians, bests and ratios.

    Args:
        each: different questions of each kind.
        rounds: of each case, in changing order.
        peers: program with the peers' packages.
        json_file: where to write the figures to as well.
    """
    report = Report("us per decision", ("median", "best", "x decide"))
    asyncio.run(_measure(report, each, rounds, peers))
    report.show(json_file)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
