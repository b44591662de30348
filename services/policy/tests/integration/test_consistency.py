"""The new-enemy problem with two replicas, of which one lags: never a stale allow (facts: policy §4.4)."""

from __future__ import annotations

import asyncio
import itertools

import pytest
import pytest_asyncio

from libs.db.engine import Database
from libs.decision.rows import ObjectRow, User
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.policy.adapters.sql.store import SqlStore
from services.policy.app.asked import Asked, Freshness, Question
from services.policy.app.list_everything_of import START
from services.policy.app.ports import OBJECT
from services.policy.domain.errors import RevisionUnknownError
from services.policy.tests.replicas import Replica
from services.policy.tests.world import PRODUCT, K

pytestmark = pytest.mark.integration
_ACCOUNTS = itertools.count(1)
BOB = 5
READS = {"rebac": {K: {"end_user": {"read": True}}}}
FULLY = Freshness(fully=True)


@pytest_asyncio.fixture
async def writer(database: Database) -> Replica:
    replica = await Replica.fresh(SqlStore(database), AccountId(f"acc-{next(_ACCOUNTS)}"))
    await replica.patch(READS)
    await replica.relate(BOB, "p1")
    return replica


@pytest_asyncio.fixture
async def reader(database: Database, writer: Replica) -> Replica:
    """A replica that has the state in which Bob may read, and does not learn of what follows."""
    replica = Replica(SqlStore(database), writer.account, beside=writer)
    assert await replica.allows(BOB, "p1")
    return replica


async def test_a_who_was_removed_does_not_see_what_is_added_afterwards(
    writer: Replica, reader: Replica
) -> None:
    await writer.unrelate(BOB, "p1")
    _, _, added = await writer.use.objects.write(
        writer.account, [ObjectRow(PRODUCT, "p1", {"secret": 1})], ()
    )
    assert await reader.allows(BOB, "p1"), (
        "the delay is real: without the token the state at hand is younger than 1 s"
    )
    token = writer.tokens.token(writer.account, added)

    answer = await reader.sees(BOB, "p1", Freshness(reader.tokens.revision(reader.account, token)))

    assert (answer.decided.allowed, answer.revision) == (False, added)


async def test_b_changes_are_never_seen_in_the_wrong_order(writer: Replica, reader: Replica) -> None:
    """Bob is removed, then the policy is widened: who saw only the second would let him in."""
    await writer.patch({"rebac": {K: {"end_user": {"read": False}}}})
    for _ in range(8):
        await writer.relate(BOB, "p1")
        await writer.unrelate(BOB, "p1")
        await writer.patch(READS)
        widened = await writer.revision()
        answer = await reader.sees(BOB, "p1", Freshness(widened))
        assert (answer.decided.allowed, answer.revision) == (False, widened)
        await writer.patch({"rebac": {K: {"end_user": {"read": False}}}})


@pytest.mark.parametrize("freshness", [Freshness(), FULLY], ids=["bounded", "fully"])
async def test_b_no_state_between_the_changes_is_ever_mixed(
    writer: Replica, reader: Replica, freshness: Freshness
) -> None:
    """At no revision is Bob allowed; a replica that reads while it is written must find one of them."""
    await writer.unrelate(BOB, "p1")
    allowed = (await reader.sees(BOB, "p1", FULLY)).decided.allowed
    written = asyncio.Event()

    async def write() -> None:
        for _ in range(8):
            await writer.patch({"rebac": {K: {"end_user": {"read": False}}}})
            await writer.relate(BOB, "p1")
            await writer.unrelate(BOB, "p1")
            await writer.patch(READS)
        written.set()

    async def ask() -> list[bool]:
        found = []
        while not written.is_set():
            reader.seconds += 0.6  # every other question finds its state too old
            found.append(await reader.allows(BOB, "p1", freshness))
            await asyncio.sleep(0)  # an answer from memory lets nobody else run
        return found

    _, *answers = await asyncio.gather(write(), ask(), ask())

    assert not allowed
    assert len([a for found in answers if found for a in found]) > 10
    assert not any(a for found in answers if found for a in found)


async def test_a_read_that_began_before_the_write_does_not_serve_its_token(
    writer: Replica, reader: Replica
) -> None:
    reader.line.gate.clear()
    slow = asyncio.create_task(reader.sees(BOB, "p1", FULLY))
    await reader.line.reached()
    removed = await writer.unrelate(BOB, "p1")
    reader.seconds += 0.001
    fresh = [asyncio.create_task(reader.sees(BOB, "p1", wish)) for wish in (Freshness(removed), FULLY)]
    reader.line.gate.set()

    assert (await slow).revision == removed - 1, "it asked for what was committed before it, and got it"
    for answer in await asyncio.gather(*fresh):
        assert (answer.decided.allowed, answer.revision) == (False, removed)


