"""What the edge and the clock start, and what an agent pulls."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import PermissionDeniedError
from libs.kernel.ids import account_of
from services.assignment.rpc.authority import require_staff
from services.assignment.rpc.mapping import (
    decision_message,
    ticket_message,
)
from services.assignment.rpc.plans import run_message, unkept
from services.assignment.rpc.upstream import upstream
from services.assignment.rpc.use_cases import Methods, for_real
from setlist.assignment.v1 import assignment_service_pb2 as messages


class JobMethods(Methods):
    """Translates, calls, translates."""

    async def SyncAccount(
        self, request: messages.SyncAccountRequest, context: Any
    ) -> messages.SyncAccountResponse:
        async with upstream():
            done = await self._use.sync(account_of(request.parent), request.webhook_url)
        return messages.SyncAccountResponse(
            agents=done.agents,
            groups=done.groups,
            memberships=done.memberships,
            views=done.views,
            webhook_created=done.webhook_created,
        )

    async def IngestWebhook(
        self, request: messages.IngestWebhookRequest, context: Any
    ) -> messages.IngestWebhookResponse:
        duplicate, decision = await self._use.ingest(
            account_of(request.parent),
            request.body,
            request.signature,
            request.timestamp,
            request.invocation_id,
        )
        name = f"{request.parent}/decisions/{decision}" if decision else ""
        return messages.IngestWebhookResponse(duplicate=duplicate, decision=name)

    async def RunMinuteJob(
        self, request: messages.RunMinuteJobRequest, context: Any
    ) -> messages.RunMinuteJobResponse:
        if request.validate_only:
            async with self._use.rehearse(account_of(request.parent)) as rehearsal:
                planned = await rehearsal.run(account_of(request.parent))
            return run_message(request.parent, planned)
        async with upstream():
            done = await self._use.minute_job(
                account_of(request.parent), catch_up=request.catch_up, wait_for_writes=request.wait_for_writes
            )
        return messages.RunMinuteJobResponse(
            considered=done.considered,
            assigned=len(done.assignments),
            waiting=done.waiting,
            written=done.written,
            assignments=[
                messages.Assignment(ticket_id=t, agent_id=a, decision=f"{request.parent}/decisions/{d}")
                for t, a, d in done.assignments
            ],
        )

    async def AssignNext(
        self, request: messages.AssignNextRequest, context: Any
    ) -> messages.AssignNextResponse:
        user = require_staff().user
        if user is None:
            raise PermissionDeniedError("only an agent may pull a ticket for himself")
        if request.validate_only:
            async with self._rehearsing(account_of(request.parent)) as (rehearsal, rpc):
                answer = await rpc.AssignNext(for_real(request), None)
                made = {f"{request.parent}/decisions/{row.id}" for row in await rehearsal.made()}
            if answer.decision.name in made:  # else it is the answer to an earlier call with this request id
                unkept(answer.decision)
            return answer
        async with upstream():
            ticket, decision = await self._use.next(account_of(request.parent), user, request.request_id)
        return messages.AssignNextResponse(
            ticket=ticket_message(request.parent, ticket) if ticket else None,
            decision=decision_message(request.parent, decision) if decision else None,
        )
