"""`./pants run benchmarks/policy:served`: what a decision costs over gRPC: CPU per call, calls a second, latency.

The whole service: context tokens verified, tenants kept apart, every decision logged to PostgreSQL. Beside each
call an empty one of the same server, and Cerbos on the same model and questions. All answers are compared first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cyclopts
import grpc

from benchmarks.measure import Report, Samples, turns
from benchmarks.policy.auth_keys import AuthKeys
from benchmarks.policy.house import START_SECONDS, House, free_port, house
from benchmarks.policy.load import Round, call, idle_share, measured, some_of
from benchmarks.policy.model import Asked, Model, expected, snapshot_of
from benchmarks.policy.peer import CERBOS, HOW_CERBOS, HOW_PEERS, PEERS, Peers, cerbos
from benchmarks.policy.requests import (
    BATCH,
    CHECK,
    CHECK_BATCH,
    answer,
    batch_answer,
    batches,
    check,
    check_batch,
    single,
)
from benchmarks.policy.serve import EMPTY_METHOD
from benchmarks.policy.translate import cerbos_policies, cerbos_request
from libs.decision.snapshot import Snapshot

CERBOS_CHECK = "/cerbos.svc.v1.CerbosService/CheckResources"
EMPTY, ONE, CONDITION, MANY = "empty", "Check", "Check, condition", f"batch of {BATCH}"
IN_FLIGHT = {EMPTY: (1, 8, 64), ONE: (1, 8, 64), CONDITION: (8,), MANY: (8,)}
FEWER = {MANY: 8}
"""Batches are sent that many times less often."""
app = cyclopts.App(name="benchmark-served", help="Measure policy over gRPC, Cerbos beside it.")


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is asked.

    Attributes:
        requests: by call: method and bytes.
        idle: CPU seconds a second for nothing.
    """

    name: str
    pid: int
    channel: grpc.aio.Channel
    requests: dict[str, tuple[str, list[bytes]]]
    idle: float
    token: Callable[[], tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Figures:
    """Of one call at one number in flight."""

    cpu: Samples = field(default_factory=Samples)
    rate: Samples = field(default_factory=Samples)
    p50: Samples = field(default_factory=Samples)
    p99: Samples = field(default_factory=Samples)

    def add(self, number: int, one: Round) -> None:
        """Take a round."""
        self.cpu.add(number, one.cpu_us)
        self.rate.add(number, one.per_second)
        self.p50.add(number, one.p50)
        self.p99.add(number, one.p99)


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked, by call; of every call the answers of one request are a list."""

    asked: dict[str, list[list[Asked]]]

    @classmethod
    def of(cls, model: Model, snapshot: Snapshot, each: int) -> Questions:
        """Return different questions, so many of each kind."""
        plain, conditional = single(model, snapshot, each)
        many = batches(model, snapshot, each // 8)
        return cls({ONE: [[one] for one in plain], CONDITION: [[one] for one in conditional], MANY: many})

    def compare(self, name: str, call_name: str, said: Sequence[list[bool]], snapshot: Snapshot) -> int:
        """Return how many answers were compared.

        Raises:
            SystemExit: one differs from `decide`: nothing is measured.
        """
        wanted = [[expected(snapshot, one) for one in some] for some in self.asked[call_name]]
        if wrong := sum(a != b for a, b in zip(said, wanted, strict=True)):
            raise SystemExit(
                f"{name} answers {wrong} requests of `{call_name}` otherwise: nothing is measured"
            )
        return sum(len(one) for one in wanted)


async def _policies(
    stack: contextlib.AsyncExitStack,
    run: House,
    auth: AuthKeys,
    asked: Questions,
    snapshot: Snapshot,
    only: list[str],
) -> tuple[list[Target], int]:
    ways = {
        "policy, grpcio": run.policy("grpcio"),
        "policy, native": run.policy("native", backend="native"),
        "policy, grpcio, mTLS": run.policy("mtls", tls=True),
    }
    ones = [check(one) for (one,) in asked.asked[ONE]]
    requests = {
        EMPTY: (EMPTY_METHOD, ones),
        ONE: (CHECK, ones),
        CONDITION: (CHECK, [check(one) for (one,) in asked.asked[CONDITION]]),
        MANY: (CHECK_BATCH, [check_batch(some) for some in asked.asked[MANY]]),
    }
    targets, compared = [], 0
    for name, way in ways.items():
        if only and name not in only:
            continue
        served = await stack.enter_async_context(way)
        await _ready(served.channel, requests[EMPTY][1][0], auth)
        for one, (method, raw) in requests.items():
            if one != EMPTY:
                answers, _ = await call(served.channel, method, raw, auth.token())
                read = batch_answer if one == MANY else answer
                compared += asked.compare(name, one, [read(a) for a in answers], snapshot)
        idle = await idle_share(served.pid)
        targets.append(Target(name, served.pid, served.channel, requests, idle, auth.token))
    return targets, compared


async def _ready(channel: grpc.aio.Channel, request: bytes, auth: AuthKeys) -> None:
    """Wait until it verifies tokens and has the account in memory."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                await call(channel, CHECK, [request], auth.token(), 1)
                return
            except* grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)


