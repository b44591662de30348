"""A dry run on PostgreSQL: every table byte for byte as before, nobody is told, Zendesk is not called (facts: §7.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from libs.db.engine import Database
from libs.db.notify import Listener, notify
from libs.kernel.clock import ManualClock
from libs.kernel.ids import CountingIds
from services.assignment.adapters.sql.decisions import DECISIONS_CHANNEL
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.app.rows import AgentRow
from services.assignment.app.watch import Bell
from services.assignment.rpc.servicer import AssignmentServicer
from services.assignment.tests.dry_runs import COMMANDS, LATER, carry_out, open_helpdesk
from services.assignment.tests.house import ACCOUNT, SUPPORT, House
from services.assignment.tests.unit.calls import PARENT, acts, call, servicer
from services.assignment.tests.zendesk import LocalZendesk
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

pytestmark = pytest.mark.integration
CHANNELS = (DECISIONS_CHANNEL, "assignment_rounds")
"""Where somebody is told of decisions, and of room for more."""

DAY = [
    "run", "pull", "decline", "accept", "skip what waits", "skip his own", "pull with a request id", "go on vacation",
    "make a queue", "change a queue", "more room for many", "run", "optional skill", "better skill", "pause", "run",
    "resume", "release", "come back", "change the account", "dedicate", "more room", "delete a queue", "run",
    "pull with a request id", "make a queue", "pull of who is full", "later", "run", "give a rule", "give leave", "run",
    "begin turns anew",
]  # fmt: skip
"""A day with every command in it, some of them twice."""


@pytest.fixture
async def house(database: Database) -> House:
    async with database.transaction() as connection:
        tables = await connection.execute(
            text(
                "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables "
                "WHERE schemaname = 'public' AND tablename <> 'schema_version'"
            )
        )
        await connection.execute(text(f"TRUNCATE {tables.scalar_one()}"))
    clock = ManualClock()
    house = House(SqlStore(database), LocalZendesk(clock), clock, CountingIds(), Bell())
    await open_helpdesk(house)
    return house


@pytest.fixture
async def heard(database: Database) -> AsyncIterator[asyncio.Queue[str]]:
    """What listeners are told."""
    told = asyncio.Queue[str]()
    async with asyncio.TaskGroup() as group:
        listeners = [
            group.create_task(Listener(database.url, channel, told.put_nowait).listen())
            for channel in CHANNELS
        ]
        for _ in listeners:
            await told.get()  # it listens: whatever was before is as if it were told
        yield told
        for listener in listeners:
            listener.cancel()


async def dump(database: Database) -> dict[str, list[str]]:
    """Return every row of every table of the schema as text, in an order of its own, and where the sequences stand."""
    async with database.transaction(read_only=True) as connection:
        names = await connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        )
        found = {}
        for name in names.scalars().all():
            rows = await connection.execute(
                text(f'SELECT r::text FROM "{name}" r ORDER BY r::text COLLATE "C"')
            )
            found[name] = list(rows.scalars())
        sequences = await connection.execute(
            text("SELECT sequencename || ' ' || coalesce(last_value::text, '') FROM pg_sequences ORDER BY 1")
        )
        return found | {"sequences": list(sequences.scalars())}


def boards(house: House) -> dict[object, tuple[object, ...]]:
    """Return what copies of what waits the replica keeps, and how far they are."""
    assert isinstance(house.store, SqlStore)
    kept = house.store._boards._boards
    return {key: (one, one._seen, one._asked_at, len(one.waiting)) for key, one in kept.items()}


def test_the_day_has_every_command() -> None:
    assert set(DAY) - {"later"} == set(COMMANDS)


async def test_dry_runs_of_every_command_leave_every_table_as_it_was_and_tell_what_comes(
    house: House, database: Database, heard: asyncio.Queue[str]
) -> None:
    rpc = servicer(house)
    changed = 0
    for command in DAY:
        if command == "later":
            house.clock.advance(LATER)
            continue
        before, calls, copies = await dump(database), list(house.zendesk.calls), boards(house)
        assert before["decisions"]
        planned = await carry_out(rpc, house, command, dry=True)
        assert await dump(database) == before, command
        assert house.zendesk.calls == calls, command
        assert not house.wake.is_set(), command
        assert boards(house) == copies, command
        await only_the_fence_is_heard(database, heard)

        done = await carry_out(rpc, house, command, dry=False)
        assert planned == done, command
        house.wake.clear()
        await house.write(ACCOUNT)
        changed += await dump(database) != before
        while not heard.empty():
            heard.get_nowait()
        await all_is_heard(database, heard)
    assert changed > len(DAY) / 2  # the commands themselves do change something
    assert boards(house)  # and rounds do keep copies of what waits


async def only_the_fence_is_heard(database: Database, heard: asyncio.Queue[str]) -> None:
    """Notices come in the order of the commits: nothing may come before one of our own."""
    for channel in CHANNELS:
        async with database.transaction() as connection:
            await notify(connection, channel, "fence")
        assert await heard.get() == "fence"


async def all_is_heard(database: Database, heard: asyncio.Queue[str]) -> None:
    """Wait until nothing is on its way any more."""
    for channel in CHANNELS:
        async with database.transaction() as connection:
            await notify(connection, channel, "over")
        while await heard.get() != "over":
            pass


async def test_simulations_and_questions_leave_every_table_as_it_was(
    house: House, database: Database
) -> None:
    rpc, before, calls = servicer(house), await dump(database), list(house.zendesk.calls)
    acts(9, "admin")
    limit = messages.UpdateAgentLimitsRequest(name=f"{PARENT}/agents/2", inbox_limit=9)
    queue = resources.Queue(display_name="New", kind=resources.Queue.KIND_TRIGGER, source_id=SUPPORT)
    changes = [
        messages.ProposedChange(update_agent_limits=limit),
        messages.ProposedChange(create_queue=messages.CreateQueueRequest(parent=PARENT, queue=queue)),
    ]

    found = await call(rpc, "SimulateChange", parent=PARENT, changes=changes)
    idle = await call(rpc, "WhyIdle", name=f"{PARENT}/agents/2")
    waits = await call(rpc, "WhyWaiting", name=f"{PARENT}/tickets/11")

    assert found.difference_count
    assert idle.standings
    assert waits.sentences
    assert await dump(database) == before
    assert house.zendesk.calls == calls


async def test_what_a_dry_run_holds_is_free_again_when_it_fails(house: House) -> None:
    rpc: AssignmentServicer = servicer(house)
    for _ in range(3):
        refused = await carry_out(rpc, house, "pull of who is full", dry=True)
        assert "decision" in str(refused)
    acts(9, "admin")
    for _ in range(12):  # more often than there are connections
        with pytest.raises(Exception, match="no such queue"):
            await call(rpc, "PauseQueue", name=f"{PARENT}/queues/none", validate_only=True)
    async with asyncio.timeout(5):
        done = await house.job(ACCOUNT, catch_up=False, wait_for_writes=False)
    assert done.considered


async def test_dry_runs_beside_the_commands_change_nothing_of_what_these_do(
    house: House, database: Database
) -> None:
    rpc = servicer(house)
    acts(9, "admin")
    limit = messages.UpdateAgentLimitsRequest(name=f"{PARENT}/agents/2", inbox_limit=9)
    change = [messages.ProposedChange(update_agent_limits=limit)]
    plan = await call(rpc, "RunMinuteJob", parent=PARENT, validate_only=True)

    answers = await asyncio.gather(
        *(call(rpc, "SimulateChange", parent=PARENT, changes=change) for _ in range(2)),
        *(call(rpc, "RunMinuteJob", parent=PARENT, validate_only=dry) for dry in (True, False, True, False)),
        *(call(rpc, "WhyIdle", name=f"{PARENT}/agents/{agent}") for agent in (1, 2, 3)),
        call(rpc, "ReleaseAgentTickets", name=f"{PARENT}/agents/9", validate_only=True),
    )

    done = [a for a in answers if isinstance(a, messages.RunMinuteJobResponse) and not a.decision_count]
    given = [(one.ticket_id, one.agent_id) for a in done for one in a.assignments if one.decision]
    assert sorted(given) == sorted((one.ticket_id, one.agent_id) for one in plan.assignments)
    assert (await house.explain.verify_chain(ACCOUNT))[0]
    assert {t: house.zendesk.tickets[t]["assignee_id"] for t, _ in given} == dict(given)
    limits = {row.user_id: row.inbox_limit for row in await _agents(house)}
    assert limits[2] == 2


async def _agents(house: House) -> list[AgentRow]:
    async with house.store.transaction(ACCOUNT) as tx:
        return await tx.directory.agents()
