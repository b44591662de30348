"""One run of one step: what it gets, what it gives back, and the INTENT before it destroys anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.app.people import People
from services.privacy.app.ports import Counts, RequestRow, StepRow, Store, Transaction
from services.privacy.domain.errors import LegalHoldError
from services.privacy.domain.identity import Identity, users
from services.privacy.domain.states import NodeState

Write = Callable[[Transaction, RequestRow], Awaitable[None]]


class LeaseLostError(Exception):
    """Another runner has the step now: this one drops what it did."""


@dataclass(frozen=True, slots=True)
class Work:
    """A step that was taken.

    Attributes:
        identities: of the person, out of the snapshot; none for the certificate, when it is gone.
    """

    account: AccountId
    request: RequestRow
    step: StepRow
    identities: Sequence[Identity]

    @property
    def users(self) -> list[int]:
        """The person's Zendesk user ids."""
        return users(self.identities)


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended.

    Attributes:
        counts: what was done.
        data: what this step's next run, later steps and the certificate need; ids only.
        destroyed: whether an INTENT was written, so that its OUTCOME follows.
        wait_seconds: until the step is run again; None = it is done.
        why: code of what it waits for.
        write: what else is written in the same transaction as the end of the step.
    """

    counts: Counts = field(default_factory=list)
    data: Mapping[str, Any] = field(default_factory=dict)
    destroyed: bool = False
    wait_seconds: float | None = None
    why: str = ""
    write: Write | None = None

    @property
    def state(self) -> NodeState:
        """The step's state after this run."""
        if self.wait_seconds is not None:
            return NodeState.WAITING
        return NodeState.RETAINED if retained(self.counts) else NodeState.DONE


def retained(counts: Counts) -> int:
    """Return how many rows stay on a stated ground."""
    return sum(int(row["retained"]) for row in counts)


class Intents:
    """Lets nothing be destroyed before it is written down, nor while a legal hold is in force."""

    def __init__(self, store: Store, people: People, clock: Clock) -> None:
        self._store = store
        self._people = people
        self._clock = clock

    async def __call__(self, work: Work, data: Mapping[str, Any] | None = None) -> None:
        """Commit an INTENT, with `data` for the runs after a crash.

        Raises:
            LegalHoldError: a hold is in force for one of the person's identities.
            LeaseLostError: another runner has the step now.
        """
        tokens = await self._people.tokens(work.account, work.identities)
        step = work.step if data is None else replace(work.step, data=data)
        async with self._store.transaction(work.account) as tx:
            hold = await tx.held(tokens)
            if hold is not None:
                raise LegalHoldError("a legal hold forbids the erasure", metadata={"hold": hold.id})
            if not await tx.intent(step, work.request.commitment, self._clock.now()):
                raise LeaseLostError
