"""The decision log: sampled or whole, bounded, never in the way of a check unless the type is audited."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.policy.adapters.memory import MemoryStore
from services.policy.app.asked import Asked, Question
from services.policy.app.decision_log import DecisionLog
from services.policy.app.ports import OBJECT, AccountSettings, LogRow
from services.policy.tests.replicas import Line, Replica
from services.policy.tests.served import PARENT, serving
from services.policy.tests.world import ACCOUNT, PRODUCT, K, World, letters
from setlist.policy.v1 import policy_resources_pb2 as resources
from setlist.policy.v1 import policy_service_pb2 as messages


async def put(world: World, **given: Any) -> None:
    await world.use.settings.update(world.account, given)


async def logged(world: World, user: int | None = None) -> list[LogRow]:
    rows, more = await world.use.read_log(world.account, user, before="", limit=1000)
    assert not more
    return rows


def row(world: World, number: int) -> LogRow:
    return LogRow(f"log-{number:04d}", world.clock.now(), 1, "read", PRODUCT, "p1", True, "RBAC", 1)


async def stored(world: World) -> list[LogRow]:
    async with world.store.snapshot(world.account) as tx:
        return await tx.logged("", 10_000, None)


def test_denied_and_audited_decisions_are_logged_always_and_of_the_others_a_share() -> None:
    chances = iter([0.0, 0.24, 0.25, 0.99])
    log, settings = DecisionLog(MemoryStore(), chance=lambda: next(chances)), AccountSettings(log_share=0.25)

    assert [log.wanted(settings, allowed=True, audited=False) for _ in range(4)] == [True, True, False, False]
    assert log.wanted(settings, allowed=False, audited=False)
    assert log.wanted(settings, allowed=True, audited=True)
    assert log.wanted(AccountSettings(), allowed=True, audited=False), "all of them by default"


async def test_what_is_not_logged_has_no_id() -> None:
    world = await World.fresh()
    await put(world, log_share=0.0)
    questions = [
        Question(1, "read", PRODUCT, "p1"),
        Question(5, "read", PRODUCT, "p1"),
        Question(2, "read", PRODUCT),
    ]

    allowed, denied, also = await world.use.check(world.account, questions)

    assert (allowed.decision_id, also.decision_id) == ("", "")
    assert [one.id for one in await logged(world)] == [denied.decision_id]


async def test_a_batch_is_logged_item_by_item_with_what_decided() -> None:
    world = await World.fresh()
    await world.patch({"rebac": {K: {"end_user": {"read": True}}}})
    relationship = await world.relate(5, "p1")
    questions = [
        Question(5, "read", PRODUCT, "p1"),
        Question(2, "create", f"relationship:{K}"),
        Question(9, "read", "ghost", "x"),
    ]
    asked = Asked(caller="edge", trace="0af7651916cd43dd8448eb211c80319c")

    answers = await world.use.check(world.account, questions, asked)

    rows = (await logged(world))[::-1]
    assert [r.id for r in rows] == [a.decision_id for a in answers]
    assert [(r.object_type, r.record, r.reason, r.rule, r.relationship) for r in rows] == [
        (PRODUCT, "p1", f"REBAC:{K}", f"rebac/{K}:end_user", relationship.id),
        (f"relationship:{K}", "", "RBAC", "rbac:agent", ""),
        ("ghost", "x", "UNKNOWN_USER", "", ""),
    ]
    assert {(r.caller, r.trace, r.revision) for r in rows} == {("edge", asked.trace, await world.revision())}


async def test_the_log_names_a_type_in_one_way_however_it_was_asked() -> None:
    """Else an erasure, which looks for the type of people's records, would miss some."""
    world = await World.fresh()
    names = (PRODUCT, f"object:{PRODUCT}", K, f"relationship:{K}", "object:gone", "gone")
    await world.use.check(world.account, [Question(1, "read", name) for name in names])

    found = [one.object_type for one in (await logged(world))[::-1]]

    assert found == [PRODUCT, PRODUCT, f"relationship:{K}", f"relationship:{K}", "gone", "gone"]


async def test_a_check_does_not_wait_for_a_log_that_cannot_be_written() -> None:
    world = await Replica.fresh(MemoryStore(), ACCOUNT)
    assert await world.allows(1, "p1")
    world.line.cut = True

    answer = await world.sees(1, "p1")

    assert answer.decided.allowed
    with pytest.raises(DependencyUnavailableError):
        await world.use.log.flush()
    await world.use.log.close()  # at the end of the process it does not fail either
    world.line.cut = False
    (newest, *_) = await logged(world)
    assert newest.id == answer.decision_id, "it waited"