async def _cerbos(
    stack: contextlib.AsyncExitStack,
    program: Path,
    peers: Path,
    folder: Path,
    asked: Questions,
    snapshot: Snapshot,
) -> tuple[Target, int]:
    codec = stack.enter_context(Peers(peers, "cerbos"))
    port = free_port()
    pid = stack.enter_context(cerbos(program, cerbos_policies(), folder, port, free_port()))
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
    requests, compared = {}, 0
    for name, some in asked.asked.items():
        raw = codec.encode([cerbos_request(one) for one in some])
        requests[name] = (CERBOS_CHECK, raw)
        answers, _ = await call(channel, CERBOS_CHECK, raw)
        compared += asked.compare("cerbos", name, codec.decode(answers), snapshot)
    return Target("cerbos 0.55", pid, channel, requests, await idle_share(pid), tuple), compared


async def _measure(
    report: Report, each: int, calls: int, rounds: int, only: list[str], program: Path, peers: Path
) -> None:
    model = Model()
    snapshot = snapshot_of(model.rows())
    asked = Questions.of(model, snapshot, each)
    async with contextlib.AsyncExitStack() as stack:
        run, auth, folder = await stack.enter_async_context(house(model))
        targets, compared = await _policies(stack, run, auth, asked, snapshot, only)
        if missing := _missing(program, peers):
            report.notes.append(f"Cerbos is not measured: {missing}")
        elif not only or "cerbos 0.55" in only:
            target, more = await _cerbos(stack, program, peers, folder, asked, snapshot)
            targets.append(target)
            compared += more
        report.notes.append(f"{compared} answers compared: 0 mismatches")
        await _rounds(report, targets, calls, rounds)


def _missing(program: Path, peers: Path) -> str:
    if not program.exists():
        return f"`{program}` is not there; {HOW_CERBOS}"
    return "" if peers.exists() else f"`{peers}` is not there; {HOW_PEERS}"


async def _rounds(report: Report, targets: Sequence[Target], calls: int, rounds: int) -> None:
    by_name = {target.name: target for target in targets}
    cases = {
        f"{target.name}|{one}|{in_flight}": Figures()
        for target in targets
        for one in target.requests
        for in_flight in IN_FLIGHT[one]
    }
    for number, case in turns(list(cases), rounds):
        name, one, in_flight = case.split("|")
        target = by_name[name]
        method, requests = target.requests[one]
        some = some_of(requests, number, calls // FEWER.get(one, 1))
        cases[case].add(
            number,
            await measured(
                target.pid, target.channel, method, some, target.token(), int(in_flight), target.idle
            ),
        )
    for case, found in cases.items():
        name, one, in_flight = case.split("|")
        empty = cases.get(f"{name}|{EMPTY}|{in_flight}")
        ratio = found.cpu.median / empty.cpu.median if empty else ""
        report.add(
            f"{name}: {one}, {in_flight} in flight",
            found.cpu.median,
            found.cpu.best,
            ratio,
            found.cpu.median / BATCH if one == MANY else "",
            found.rate.median,
            found.p50.median,
            found.p99.median,
        )


@app.default
def run(
    *,
    calls: int = 400,
    rounds: int = 3,
    each: int = 1_000,
    only: list[str] | None = None,
    cerbos: Path = CERBOS,
    peers: Path = PEERS,
    json_file: Path | None = None,
) -> None:
    """Start everything, compare every answer, measure in turns.

    Args:
        calls: in a round.
        rounds: of each case, in changing order; medians are shown.
        each: different questions of each kind.
        only: names of servers, as they are shown.
        cerbos: its program.
        peers: program with the peers' packages, which speaks Cerbos' protobuf.
        json_file: where to write the figures to as well.
    """
    columns = ("CPU us/call", "best", "x empty", "CPU us/check", "calls/s", "p50 ms", "p99 ms")
    report = Report("one connection", columns)
    asyncio.run(_measure(report, each, calls, rounds, only or [], cerbos, peers))
    report.show(json_file)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
