"""Runs a step that was taken, and writes how it ended; whatever happens, the next runner can go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from services.privacy.app.evidence import EventType
from services.privacy.app.issue_certificate import IssueCertificate
from services.privacy.app.participant_steps import ParticipantSteps
from services.privacy.app.plan_step import PlanStep
from services.privacy.app.ports import (
    ParticipantMissingError,
    StepRefusedError,
    StepRow,
    Store,
    Transaction,
    Vault,
)
from services.privacy.app.work import Done, LeaseLostError, Work
from services.privacy.app.zendesk_steps import ZendeskSteps
from services.privacy.domain.backoff import MAXIMUM_ATTEMPTS, MAXIMUM_REFUSALS, wait_seconds
from services.privacy.domain.errors import LegalHoldError
from services.privacy.domain.plan import CERTIFICATE, PARTICIPANTS, PLAN, phase
from services.privacy.domain.states import ENDED, FINISHED, NodeState, State, moved

LEASE_SECONDS = 30.0
"""A dead runner's step is taken over after this long."""
HOLD_SECONDS = 30.0
"""A held step looks again after this long; the release of a hold wakes it at once."""
Step = Callable[[Work], Awaitable[Done]]


class RunStep:
    """Runs one step once.

    INVARIANT: the end of a step, its OUTCOME, its event and the request's next state are one transaction.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        plan: PlanStep,
        zendesk: ZendeskSteps,
        participant: ParticipantSteps,
        issue: IssueCertificate,
        clock: Clock,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._steps: Mapping[str, Step] = {
            PLAN: plan,
            "zendesk/tickets": zendesk.tickets,
            "zendesk/tickets-permanent": zendesk.tickets_permanent,
            "zendesk/user": zendesk.user,
            "zendesk/user-permanent": zendesk.user_permanent,
            **{f"erase/{name}": participant.erase for name in PARTICIPANTS},
            "verify/zendesk": zendesk.verify,
            **{f"verify/{name}": participant.verify for name in PARTICIPANTS},
            CERTIFICATE: issue,
        }

    async def __call__(self, account: AccountId, request: str, step: StepRow) -> float | None:
        """Run a step that this caller took.

        Returns:
            Seconds until the step wants to be run again; None when it ended, or somebody else has it.
        """
        try:
            async with self._heartbeat(account, step):
                work = await self._work(account, request, step)
                return await self._finish(account, work, await self._steps[step.id](work))
        except LeaseLostError:
            return None
        except LegalHoldError as error:
            return await self._held(account, request, step, error.metadata["hold"])
        except ParticipantMissingError as error:
            return await self._failed(
                account, request, step, str(error), error.retry_after_seconds, missing=error.name
            )
        except StepRefusedError as error:
            return await self._failed(account, request, step, str(error), limit=MAXIMUM_REFUSALS)
        except Exception as error:
            get_logger().exception("step failed", account=account, request=request, step=step.id)
            return await self._failed(account, request, step, type(error).__name__, limit=MAXIMUM_REFUSALS)

    async def _work(self, account: AccountId, request: str, step: StepRow) -> Work:
        async with self._store.transaction(account) as tx:
            row = await tx.request(request)
        if row is None:
            raise LeaseLostError
        if row.identities is None or step.id == CERTIFICATE:  # its key may be gone already
            return Work(account, row, step, ())
        return Work(account, row, step, await self._vault.open(account, request, row.identities))

    @asynccontextmanager
    async def _heartbeat(self, account: AccountId, step: StepRow) -> AsyncIterator[None]:
        """Keep the lease while the step runs: a long step is not a dead one."""

        async def beat() -> None:
            ours = True
            while ours:
                await asyncio.sleep(LEASE_SECONDS / 3)
                async with self._store.transaction(account) as tx:
                    ours = await tx.renew_step(step, LEASE_SECONDS)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            # A heart that stopped is no fault of the step's: the run number protects what it writes.
            await asyncio.gather(task, return_exceptions=True)

    async def _finish(self, account: AccountId, work: Work, done: Done) -> float | None:
        now = self._clock.now()
        step = replace(
            work.step,
            state=done.state,
            counts=done.counts,
            data=done.data,
            last_error=done.why,
            updated_at=now,
            attempts=0 if done.state is NodeState.WAITING else work.step.attempts,
        )
        async with self._store.transaction(account) as tx:
            row = await tx.request(work.request.id, for_update=True)
            if row is None or not await tx.finish_step(step, wait_seconds=done.wait_seconds or 0.0):
                raise LeaseLostError
            if done.destroyed:
                await tx.outcome(step, row.commitment, now)
            if done.state in FINISHED:
                await tx.event(EventType.STEP_DONE, row.id, {"step": step.id, "run": str(step.run)}, now)
            if done.write is not None:
                await done.write(tx, row)
            elif done.state in FINISHED:
                await self._next_phase(tx, work.request.id)
            after = await tx.request(row.id)
        if after is not None and after.state in ENDED and after.identities is None:
            await self._vault.drop(account, after.id)
        return done.wait_seconds

    async def _next_phase(self, tx: Transaction, request: str) -> None:
        row = await tx.request(request)
        step = next((s for s in await tx.steps(request) if s.state not in FINISHED), None)
        if row is not None and step is not None and phase(step.id) is not row.state:
            state = moved(row.state, phase(step.id))
            await tx.put_request(replace(row, state=state, updated_at=self._clock.now()))

    async def _held(self, account: AccountId, request: str, step: StepRow, hold: str) -> float | None:
        """Wait for the end of a legal hold; that is no failure."""
        now = self._clock.now()
        async with self._store.transaction(account) as tx:
            await tx.request(request, for_update=True)
            waits = replace(step, state=NodeState.WAITING, last_error="LEGAL_HOLD", updated_at=now)
            if not await _end(tx, waits, HOLD_SECONDS):
                return None
            if step.last_error != waits.last_error:
                await tx.event(EventType.HELD, request, {"step": step.id, "hold": hold}, now)
        return HOLD_SECONDS

    async def _failed(
        self,
        account: AccountId,
        request: str,
        step: StepRow,
        why: str,
        at_least_seconds: float = 0.0,
        *,
        missing: str = "",
        limit: int = MAXIMUM_ATTEMPTS,
    ) -> float | None:
        """Count a failure: wait and try again, or give the step up and let the request be stuck."""
        now, attempts = self._clock.now(), step.attempts + 1
        dead = attempts >= limit
        state = NodeState.DEAD_LETTER if dead else NodeState.WAITING
        tried = replace(step, state=state, attempts=attempts, last_error=why, updated_at=now)
        seconds = 0.0 if dead else max(at_least_seconds, wait_seconds(step.attempts))
        get_logger().info(
            "step not done", account=account, request=request, step=step.id, attempts=attempts, why=why
        )
        async with self._store.transaction(account) as tx:
            row = await tx.request(request, for_update=True)
            if row is None or not await _end(tx, tried, seconds, missing):
                return None
            if dead and row.state not in ENDED:
                await tx.put_request(replace(row, state=moved(row.state, State.STUCK), updated_at=now))
                await tx.event(EventType.STUCK, request, {"step": step.id, "why": _code(why)}, now)
        return None if dead else seconds


async def _end(tx: Transaction, step: StepRow, seconds: float, missing: str = "") -> bool:
    """End a run that failed, and keep what it wrote before its destructive calls: no later run finds it again."""
    kept = next(dict(s.data) for s in await tx.steps(step.request) if s.id == step.id)
    kept.pop("missing", None)
    if missing:
        kept["missing"] = missing
    return await tx.finish_step(replace(step, data=kept), wait_seconds=seconds)


def _code(why: str) -> str:
    """Return the code before the details."""
    return why.partition(":")[0]
