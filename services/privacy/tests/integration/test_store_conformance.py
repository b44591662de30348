"""One conformance suite for the port `Store`, over memory and PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.crypto.chain import GENESIS, verify_chain
from libs.db.engine import Database
from libs.kernel.clock import SystemClock
from libs.kernel.errors import ConcurrentChangeError
from libs.kernel.ids import AccountId
from services.privacy.adapters.memory.store import MemoryStore
from services.privacy.adapters.sql.store import SqlStore
from services.privacy.app.evidence import chained
from services.privacy.app.ports import CertificateRow, HoldRow, RequestRow, StepRow, Store
from services.privacy.domain.states import NodeState, State

pytestmark = pytest.mark.integration
AT = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)
LATER = datetime(2026, 1, 6, tzinfo=UTC)
TOKEN, OTHER = "a1" * 32, "b2" * 32
_accounts = itertools.count(1)


@pytest.fixture(params=["memory", "sql"])
def store(request: pytest.FixtureRequest, database: Database) -> Store:
    return MemoryStore(SystemClock()) if request.param == "memory" else SqlStore(database)


@pytest.fixture
def account() -> AccountId:
    """An account of this test's own: the database is the module's."""
    return AccountId(f"acc-{next(_accounts)}")


def a_request(request: str = "req-1", person: str = TOKEN, state: State = State.RECEIVED) -> RequestRow:
    return RequestRow(request, "ERASURE", state, person, b"sealed", False, AT, AT)


def step_of(request: str, step: str, position: int = 0) -> StepRow:
    return StepRow(request, step, position, NodeState.PENDING, AT)


async def with_steps(store: Store, account: AccountId, *names: str, state: State = State.EXECUTING) -> None:
    async with store.transaction(account) as tx:
        await tx.add_request(a_request(state=state))
        await tx.add_steps([step_of("req-1", name, place) for place, name in enumerate(names)])


async def take(store: Store, account: AccountId, step: str = "one", lease: float = 30.0) -> StepRow | None:
    async with store.transaction(account) as tx:
        return await tx.take_step("req-1", step, lease)


async def taken(store: Store, account: AccountId, step: str = "one", lease: float = 30.0) -> StepRow:
    row = await take(store, account, step, lease)
    assert row is not None
    return row


async def due(store: Store, account: AccountId) -> list[str]:
    return [request for tenant, request in await store.due() if tenant == account]


async def test_a_request_is_kept_and_changed(store: Store, account: AccountId) -> None:
    async with store.transaction(account) as tx:
        assert await tx.add_request(a_request()) is None
        first = await tx.request("req-1")
    assert first == a_request()

    changed = replace(
        a_request(state=State.COMPLETED),
        identities=None,
        approved_by="service:ops",
        plan_hash="f0",
        preview=[{"table": "t", "erased": 2}],
        extended=True,
        refusal="no",
        updated_at=LATER,
    )
    async with store.transaction(account) as tx:
        await tx.put_request(changed)
    async with store.transaction(account) as tx:
        assert await tx.request("req-1", for_update=True) == replace(changed, version=2)
        assert await tx.request("req-2") is None
    async with store.transaction(AccountId("acc-another")) as tx:
        assert await tx.request("req-1") is None


async def test_a_person_has_one_active_request_of_a_kind(store: Store, account: AccountId) -> None:
    async with store.transaction(account) as tx:
        assert await tx.add_request(a_request("req-1")) is None
        assert await tx.add_request(a_request("req-2")) == "req-1"
        assert await tx.active(TOKEN, "ERASURE") == "req-1"
        assert await tx.active(OTHER, "ERASURE") is None
        assert await tx.add_request(a_request("req-3", OTHER)) is None
        assert await tx.add_request(replace(a_request("req-4"), kind="ACCESS")) is None
    async with store.transaction(account) as tx:
        await tx.put_request(a_request("req-1", state=State.CANCELLED))
        assert await tx.add_request(a_request("req-2")) is None
    async with store.transaction(account) as tx:
        assert await tx.active(TOKEN, "ERASURE") == "req-2"


async def test_of_requests_at_once_one_is_kept(store: Store, account: AccountId) -> None:
    async def ask(request: str) -> str | None:
        async with store.transaction(account) as tx:
            return await tx.add_request(a_request(request))

    answers = await asyncio.gather(*(ask(f"req-{n}") for n in range(5)))

    kept = [f"req-{n}" for n, answer in enumerate(answers) if answer is None]
    assert len(kept) == 1
    assert {answer for answer in answers if answer is not None} == set(kept)


async def test_requests_are_listed_newest_first(store: Store, account: AccountId) -> None:
    async with store.transaction(account) as tx:
        for n in range(1, 5):
            await tx.add_request(
                a_request(f"req-{n}", f"{n:064x}", State.RECEIVED if n % 2 else State.REFUSED)
            )
        assert [r.id for r in await tx.requests("", 3, None)] == ["req-4", "req-3", "req-2"]
        assert [r.id for r in await tx.requests("req-2", 3, None)] == ["req-1"]
        assert [r.id for r in await tx.requests("", 3, "RECEIVED")] == ["req-3", "req-1"]


async def test_an_exception_undoes_everything(store: Store, account: AccountId) -> None:
    async def half() -> None:
        async with store.transaction(account) as tx:
            await tx.add_request(a_request())
            await tx.event("X", "", {}, AT)
            await tx.suppress([TOKEN], "req-1", AT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half()

    async with store.transaction(account) as tx:
        assert await tx.request("req-1") is None
        assert await tx.head() == (0, GENESIS)
        assert await tx.suppressed([TOKEN]) == []


async def test_steps_are_kept_in_order_and_once(store: Store, account: AccountId) -> None:
    await with_steps(store, account, "b", "a")
    async with store.transaction(account) as tx:
        await tx.add_steps([step_of("req-1", "b", 9), step_of("req-2", "c")])
        rows = await tx.steps("req-2", "req-1")

    assert [(s.request, s.id, s.position, s.run) for s in rows] == [
        ("req-1", "b", 0, 0),
        ("req-1", "a", 1, 0),
        ("req-2", "c", 0, 0),
    ]
    async with store.transaction(account) as tx:
        assert await tx.steps() == []


async def test_a_step_is_taken_by_one_until_its_lease_ends(store: Store, account: AccountId) -> None:
    await with_steps(store, account, "one")

    rows = await asyncio.gather(*(take(store, account) for _ in range(5)))

    assert [row.run for row in rows if row is not None] == [1]
    async with store.transaction(account) as tx:
        assert [s.leased for s in await tx.steps("req-1")] == [True]
        assert await tx.take_step("req-1", "two", 30.0) is None
    await with_steps(store, AccountId(f"{account}-b"), "one")
    assert (await taken(store, AccountId(f"{account}-b"), lease=-1.0)).run == 1
    assert (await taken(store, AccountId(f"{account}-b"))).run == 2


async def test_a_result_counts_for_the_present_taker_only(store: Store, account: AccountId) -> None:
    await with_steps(store, account, "one")
    slow = await taken(store, account, lease=-1.0)
    quick = await taken(store, account)
    done = replace(
        quick,
        state=NodeState.RETAINED,
        counts=[{"table": "t"}],
        data={"tickets": [1]},
        attempts=2,
        last_error="x",
        updated_at=LATER,
    )

    async with store.transaction(account) as tx:
        assert not await tx.finish_step(replace(slow, state=NodeState.DONE))
        assert not await tx.renew_step(slow, 30.0)
        assert not await tx.intent(slow, TOKEN, AT)
        assert await tx.renew_step(quick, 30.0)
        assert await tx.intent(replace(quick, data={"tickets": [7]}), TOKEN, AT)
        assert [dict(s.data) for s in await tx.steps("req-1")] == [{"tickets": [7]}]
        assert await tx.finish_step(done)

    async with store.transaction(account) as tx:
        assert await tx.steps("req-1") == [done]
        assert await tx.take_step("req-1", "one", 30.0) is None
        await tx.forget_step_data("req-1")
        assert await tx.steps("req-1") == [replace(done, data={})]


async def test_a_lease_that_ended_is_not_renewed(store: Store, account: AccountId) -> None:
    await with_steps(store, account, "one")
    row = await taken(store, account, lease=-1.0)

    async with store.transaction(account) as tx:
        assert not await tx.renew_step(row, 30.0)


async def test_a_step_that_waits_is_not_taken_until_it_is_roused(store: Store, account: AccountId) -> None:
    await with_steps(store, account, "one")
    row = await taken(store, account)
    async with store.transaction(account) as tx:
        assert await tx.finish_step(replace(row, state=NodeState.WAITING), wait_seconds=60.0)
    assert await take(store, account) is None
    async with store.transaction(account) as tx:
        await tx.rouse("req-another")
    assert await take(store, account) is None
    async with store.transaction(account) as tx:
        await tx.rouse("req-1")

    assert (await taken(store, account)).run == 2

    async with store.transaction(account) as tx:
        assert await tx.finish_step(replace(row, run=2, state=NodeState.WAITING), wait_seconds=60.0)
        await tx.rouse()
    assert (await taken(store, account)).run == 3


async def test_a_dead_step_is_revived(store: Store, account: AccountId) -> None:
    await with_steps(store, account, "one", "two")
    row = await taken(store, account)
    async with store.transaction(account) as tx:
        assert await tx.finish_step(replace(row, state=NodeState.DEAD_LETTER, attempts=9), wait_seconds=60.0)
    assert await take(store, account) is None

    async with store.transaction(account) as tx:
        assert await tx.revive_steps("req-1", LATER) == ["one"]

    again = await taken(store, account)
    assert (again.attempts, again.run, again.updated_at) == (0, 2, LATER)


@pytest.mark.parametrize("state", list(State))
async def test_due_is_what_runs_and_whose_first_open_step_can_be_taken(
    store: Store, account: AccountId, state: State
) -> None:
    await with_steps(store, account, "one", "two", state=state)
    running = state in (State.RECEIVED, State.EXECUTING, State.VERIFYING)
    assert await due(store, account) == (["req-1"] if running else [])
    row = await taken(store, account)
    assert await due(store, account) == []
    async with store.transaction(account) as tx:
        await tx.finish_step(replace(row, state=NodeState.WAITING), wait_seconds=60.0)
    assert await due(store, account) == []
    async with store.transaction(account) as tx:
        await tx.finish_step(replace(row, state=NodeState.DONE), wait_seconds=60.0)
    assert await due(store, account) == (["req-1"] if running else [])
    second = await taken(store, account, "two")
    async with store.transaction(account) as tx:
        await tx.finish_step(replace(second, state=NodeState.DEAD_LETTER))
    assert await due(store, account) == []


async def test_the_ledger_keeps_one_line_per_run_and_kind(store: Store, account: AccountId) -> None:
    await with_steps(store, account, "one")
    row = await taken(store, account)
    async with store.transaction(account) as tx:
        for _ in range(2):
            assert await tx.intent(row, TOKEN, AT)
            await tx.outcome(row, TOKEN, LATER)
        lines = await tx.ledger("req-1")

    assert [(line.step, line.run, line.what, line.token, line.at) for line in lines] == [
        ("one", 1, "INTENT", TOKEN, AT),
        ("one", 1, "OUTCOME", TOKEN, LATER),
    ]


async def test_events_are_chained_whoever_writes_them(store: Store, account: AccountId) -> None:
    async def write(n: int) -> bytes:
        async with store.transaction(account) as tx:
            return await tx.event("STEP_DONE", "req-1", {"step": f"s{n}", "größe": "é"}, AT)

    heads = await asyncio.gather(*(write(n) for n in range(6)))

    async with store.transaction(account) as tx:
        rows = await tx.events(0, 10)
        assert [r.sequence for r in await tx.events(2, 3)] == [3, 4, 5]
        head = await tx.head()
    assert [r.sequence for r in rows] == [1, 2, 3, 4, 5, 6]
    assert {r.hash for r in rows} == set(heads)
    assert verify_chain((chained(account, row), row.hash) for row in rows) == rows[-1].hash
    assert head == (6, rows[-1].hash)


async def test_a_certificate_is_issued_once(store: Store, account: AccountId) -> None:
    row = CertificateRow("req-1", '{"a":1}', b"signature", "PEM", AT)
    async with store.transaction(account) as tx:
        assert await tx.certificate("req-1") is None
        await tx.put_certificate(row)
        await tx.put_certificate(replace(row, document="{}"))
        assert await tx.certificate("req-1") == row


async def test_a_hold_is_in_force_until_it_is_released(store: Store, account: AccountId) -> None:
    first, second = (
        HoldRow("hol-1", (TOKEN, OTHER), "M-1", "Art. 17(3)(e)", AT),
        HoldRow("hol-2", (OTHER,), "M-2", "Art. 17(3)(b)", AT),
    )
    async with store.transaction(account) as tx:
        for row in (first, second):
            await tx.add_hold(row)
        assert await tx.held(["c3" * 32, OTHER]) == first
        assert await tx.held(["c3" * 32]) is None
        assert await tx.held([]) is None
        assert await tx.hold("hol-2") == second
        assert await tx.hold("hol-3") is None
        assert [h.id for h in await tx.holds("", 5)] == ["hol-2", "hol-1"]
        assert [h.id for h in await tx.holds("hol-2", 5)] == ["hol-1"]
        assert [h.id for h in await tx.holds("", 1)] == ["hol-2"]

    async with store.transaction(account) as tx:
        assert await tx.release_hold("hol-1", LATER) == replace(first, released_at=LATER)
        assert await tx.release_hold("hol-1", AT) == replace(first, released_at=LATER)
        assert await tx.release_hold("hol-3", AT) is None
        assert await tx.held([TOKEN]) is None
        assert await tx.held([OTHER]) == second


async def test_restrictions_and_suppressions_share_a_revision(store: Store, account: AccountId) -> None:
    async with store.transaction(account) as tx:
        assert await tx.restriction_revision() == 0
        assert await tx.restrict(TOKEN, [2, 3], restricted=True) == 1
        assert await tx.suppress([OTHER, TOKEN], "req-1", AT) == 2
        assert await tx.restrict(TOKEN, [3], restricted=False) == 3
        assert await tx.suppress([OTHER], "req-2", LATER) == 4
    async with store.transaction(account) as tx:
        assert await tx.restricted([TOKEN, OTHER], [1, 2, 3]) == [(TOKEN, 2)]
        assert await tx.restricted([TOKEN], [3]) == []
        assert await tx.restricted([OTHER], [2]) == []
        assert sorted(await tx.suppressed([OTHER, TOKEN, "c3" * 32])) == sorted([OTHER, TOKEN])
        assert await tx.restriction_revision() == 4


async def test_answers_are_remembered_within_the_transaction(store: Store, account: AccountId) -> None:
    async with store.transaction(account) as tx:
        assert await tx.answers.find(account, "id", "M", b"body") is None
        await tx.answers.remember(account, "id", "M", b"body", b"req-1")
    async with store.transaction(account) as tx:
        assert await tx.answers.find(account, "id", "M", b"body") == b"req-1"
        with pytest.raises(ConcurrentChangeError):
            await tx.answers.remember(account, "id", "M", b"body", b"req-2")
