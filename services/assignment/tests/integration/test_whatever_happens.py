"""Whatever happens at once on two replicas and one PostgreSQL: what holds for one at a time holds as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from libs.db.engine import Database
from libs.testing.postgres import FreshDatabase
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.tests.helpdesk import AGENTS, GROUPS, HABITS, Helpdesk

pytestmark = pytest.mark.integration
AGENT, TICKET, LIMIT = st.sampled_from(AGENTS), st.integers(0, 9), st.none() | st.integers(1, 3)
_EVERYTHING = (
    "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables "
    "WHERE schemaname = 'public' AND tablename <> 'schema_version'"
)


def acts(name: str, *values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Something that a replica is asked for."""
    return st.tuples(st.just(name), *values)


AT_ONCE = st.one_of(
    acts("minute"),
    acts("write"),
    acts("webhook", TICKET, st.booleans()),
    acts("deliver", TICKET),
    acts("pull", AGENT, st.integers(0, 1)),
    acts("answer", TICKET, st.booleans()),
    acts("expire"),
    acts("skip", TICKET, AGENT),
    acts("release", AGENT),
    acts("status", AGENT, st.sampled_from(["online", "away"])),
    acts("limits", AGENT, LIMIT, LIMIT),
    acts("sync"),
)
PEOPLE = st.one_of(
    acts("take", TICKET, st.none() | AGENT),
    acts("by_hand", TICKET, st.sampled_from(["open", "pending", "solved", "closed"])),
    acts("remove", TICKET),
    acts("show", TICKET),
    acts("move", AGENT, st.sampled_from(GROUPS), st.booleans()),
)


class Day(RuleBasedStateMachine):
    """Two replicas, each of which may die while the other works."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = Database(self.url, 6)
        self.runner.run(self.emptied())
        self.desk = Helpdesk(SqlStore(self.database), self.end_leases, 2)

    async def emptied(self) -> None:
        async with self.database.transaction() as connection:
            tables = (await connection.execute(text(_EVERYTHING))).scalar_one()
            await connection.execute(text(f"TRUNCATE {tables}"))

    async def end_leases(self) -> None:
        async with self.database.transaction() as connection:
            for table in ("outbox", "preferring"):
                ended = f"UPDATE {table} SET lease_until = lease_until - interval '61 s'"
                await connection.execute(text(ended))

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def told() -> None:
            try:
                await work()
            except BaseException:
                note("\n".join(await self.desk.log()))
                raise

        self.runner.run(told())

    @initialize(
        batch=LIMIT,
        daily=LIMIT,
        offer=st.sampled_from([None, 60]),
        habits=st.sampled_from(sorted(HABITS)),
        fresh=st.integers(1, 4),
    )
    def open(self, batch: int | None, daily: int | None, offer: int | None, habits: str, fresh: int) -> None:
        async def opened() -> None:
            await self.desk.open("round_robin", batch, daily, offer, habits)
            for _ in range(fresh):
                await self.desk.arrive(GROUPS[0], None, viewed=True)

        self.run(opened)

    @rule(group=st.none() | st.sampled_from(GROUPS), viewed=st.booleans())
    def arrive(self, group: int | None, viewed: bool) -> None:
        self.run(lambda: self.desk.arrive(group, None, viewed))

    @rule(seconds=st.sampled_from([1, 61, 120, 600]))
    def pass_time(self, seconds: int) -> None:
        self.run(lambda: self.desk.pass_time(seconds))

    @rule(
        route=st.sampled_from([r"PUT tickets/\d+", "GET .*"]),
        times=st.integers(1, 2),
        status=st.sampled_from([0, 409, 503]),
    )
    def trouble(self, route: str, times: int, status: int) -> None:
        self.run(lambda: self.desk.trouble(route, times, status, lost=True))

    @rule(
        first=st.lists(AT_ONCE, min_size=1, max_size=2),
        second=st.lists(AT_ONCE, min_size=1, max_size=2),
        people=st.lists(PEOPLE, max_size=1),
        dies_after=st.none() | st.integers(0, 25),
    )
    def together(
        self,
        first: list[tuple[Any, ...]],
        second: list[tuple[Any, ...]],
        people: list[tuple[Any, ...]],
        dies_after: int | None,
    ) -> None:
        """The replicas work at once while people work in Zendesk; the second one may die of it."""

        async def on(replica: int, act: tuple[Any, ...]) -> None:
            await getattr(self.desk, act[0])(replica, *act[1:])

        async def mortal() -> None:
            if dies_after is None:
                await every(on(1, act) for act in second)
                return
            async with self.desk.dying(1, dies_after):
                for act in second:
                    await on(1, act)

        async def by_people() -> None:
            for name, number, *values in people:
                given = {"status": values.pop()} if name == "by_hand" else {}
                await getattr(self.desk, name)(number, *values, **given)

        self.run(lambda: every([*(on(0, act) for act in first), mortal(), by_people()]))

    @invariant()
    def holds(self) -> None:
        self.run(self.desk.check)

    def teardown(self) -> None:
        try:
            self.run(self.desk.settle)
            self.run(self.desk.settled)
        finally:
            self.runner.run(self.database.close())
            self.runner.close()


async def every(works: Any) -> None:
    """Await all works, and only then raise the first failure."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def test_replicas_at_once_keep_every_promise(fresh_database: FreshDatabase, migrations_package: str) -> None:
    machine = type("Day", (Day,), {"url": fresh_database(migrations_package)})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