async def test_a_state_is_answered_from_for_a_second_and_not_longer(writer: Replica, reader: Replica) -> None:
    await writer.unrelate(BOB, "p1")
    reads = reader.line.snapshots

    reader.seconds += 1.0
    at_the_bound = await reader.allows(BOB, "p1")
    assert reader.line.snapshots == reads
    reader.seconds += 0.01

    assert at_the_bound
    assert not await reader.allows(BOB, "p1")
    assert reader.line.snapshots == reads + 1
    assert not await reader.allows(BOB, "p1")
    assert reader.line.snapshots == reads + 1, "the state was confirmed by that read"


async def test_fully_sees_what_was_committed_before_the_call(writer: Replica, reader: Replica) -> None:
    await writer.unrelate(BOB, "p1")

    assert not await reader.allows(BOB, "p1", FULLY)


async def test_a_token_that_is_seen_already_costs_no_read(writer: Replica, reader: Replica) -> None:
    reads, revision = reader.line.snapshots, await writer.revision()

    assert await reader.allows(BOB, "p1", Freshness(revision))
    assert reader.line.snapshots == reads
    with pytest.raises(RevisionUnknownError):
        await reader.allows(BOB, "p1", Freshness(revision + 1))


async def test_every_kind_of_question_sees_the_tokens_write(writer: Replica, reader: Replica) -> None:
    removed = await writer.unrelate(BOB, "p1")
    asked, account, use = Asked(freshness=Freshness(removed)), reader.account, reader.use
    question = Question(BOB, "read", PRODUCT, "p1")

    async def answers() -> None:
        assert await use.actions(account, question, asked) == []
        assert (await use.resources(account, question, asked, after="", limit=9)).ids == ()
        assert BOB not in (await use.subjects(account, question, asked, after=0, limit=9)).ids
        assert (await use.everything(account, BOB, asked, after=START, limit=9)).rights == ()
        (explained,) = await use.check(account, [question], asked, explain=True)
        assert not explained.decided.allowed

    await answers()


async def test_without_the_database_nothing_old_is_answered(writer: Replica, reader: Replica) -> None:
    revision = await writer.revision()
    reader.line.cut = True
    assert await reader.allows(BOB, "p1"), "the state was confirmed less than a second ago"

    for wish in (FULLY, Freshness(revision + 1), Freshness(exact=revision)):
        with pytest.raises(DependencyUnavailableError):
            await reader.allows(BOB, "p1", wish)
    reader.seconds += 1.5
    for _ in range(3):
        with pytest.raises(DependencyUnavailableError):
            await reader.allows(BOB, "p1")
    await writer.unrelate(BOB, "p1")
    reader.line.cut = False

    assert not await reader.allows(BOB, "p1")


async def test_a_replica_sees_its_own_writes_at_once(writer: Replica) -> None:
    """Its time stands still, so that nothing but the write itself tells it."""
    other = User(70, "end_user")
    assert await writer.allows(BOB, "p1")

    await writer.unrelate(BOB, "p1")
    assert not await writer.allows(BOB, "p1")
    await writer.relate(BOB, "p1")
    assert await writer.allows(BOB, "p1")
    await writer.patch({"rebac": {K: None}})
    assert not await writer.allows(BOB, "p1")
    await writer.use.sync_users(writer.account, [other], (), complete=False)
    assert (await writer.sees(70, "p1")).decided.reason == "NO_RULE_ALLOWS"
    policies = {
        "open": {
            "path": [],
            "start": "user",
            "rows": {
                role: {"create": False, "read": True, "update": False, "delete": False}
                for role in ("admin", "agent", "end_user")
            },
            "condition": "object.open == true",
        }
    }
    await writer.use.types.update_extensions(writer.account, PRODUCT, {"policies": policies})
    assert (await writer.sees(BOB, "p1")).decided.reason == "CONDITION_FAILED"
    await writer.use.objects.write(writer.account, [ObjectRow(PRODUCT, "p1", {"open": True})], ())
    assert (await writer.sees(BOB, "p1")).decided.reason == "EXTENDED:open"
    await writer.use.types.create(writer.account, OBJECT, "boat")
    (boat,) = await writer.use.check(writer.account, [Question(2, "create", "boat")])
    assert boat.decided.allowed


async def test_writes_and_checks_on_several_tasks_never_meet_a_stale_entry(
    writer: Replica, reader: Replica
) -> None:
    """Each task takes turns between the replicas and knows what is true of its own record."""

    async def toggle(user: int) -> list[bool]:
        right = []
        for turn in range(12):
            here, there = (writer, reader) if turn % 2 else (reader, writer)
            related = turn % 3 != 0
            if related:
                await here.relate(user, f"r{user}")
            else:
                await here.unrelate(user, f"r{user}")
            answer = await there.sees(user, f"r{user}", Freshness(await here.revision()))
            right.append(answer.decided.allowed == related)
        return right

    await writer.use.sync_users(
        writer.account, [User(n, "end_user") for n in range(20, 24)], (), complete=False
    )
    found = await asyncio.gather(*(toggle(n) for n in range(20, 24)))

    assert found == [[True] * 12] * 4
