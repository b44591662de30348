"""Offers, tickets given back, and the stream of assignments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from libs.kernel.errors import PermissionDeniedError
from libs.kernel.ids import account_name, account_of
from services.assignment.rpc.authority import require_admin, require_staff
from services.assignment.rpc.mapping import decision_message, ticket_message
from services.assignment.rpc.plans import made_messages
from services.assignment.rpc.upstream import upstream
from services.assignment.rpc.use_cases import Methods, for_real, last
from setlist.assignment.v1 import assignment_service_pb2 as messages


class OfferMethods(Methods):
    """Translates, calls, translates."""

    async def AnswerOffer(
        self, request: messages.AnswerOfferRequest, context: Any
    ) -> messages.AnswerOfferResponse:
        user, account = require_staff().user, account_of(request.name)
        if request.validate_only:
            async with self._rehearsing(account) as (rehearsal, rpc):
                answer = await rpc.AnswerOffer(for_real(request), None)
                answer.decisions.extend(await made_messages(account_name(account), rehearsal))
            return answer
        row = await self._use.answer(account, last(request.name), user, accept=request.accept)
        return messages.AnswerOfferResponse(ticket=ticket_message(account_name(account), row))

    async def SkipTicket(
        self, request: messages.SkipTicketRequest, context: Any
    ) -> messages.SkipTicketResponse:
        user = require_staff().user
        if user is None:
            raise PermissionDeniedError("only an agent may skip a ticket, for himself")
        account = account_of(request.name)
        if request.validate_only:
            async with self._rehearsing(account) as (rehearsal, rpc):
                skipped = await rpc.SkipTicket(for_real(request), None)
                skipped.decisions.extend(await made_messages(account_name(account), rehearsal))
            return skipped
        async with upstream():
            await self._use.skip(account, int(last(request.name)), user, request.reason)
        return messages.SkipTicketResponse()

    async def ReleaseAgentTickets(
        self, request: messages.ReleaseAgentTicketsRequest, context: Any
    ) -> messages.ReleaseAgentTicketsResponse:
        agent = int(last(request.name))
        if require_staff().user != agent:
            require_admin()
        released = await self._use.release(
            account_of(request.name), agent, validate_only=request.validate_only
        )
        return messages.ReleaseAgentTicketsResponse(released=released)

    async def WatchAssignments(
        self, request: messages.WatchAssignmentsRequest, context: Any
    ) -> AsyncIterator[messages.WatchAssignmentsResponse]:
        require_staff()
        async for seen in self._use.watch(account_of(request.parent), request.after_sequence):
            decision = decision_message(request.parent, seen.row) if seen.row else None
            yield messages.WatchAssignmentsResponse(decision=decision, sequence=seen.sequence)