@pytest.mark.parametrize(
    ("audited", "name", "refused"),
    [
        (PRODUCT, PRODUCT, True),
        (PRODUCT, f"object:{PRODUCT}", True),
        (K, f"relationship:{K}", True),
        (f"relationship:{K}", K, True),
        ("*", "car", True),
        ("*", "ghost", True),
        (PRODUCT, "car", False),
        (f"relationship:{K}", PRODUCT, False),
    ],
)
async def test_of_audited_types_nothing_is_allowed_that_cannot_be_logged(
    audited: str, name: str, refused: bool
) -> None:
    world = await Replica.fresh(MemoryStore(), ACCOUNT)
    await put(world, audited_types=(audited,))
    question = Question(1, "read", name)
    await world.use.check(world.account, [question])
    world.line.cut = True

    (answer,) = await world.use.check(world.account, [question])

    assert (answer.decided.reason == "NOT_LOGGED") == refused
    assert not (refused and answer.decided.allowed)
    assert (answer.decision_id == "") == refused, "there is no entry of that id"
    world.line.cut = False
    (again,) = await world.use.check(world.account, [question])
    assert again.decided.reason != "NOT_LOGGED"
    assert again.decision_id in {one.id for one in await stored(world)} or not refused, (
        "it is there before the answer"
    )


async def test_in_a_batch_only_the_audited_ones_are_held_back() -> None:
    world = await Replica.fresh(MemoryStore(), ACCOUNT)
    await put(world, audited_types=(PRODUCT,), log_share=0.0)
    questions = [Question(1, "read", key) for key in (PRODUCT, "car", PRODUCT)]
    assert letters(await world.use.check(world.account, questions)) == "TTT"
    assert len(await stored(world)) == 2, "whatever share is logged"
    world.line.cut = True

    assert letters(await world.use.check(world.account, questions)) == "FTF"


async def test_an_object_type_that_takes_an_audited_key_is_audited_by_it() -> None:
    world = await World.fresh()
    await put(world, audited_types=(K,), log_share=0.0)
    await world.use.types.create(world.account, OBJECT, K)

    await world.use.check(world.account, [Question(1, "read", K), Question(1, "read", f"relationship:{K}")])

    assert [one.object_type for one in await stored(world)] == [K]


async def test_a_batch_of_ten_thousand_on_an_audited_account_is_answered() -> None:
    """It took minutes while rows were compared in pairs; here it must end before the harness loses patience."""
    world = await World.fresh()
    await put(world, audited_types=(PRODUCT,))
    questions = [Question(1, "read", ("car", PRODUCT)[n % 2], f"p{n}") for n in range(10_000)]

    async with asyncio.timeout(30):
        answers = await world.use.check(world.account, questions)

    assert letters(answers) == "T" * 10_000
    assert len(await stored(world)) == 5000


async def test_when_too_many_wait_the_newest_are_dropped_and_counted() -> None:
    world = await World.fresh()
    line = Line(world.store)
    log = DecisionLog(line, capacity=5)
    line.cut = True
    log.put(ACCOUNT, [row(world, n) for n in range(3)])
    log.put(ACCOUNT, [row(world, n) for n in range(3, 9)])
    log.put(ACCOUNT, [row(world, 9)])
    assert log.dropped == 5
    line.cut = False

    await asyncio.gather(log.flush(), log.flush())

    assert [one.id for one in await stored(world)] == [f"log-{n:04d}" for n in (4, 3, 2, 1, 0)]
    log.put(ACCOUNT, [row(world, 10)])
    await log.close()
    assert len(await stored(world)) == 6
    assert log.dropped == 5


async def test_under_load_decisions_are_written_many_at_once() -> None:
    world, parts = await World.fresh(), []

    class Busy(MemoryStore):
        async def log(self, rows: Sequence[tuple[AccountId, LogRow]]) -> None:
            parts.append(len(rows))
            if len(parts) < 5:  # somebody checks while it is being written
                log.put(ACCOUNT, [row(world, 100 + len(parts))])

    log = DecisionLog(Busy())
    log.put(ACCOUNT, [row(world, n) for n in range(3)])
    async with asyncio.timeout(5):
        await log.flush()
        await log.flush()

    assert parts == [3, 1]


async def test_what_waits_is_written_at_the_end() -> None:
    world = await World.fresh()
    await world.ask(1, "read")
    assert await stored(world) == []

    await world.use.log.close()

    assert len(await stored(world)) == 1


async def test_old_decisions_are_swept() -> None:
    world = await World.fresh()
    await put(world, log_days=2)
    await world.ask(1, "read", "old")
    world.clock.advance(timedelta(days=1))
    await world.ask(1, "read", "young")
    await world.use.log.flush()
    world.clock.advance(timedelta(days=1, seconds=1))

    await world.use.sweep()

    assert [one.record for one in await stored(world)] == ["young"]


async def test_decisions_are_listed_as_soon_as_they_are_made() -> None:
    world = await World.fresh()
    async with serving(world) as served:
        admin = served.person(1, "admin")
        check = messages.CheckPermissionRequest(
            parent=PARENT, user_id=2, action=resources.ACTION_DELETE, object_type=PRODUCT, record_id="p1"
        )
        decided = (await served.stub.CheckPermission(check, metadata=admin)).decided
        listing = messages.ListDecisionsRequest(parent=PARENT, user_id=2)

        (found,) = (await served.stub.ListDecisions(listing, metadata=admin)).decisions

    assert (found.decision_id, found.user_id, found.action) == (
        decided.decision_id,
        2,
        resources.ACTION_DELETE,
    )
    assert (found.object_type, found.record_id, found.caller) == (PRODUCT, "p1", "edge")
    assert (found.decided.allowed, found.decided.reason, found.decided.row) == (True, "RBAC", "rbac:agent")
    assert found.decided.revision == decided.revision
