"""What changes of the rules would change."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId, account_of
from libs.rpc.tenant import resource_names
from services.assignment.app.simulate_change import Fate, Run, simulate_change
from services.assignment.rpc.authority import require_admin
from services.assignment.rpc.mapping import OUTCOMES, timestamp
from services.assignment.rpc.plans import NO_QUEUE
from services.assignment.rpc.use_cases import Methods, for_real
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

MOST_DIFFERENCES = 1000
_METHODS = {
    "create_queue": "CreateQueue",
    "update_queue": "UpdateQueue",
    "delete_queue": "DeleteQueue",
    "pause_queue": "PauseQueue",
    "resume_queue": "ResumeQueue",
    "update_account_settings": "UpdateAccountSettings",
    "update_agent_limits": "UpdateAgentLimits",
    "update_agent_skills": "UpdateAgentSkills",
    "update_skill": "UpdateSkill",
    "set_statuses": "SetStatuses",
}
"""The RPC that makes each change: in a simulation it is called as it is, on a transaction that is rolled back."""


class SimulationMethods(Methods):
    """Translates, calls, translates."""

    async def SimulateChange(
        self, request: messages.SimulateChangeRequest, context: Any
    ) -> messages.SimulateChangeResponse:
        require_admin()
        account = account_of(request.parent)
        _require_one_account(request, account)
        async with self._rehearsing(account) as (rehearsal, rpc):

            async def change() -> None:
                for proposed in request.changes:
                    kind = proposed.WhichOneof("change") or ""
                    await getattr(rpc, _METHODS[kind])(for_real(getattr(proposed, kind)), None)

            found = await simulate_change(rehearsal, account, change)
        return messages.SimulateChangeResponse(
            before=_run(found.before),
            after=_run(found.after),
            differences=[_difference(*one) for one in found.differences[:MOST_DIFFERENCES]],
            difference_count=len(found.differences),
            examples=found.examples,
            left_out=found.left_out,
            as_of=timestamp(found.as_of),
            rule_version=found.rule_version,
        )


def _require_one_account(request: messages.SimulateChangeRequest, account: AccountId) -> None:
    for place, proposed in enumerate(request.changes):
        for name in resource_names(proposed):
            if not name.startswith(f"accounts/{account}/") and name != f"accounts/{account}":
                fault = FieldViolation(f"changes[{place}]", f"`{name}` is not of the account of `parent`")
                raise InvalidRequestError("a simulation concerns one account", violations=[fault])


def _run(run: Run) -> messages.SimulatedRun:
    waiting = {outcome.value: number for outcome, number in run.waiting.items()}
    if run.nowhere:
        waiting[NO_QUEUE] = run.nowhere
    return messages.SimulatedRun(
        considered=len(run.fates), given=run.given, per_agent=run.per_agent, waiting_by_outcome=waiting
    )


def _difference(ticket: int, was: Fate, then: Fate) -> messages.SimulatedDifference:
    return messages.SimulatedDifference(
        ticket_id=ticket,
        outcome_before=_outcome(was),
        agent_before=was.agent or 0,
        queue_before=was.queue,
        outcome=_outcome(then),
        agent_id=then.agent or 0,
        queue_id=then.queue,
    )


def _outcome(fate: Fate) -> resources.Decision.Outcome.ValueType:
    return OUTCOMES[fate.outcome.value] if fate.outcome else resources.Decision.OUTCOME_UNSPECIFIED
