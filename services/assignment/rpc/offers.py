"""Offers, and tickets given back."""

from __future__ import annotations

from typing import Any

from libs.kernel.errors import NotBuiltError
from libs.rpc.unbuilt import UnbuiltStream
from services.assignment.rpc.use_cases import Methods
from setlist.assignment.v1 import assignment_service_pb2 as messages


class OfferMethods(Methods):
    """Translates, calls, translates."""

    async def AnswerOffer(
        self, request: messages.AnswerOfferRequest, context: Any
    ) -> messages.AnswerOfferResponse:
        raise NotBuiltError("offers are not built yet: queues assign directly")

    async def SkipTicket(
        self, request: messages.SkipTicketRequest, context: Any
    ) -> messages.SkipTicketResponse:
        raise NotBuiltError("skips are not built yet")

    async def ReleaseAgentTickets(
        self, request: messages.ReleaseAgentTicketsRequest, context: Any
    ) -> messages.ReleaseAgentTicketsResponse:
        raise NotBuiltError("giving back an agent's tickets is not built yet")

    def WatchAssignments(self, request: messages.WatchAssignmentsRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("the stream of assignments is not built yet: list decisions instead")
