"""ApproveRequest: somebody says yes to exactly the plan that was shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from services.privacy.app.begin import begin_execution, end_request
from services.privacy.app.evidence import EventType
from services.privacy.app.make_plan import MakePlan, Plan
from services.privacy.app.people import People
from services.privacy.app.ports import RequestRow, Store, Vault
from services.privacy.app.read_requests import require_request
from services.privacy.domain.errors import LegalHoldError, PlanChangedError, RequestStateError
from services.privacy.domain.states import State

_BEGUN = frozenset(
    {
        State.EXECUTING,
        State.VERIFYING,
        State.STUCK,
        State.COMPLETED,
        State.COMPLETED_WITH_RETENTION,
    }
)


class ApproveRequest:
    """Plans anew, compares, begins. Approving the same plan again changes nothing."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        people: People,
        make_plan: MakePlan,
        clock: Clock,
        wake: asyncio.Event,
    ) -> None:
        self._store = store
        self._vault = vault
        self._people = people
        self._make_plan = make_plan
        self._clock = clock
        self._wake = wake

    async def __call__(self, account: AccountId, request: str, plan_hash: str, subject: str) -> None:
        """Approve a plan.

        Raises:
            NotFoundError: no such request.
            RequestStateError: it does not wait for an approval, or the person cannot be erased any more.
            PlanChangedError: the data changed since; the new plan is stored.
            LegalHoldError: a hold came into force; the attempt is recorded.
            DependencyUnavailableError: somebody could not be asked.
        """
        async with self._store.transaction(account) as tx:
            row = await require_request(tx, request)
        if row.state in _BEGUN and row.plan_hash == plan_hash:
            return
        if row.state is not State.AWAITING_APPROVAL or row.identities is None:
            raise _not_waiting(row)
        if row.plan_hash != plan_hash:
            raise _changed(row.plan_hash)
        plan = await self._make_plan(account, await self._vault.open(account, request, row.identities))
        if plan.missing:
            names = ",".join(plan.missing)
            raise DependencyUnavailableError(
                f"`{names}` cannot be asked for the present plan", metadata={"service": names}
            )
        actor = await self._people.actor(account, subject)
        sealed = await self._vault.seal(account, request, plan.identities)
        error = await self._decide(account, request, plan_hash, plan, sealed, actor)
        if plan.refusal:
            await self._vault.drop(account, request)
        if error is not None:
            raise error
        self._wake.set()

    async def _decide(
        self, account: AccountId, request: str, plan_hash: str, plan: Plan, sealed: bytes, actor: str
    ) -> Exception | None:
        """Write what follows from the present plan; return what the caller is told instead of a yes."""
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            row = await require_request(tx, request, for_update=True)
            if row.state in _BEGUN and row.plan_hash == plan_hash:
                return None
            if row.state is not State.AWAITING_APPROVAL:
                raise _not_waiting(row)
            if row.plan_hash != plan_hash:
                raise _changed(row.plan_hash)
            if plan.refusal:
                facts = {"ground": "NOT_AN_END_USER", "actor": actor}
                await end_request(tx, row, State.REFUSED, facts, now, plan.refusal)
                return RequestStateError(plan.refusal, metadata={"state": State.REFUSED.value})
            hold = await tx.held(plan.tokens)
            if hold is not None:
                await tx.event(EventType.HELD, request, {"hold": hold.id, "actor": actor}, now)
                return LegalHoldError("a legal hold forbids the erasure", metadata={"hold": hold.id})
            present = replace(
                row, identities=sealed, plan_hash=plan.hash, preview=list(plan.counts), updated_at=now
            )
            if plan.hash != plan_hash:
                await tx.put_request(present)
                await tx.event(EventType.PLANNED, request, {"plan_hash": plan.hash}, now)
                return _changed(plan.hash)
            await begin_execution(tx, present, plan.tokens, actor, now)
        return None


def _not_waiting(row: RequestRow) -> RequestStateError:
    return RequestStateError(
        f"a request in state {row.state} cannot be approved", metadata={"state": row.state.value}
    )


def _changed(plan_hash: str) -> PlanChangedError:
    return PlanChangedError(
        "the plan is not the one that was shown: read it again", metadata={"plan_hash": plan_hash}
    )
