"""`./pants run benchmarks/assignment:durable`: assignments that PostgreSQL has kept, per second.

The whole way of a round: read, decide, claim, keep the assignment, the decision with its chain, the turn, the inputs
and the change for Zendesk, commit with fsync. Zendesk itself is not asked. In turns: rounds of the minute job that give
many tickets, callers who bring a ticket each and share passes as webhooks do, rounds of one ticket each, and one bare
transaction of four rows for each ticket.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import cyclopts
from sqlalchemy import text

from benchmarks.assignment.instances import START
from benchmarks.measure import Report, Samples, resident_bytes, turns
from libs.db.embedded import EmbeddedPostgres
from libs.db.engine import Database
from libs.db.migrate import migrate
from libs.kernel.clock import ManualClock
from libs.kernel.ids import AccountId, RandomIds
from services.assignment.adapters.memory.suite import MemoryPrivacy
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.drain import Drain
from services.assignment.app.restricted import Restricted
from services.assignment.app.route import Route
from services.assignment.app.rows import Account, AgentRow, QueueRow

app = cyclopts.App(name="benchmark-durable", help="Measure assignments that PostgreSQL has kept.")
GROUP = 7
MINUTE = timedelta(minutes=1)
MANY, EACH, BARE = "one round for many tickets", "a round for each ticket", "bare: a commit of four rows each"
SHARED = "64 callers, each a ticket at a time"


class Desk:
    """An account with its agents, and whatever waits."""

    def __init__(self, database: Database, name: str, agents: int, inbox: int) -> None:
        self.account, self.clock = AccountId(name), ManualClock(START)
        self._database, self._agents, self._inbox = database, agents, inbox
        self.store, ids = SqlStore(database), RandomIds(self.clock)
        self.route = Route(self.store, ids, Restricted(self.store, MemoryPrivacy(), self.clock))
        self.drain = Drain(self.store, self.route, self.clock, ids, asyncio.Event())
        self.next = 1

    async def open(self) -> None:
        """Write account, queue and agents."""
        async with self.store.transaction(self.account) as tx:
            await tx.directory.put_account(Account(self.account, START, inbox_limit=self._inbox))
            ids = range(1, self._agents + 1)
            people = [
                AgentRow(i, f"Agent {i}", "agent", None, None, True, False, "online", START) for i in ids
            ]
            await tx.directory.sync_agents(people, [(i, GROUP) for i in ids])
            await tx.directory.set_statuses(dict.fromkeys(ids, "online"), START)
            await tx.directory.put_queue(
                QueueRow("que-1", "All", "trigger", GROUP, "least_active", 1, START, START)
            )

    async def arrive(self, number: int) -> None:
        """Let tickets wait."""
        first, self.next = self.next, self.next + number
        async with self._database.transaction() as connection:
            await connection.execute(
                text(
                    "INSERT INTO tickets (account, ticket, status, group_id, created_at, updated_at, routing, outcome) "
                    "SELECT :account, n, 'new', :group, :at, :at, 'waiting', '' FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n"
                ),
                {
                    "account": self.account,
                    "group": GROUP,
                    "at": START,
                    "first": first,
                    "last": first + number - 1,
                },
            )

    async def solve(self) -> None:
        """Let agents be done with everything."""
        async with self._database.transaction() as connection:
            for change in (
                "UPDATE tickets SET status = 'solved', routing = 'not_routable' WHERE account = :account AND routing = 'assigned'",
                "UPDATE assignments SET state = 'ended' WHERE account = :account AND state = 'committed'",
                "UPDATE outbox SET state = 'confirmed' WHERE account = :account",
            ):
                await connection.execute(text(change), {"account": self.account})
        self.clock.advance(MINUTE)

    async def free(self, number: int) -> int:
        """Let so many tickets be solved; return how many were."""
        async with self._database.transaction() as connection:
            done = await connection.execute(
                text(
                    "UPDATE tickets SET status = 'solved', routing = 'not_routable' WHERE account = :account AND ticket IN "
                    "(SELECT ticket FROM tickets WHERE account = :account AND routing = 'assigned' LIMIT :number)"
                ),
                {"account": self.account, "number": number},
            )
        self.clock.advance(MINUTE)
        return int(done.rowcount)

    async def round(self) -> int:
        """Run one round; return how many assignments were kept."""
        done = await self.route(self.account, "que-1", f"bench/{time.monotonic_ns()}", self.clock.now())
        return sum(d.agent is not None for _, d in done.news)


async def _bare(database: Database, number: int) -> int:
    """Commit four small rows for each ticket: what PostgreSQL takes whatever is decided."""
    for place in range(number):
        async with database.transaction() as connection:
            await connection.execute(
                text("INSERT INTO bare SELECT :n FROM generate_series(1, 4)"), {"n": place}
            )
    return number


async def _measure(url: str, agents: int, inbox: int, backlog: int, rounds: int) -> Report:
    database = Database(url, statement_timeout_seconds=120, idle_timeout_seconds=300)
    desk = Desk(database, f"bench-{agents}-{backlog}", agents, inbox)
    await desk.open()
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE IF NOT EXISTS bare (n bigint)"))
    many = min(agents * inbox, 5_000)

    async def batch() -> tuple[int, float]:
        await desk.arrive(many)
        return await _timed(desk.round)

    async def single() -> tuple[int, float]:
        given, seconds = 0, 0.0
        for _ in range(10):
            await desk.arrive(1)
            more, took = await _timed(desk.round)
            given, seconds = given + more, seconds + took
        return given, seconds

    async def shared() -> tuple[int, float]:
        async def caller() -> None:
            for _ in range(8):
                await desk.arrive(1)
                await desk.drain(desk.account, "bench")

        async def callers() -> int:
            await asyncio.gather(*(caller() for _ in range(64)))
            async with desk.store.transaction(desk.account) as tx:
                return 64 * 8 - await tx.tickets.waiting()

        return await _timed(callers)

    async def alone() -> tuple[int, float]:
        return await _timed(lambda: _bare(database, 50))

    ways = {MANY: batch, SHARED: shared, EACH: single, BARE: alone}
    took = {name: Samples() for name in ways}
    for turn, name in turns(list(ways), rounds):
        await desk.solve()
        given, seconds = await ways[name]()
        took[name].add(turn, seconds / max(1, given))
    report = Report(f"{agents:,} agents", ["per second", "best /s", "ms each", "ratio"])
    for name, sample in took.items():
        report.add(
            name, 1 / sample.median, 1 / sample.best, 1000 * sample.median, sample.median / took[BARE].median
        )
    if backlog:
        report.notes += await _behind(desk, backlog)
    await database.close()
    return report


async def _behind(desk: Desk, backlog: int) -> list[str]:
    """Measure rounds while many tickets wait for whom there is no room."""
    await desk.solve()
    await desk.arrive(backlog)
    first, seconds = await _timed(desk.round)
    notes = [f"{backlog:,} tickets wait: the first round gives {first:,} in {seconds:.1f} s"]
    took = Samples()
    for turn in range(6):
        freed = await desk.free(100)
        given, seconds = await _timed(desk.round)
        if given != freed:
            raise SystemExit(f"{freed} slots were free and {given} tickets were given")
        took.add(turn, seconds)
    memory = resident_bytes(os.getpid(), peak=True) / 1e6
    return [
        *notes,
        f"then 100 freed slots are filled in {took.median:.2f} s (best {took.best:.2f}); {memory:,.0f} MB at the peak",
    ]


async def _timed(work: Callable[[], Awaitable[int]]) -> tuple[int, float]:
    began = time.perf_counter()
    done = await work()
    return done, time.perf_counter() - began


@app.default
def main(
    *, agents: int = 1_000, inbox: int = 10, backlog: int = 0, rounds: int = 5, json_file: Path | None = None
) -> None:
    """Measure rounds on an embedded PostgreSQL that syncs each commit to disk.

    Args:
        agents: all online, in one group.
        inbox: tickets that each may have open.
        backlog: tickets that wait without room afterwards; 0 = leave that part out.
        rounds: that count, after one that does not.
        json_file: where the table is written too.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # root's PostgreSQL runs as `nobody`
        with EmbeddedPostgres(Path(folder) / "data", durable=True) as server:
            url = server.create_database("bench")
            migrate(url, "services.assignment.migrations")
            asyncio.run(_measure(url, agents, inbox, backlog, rounds)).show(json_file)


if __name__ == "__main__":
    app()
