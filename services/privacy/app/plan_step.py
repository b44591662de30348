"""The first step: a plan, over every alias of the person."""

from __future__ import annotations

from dataclasses import replace

from libs.kernel.clock import Clock
from services.privacy.app.begin import begin_execution, end_request
from services.privacy.app.evidence import EventType
from services.privacy.app.make_plan import MakePlan, Plan
from services.privacy.app.ports import ParticipantMissingError, RequestRow, Transaction, Vault
from services.privacy.app.work import Done, Work
from services.privacy.domain.states import State, moved


class PlanStep:
    """Resolves, previews, seals the snapshot."""

    def __init__(self, make_plan: MakePlan, vault: Vault, clock: Clock) -> None:
        self._make_plan = make_plan
        self._vault = vault
        self._clock = clock

    async def __call__(self, work: Work) -> Done:
        """Plan a request.

        Raises:
            ParticipantMissingError: somebody could not be asked; without him the plan would be a guess.
        """
        plan = await self._make_plan(work.account, work.identities)
        if plan.missing:
            raise ParticipantMissingError(",".join(plan.missing), "NOT_ASKED")
        sealed = await self._vault.seal(work.account, work.request.id, plan.identities)

        async def write(tx: Transaction, row: RequestRow) -> None:
            if row.state is State.RECEIVED:  # not cancelled meanwhile
                await self._write(tx, row, plan, sealed)

        return Done(write=write)

    async def _write(self, tx: Transaction, row: RequestRow, plan: Plan, sealed: bytes) -> None:
        now = self._clock.now()
        hold = await tx.held(plan.tokens)
        if plan.refusal or hold is not None:
            refusal = plan.refusal or "a legal hold forbids the erasure (GDPR Art. 17(3)(e))"
            facts = {"ground": "NOT_AN_END_USER" if plan.refusal else "LEGAL_HOLD"}
            await end_request(tx, row, State.REFUSED, facts, now, refusal)
            return
        planned = replace(
            row,
            state=moved(row.state, State.PLANNED),
            identities=sealed,
            plan_hash=plan.hash,
            preview=list(plan.counts),
            updated_at=now,
        )
        await tx.event(EventType.PLANNED, row.id, {"plan_hash": plan.hash}, now)
        if row.auto:
            await begin_execution(tx, planned, plan.tokens, row.approved_by, now)
            return
        await tx.put_request(replace(planned, state=moved(planned.state, State.AWAITING_APPROVAL)))
