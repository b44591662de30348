"""Privacy over its ports in memory: a house for tests, with a clock, people to erase, and sudden death."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from libs.kernel.clock import Clock, ManualClock
from libs.kernel.ids import AccountId, CountingIds
from services.privacy.adapters.memory.participants import Holding, MemoryParticipants
from services.privacy.adapters.memory.store import MemoryStore
from services.privacy.adapters.memory.vault import MemoryVault
from services.privacy.adapters.memory.zendesk import MemoryZendesk, Person
from services.privacy.app.create_request import Asked
from services.privacy.app.ports import Participants, RequestRow, Transaction, Vault, Zendesk
from services.privacy.app.read_requests import RequestView
from services.privacy.app.run_step import LEASE_SECONDS
from services.privacy.app.use_cases import UseCases, wire
from services.privacy.domain.identity import Identity
from services.privacy.domain.states import RUNNING

ACCOUNT = AccountId("acc-1")
ADMIN = "user:2000"
USER = 770011
EMAIL = "cy.young@example.com"
WHO: list[Identity] = [("zendesk_user_id", str(USER)), ("email", EMAIL)]
TICKETS = (9001, 9002)
DESTRUCTIVE = frozenset({"trash", "destroy", "delete_user", "destroy_user", "erase"})


class Killed(BaseException):
    """The process died here: nothing after this line ran."""


@dataclass(slots=True)
class Fate:
    """Counts the places where a process can die, and lets it die at one of them.

    Attributes:
        at: number of the place; None = it lives.
        passed: how many places were passed.
        names: of every call to a port, in order.
        calls: destructive calls, in order.
        unwritten: destructive calls that no open INTENT announced.
    """

    at: int | None = None
    passed: int = 0
    names: list[str] = field(default_factory=list)
    calls: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)

    def pass_by(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


class MortalStore(MemoryStore):
    """A store whose caller may die before and after each commit."""

    def __init__(self, clock: Clock, fate: Fate) -> None:
        super().__init__(clock)
        self._fate = fate
        self._committed = asyncio.Event()

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Wait until `true`, looked at after each commit.

        Raises:
            TimeoutError: it did not become true within 20 seconds.
        """
        async with asyncio.timeout(20):
            while not await true():
                self._committed.clear()
                await self._committed.wait()

    def transaction(self, account: AccountId) -> AbstractAsyncContextManager[Transaction]:
        return self._mortal(account)

    @asynccontextmanager
    async def _mortal(self, account: AccountId) -> AsyncIterator[Transaction]:
        async with super().transaction(account) as tx:
            yield tx
            before = self.tables
            self._fate.pass_by()
        if self.tables is not before:
            self._committed.set()
        self._fate.pass_by()


class Mortal:
    """Passes calls on; the caller may die before and after each, and what destroys is written down."""

    def __init__(self, inner: object, fate: Fate, store: MemoryStore) -> None:
        self._inner = inner
        self._fate = fate
        self._store = store

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        async def passed_on(*given: Any) -> Any:
            self._fate.pass_by()
            self._fate.names.append(name)
            await asyncio.sleep(0)  # lets other runners in
            if name in DESTRUCTIVE:
                self._fate.calls.append((name, given))
                if not self._announced():
                    self._fate.unwritten.append(name)
            answer = await call(*given)
            self._fate.pass_by()
            return answer

        return passed_on

    def _announced(self) -> bool:
        """Tell whether a step that runs now has an INTENT without an OUTCOME."""
        ledger = self._store.tables.ledger
        runs = {(*key, held.row.run) for key, held in self._store.tables.steps.items()}
        return any(
            what == "INTENT" and (a, r, s, run) in runs and (a, r, s, run, "OUTCOME") not in ledger
            for a, r, s, run, what in ledger
        )


class House:
    """Everything of privacy, wired over memory.

    Attributes:
        fate: of the process `use`.
        use: the use cases of one process; `another` makes those of a second replica.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.ids = CountingIds()
        self.fate = Fate()
        self.store = MortalStore(self.clock, self.fate)
        self.vault = MemoryVault()
        self.participants = MemoryParticipants()
        self.zendesk = MemoryZendesk()
        self.wake = asyncio.Event()
        self.use = self.another()
        for name in ("assignment", "policy", "auth"):
            self.participants.holdings[name, ACCOUNT, USER, "rows"] = Holding(3)
        self.zendesk.people = {USER: Person(), 2000: Person("admin"), 3000: Person("agent")}
        self.zendesk.requesters = {**dict.fromkeys(TICKETS, USER), 9003: 1}

    def another(self, quiet_seconds: float = 0.0) -> UseCases:
        """Return the use cases of another process over the same ports."""
        mortal = [
            Mortal(inner, self.fate, self.store) for inner in (self.vault, self.participants, self.zendesk)
        ]
        return wire(
            self.store,
            cast(Vault, mortal[0]),
            cast(Participants, mortal[1]),
            cast(Zendesk, mortal[2]),
            self.clock,
            self.ids,
            self.wake,
            quiet_seconds,
        )

    async def ask(self, identities: Sequence[Identity] = tuple(WHO), *, auto: bool = False) -> str:
        """Create an erasure request; return its id."""
        return await self.use.create(ACCOUNT, Asked("ERASURE", identities, auto), ADMIN)

    async def view(self, request: str) -> RequestView:
        return await self.use.read.one(ACCOUNT, request)

    async def row(self, request: str) -> RequestRow:
        return (await self.view(request)).row

    async def approve(self, request: str) -> None:
        await self.use.approve(ACCOUNT, request, (await self.row(request)).plan_hash, ADMIN)

    async def run(self, request: str, use: UseCases | None = None) -> RequestRow:
        """Run a request as a runner does, time passing where it waits; return it where it stops."""
        clock = cast(ManualClock, self.clock)
        for _ in range(200):
            seconds = await (use or self.use).execute(ACCOUNT, request)
            row = await self.row(request)
            if row.state not in RUNNING:
                return row
            clock.advance(timedelta(seconds=LEASE_SECONDS + 1 if seconds is None else seconds))
        raise AssertionError(f"the request does not come to an end: {await self.view(request)}")

    def left(self) -> int:
        """Count what is left of the person anywhere."""
        ours = sum(h.rows for key, h in self.participants.holdings.items() if key[2] == USER and not h.kept)
        tickets = [*self.zendesk.requesters.values(), *self.zendesk.trashed.values()].count(USER)
        return ours + tickets + (self.zendesk.people[USER].state != "destroyed")
