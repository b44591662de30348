"""What assignment holds about a person can be shown, erased and found to be gone, on real rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.db.engine import Database
from libs.kernel.ids import AccountId, UserId
from libs.participant.sql import SqlSubjects, StaleAttemptError
from services.assignment.adapters.sql.store import SqlStore
from services.assignment.adapters.sql.subjects import PLACES
from services.assignment.app.data_map import DATA_MAP
from services.assignment.app.ports import Store
from services.assignment.tests.store_conformance import Q, facts, later, round_, seed

pytestmark = pytest.mark.integration
REQUESTER, AGENT = UserId(901), UserId(1)


@pytest.fixture
def subjects(database: Database) -> SqlSubjects:
    return SqlSubjects(database, PLACES, DATA_MAP)


@pytest.fixture
async def worked(store: Store, account: AccountId) -> AccountId:
    """An account, and a neighbour with the same ids, where agents 1 and 2 worked."""
    for one in (account, AccountId(f"{account}-other")):
        await seed(store, one, 1, 2, 3)
        async with store.transaction(one) as tx:
            await tx.directory.put_queue(replace(Q, id="own", position=9, agents=(1,)))
            await tx.directory.put_queue(replace(Q, id="both", position=9, agents=(1, 2)))
            await round_(tx)
            (first, *_) = await tx.outbox.take(10, 60)
            await tx.outbox.finish(first, "confirmed")
    return account


async def left(subjects: SqlSubjects, account: AccountId, user: UserId) -> dict[tuple[str, str], int]:
    return {place: n for place, n in (await subjects.search(account, user)).items() if n}


async def test_an_end_user_is_only_a_requester_and_can_be_forgotten(
    store: Store, subjects: SqlSubjects, worked: AccountId
) -> None:
    records = [r async for r in subjects.export(worked, REQUESTER)]
    assert [(r.category, r.values["ticket"]) for r in records] == [("tickets", 1)]
    preview = {(c.table, c.column): c for c in await subjects.preview(worked, REQUESTER)}
    assert preview["tickets", "requester_id"].pseudonymised == 1
    assert await left(subjects, worked, REQUESTER) == {("tickets", "requester_id"): 1}

    counts = {(c.table, c.column): c for c in await subjects.erase(worked, REQUESTER, "req-1", "node", 1)}

    assert counts == preview
    assert await left(subjects, worked, REQUESTER) == {}
    async with store.transaction(worked) as tx:
        row = await tx.tickets.one(1)
        assert row is not None
        assert (row.facts.requester_id, row.routing) == (None, "assigned")
        # Late facts do not bring him back, and the decisions still stand.
        await tx.tickets.store([facts(1, updated_at=later(60), status="open", assignee_id=1)])
        after = await tx.tickets.one(1)
        assert after is not None
        assert after.facts.requester_id is None
    assert await left(subjects, worked, REQUESTER) == {}


async def test_an_erasure_is_answered_the_same_again_and_an_older_run_is_refused(
    subjects: SqlSubjects, worked: AccountId
) -> None:
    first = await subjects.erase(worked, REQUESTER, "req-1", "node", 2)

    assert await subjects.erase(worked, REQUESTER, "req-1", "node", 3) == first
    with pytest.raises(StaleAttemptError):
        await subjects.erase(worked, REQUESTER, "req-1", "node", 1)


async def test_an_agent_goes_and_only_the_evidence_stays(
    store: Store, subjects: SqlSubjects, worked: AccountId
) -> None:
    categories = {r.category for r in [r async for r in subjects.export(worked, AGENT)]}
    assert categories == {"agents", "memberships", "assignments"}

    counts = {(c.table, c.column): c for c in await subjects.erase(worked, AGENT, "req-1", "node", 1)}

    assert counts["agents", ""].erased == 1
    assert counts["memberships", ""].erased == 1
    assert counts["rotation", ""].erased == 1
    assert counts["queues", "agents"].pseudonymised == 2
    assert counts["assignments", "agent_id"].retained == 2
    assert counts["assignments", "agent_id"].ground
    assert await left(subjects, worked, AGENT) == {}
    async with store.transaction(worked) as tx:
        assert [a.user_id for a in await tx.directory.agents(inactive=True)] == [2]
        queues = {q.id: (q.agents, q.state) for q in await tx.directory.queues()}
        # A queue for him alone must not become one for everybody.
        assert queues == {"q": ((), "active"), "own": ((), "paused"), "both": ((2,), "active")}
        assert len(await tx.decisions.page(0, 10, None)) == 3


async def test_a_neighbour_s_person_with_the_same_id_is_untouched(
    store: Store, subjects: SqlSubjects, worked: AccountId
) -> None:
    other = AccountId(f"{worked}-other")
    before = await subjects.search(other, AGENT), await subjects.search(other, REQUESTER)

    for user in (AGENT, REQUESTER):
        await subjects.erase(worked, user, "req-1", f"node-{user}", 1)

    assert (await subjects.search(other, AGENT), await subjects.search(other, REQUESTER)) == before
    assert isinstance(store, SqlStore)
    async with store.transaction(other) as tx:
        assert {q.state for q in await tx.directory.queues()} == {"active"}


async def test_a_stranger_is_nowhere(subjects: SqlSubjects, worked: AccountId) -> None:
    assert await left(subjects, worked, UserId(424242)) == {}
    assert [r async for r in subjects.export(worked, UserId(424242))] == []
