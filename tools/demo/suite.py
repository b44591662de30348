"""The suite as an operator calls it: gRPC with the `ops` certificate, in its own name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from libs.clients.context_tokens import Metadata
from libs.kernel.ids import AccountId, account_name
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages
from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceStub
from tools.demo.failures import DemoError, asking
from tools.demo.house import House

if TYPE_CHECKING:
    from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceAsyncStub

ASSIGNMENT = messages.DESCRIPTOR.services_by_name["AssignmentService"]
CALL_SECONDS = 60.0
SETTLE_SECONDS = 60.0
PAGE = 1000
ALL_GROUPS = 0
"""Source of a queue that holds every group's tickets."""


class Suite:
    """The calls of a run.

    Args:
        house: the running suite.
        account: the account that is played.
    """

    def __init__(self, house: House, account: AccountId) -> None:
        self._house = house
        self.account = account
        self.parent = account_name(account)

    async def _assignment(self) -> tuple[AssignmentServiceAsyncStub, Metadata]:
        with asking("auth"):
            metadata = await self._house.tokens.job(self.account, "assignment")
        return AssignmentServiceStub(self._house.channels.to("assignment", [ASSIGNMENT])), metadata

    async def limit_inboxes(self, limit: int) -> None:
        """Set the account's inbox limit."""
        stub, metadata = await self._assignment()
        request = messages.UpdateAccountSettingsRequest(
            parent=self.parent, settings=resources.AccountSettings(inbox_limit=limit)
        )
        request.update_mask.paths.append("inbox_limit")
        with asking("assignment"):
            await stub.UpdateAccountSettings(request, metadata=metadata, timeout=CALL_SECONDS)

    async def give_to_who_asks(self, group: int, *, alone: bool) -> None:
        """Let the queue that holds a group's tickets give them to agents who ask alone, or push them again.

        Raises:
            DemoError: no queue holds them.
        """
        stub, metadata = await self._assignment()
        with asking("assignment"):
            listed = await stub.ListQueues(
                messages.ListQueuesRequest(parent=self.parent), metadata=metadata, timeout=CALL_SECONDS
            )
            held = [
                q for q in listed.queues if q.kind == q.KIND_TRIGGER and q.source_id in (ALL_GROUPS, group)
            ]
            if not held:
                raise DemoError(f"no queue holds the tickets of group {group}")
            request = messages.UpdateQueueRequest(queue=resources.Queue(name=held[0].name, pull_only=alone))
            request.update_mask.paths.append("pull_only")
            await stub.UpdateQueue(request, metadata=metadata, timeout=CALL_SECONDS)

    async def sync(self) -> messages.SyncAccountResponse:
        """Copy agents, groups and memberships again."""
        stub, metadata = await self._assignment()
        with asking("assignment"):
            return await stub.SyncAccount(
                messages.SyncAccountRequest(parent=self.parent), metadata=metadata, timeout=CALL_SECONDS
            )

    async def minute_job(self) -> messages.RunMinuteJobResponse:
        """Run the minute job and wait until nothing is on its way to Zendesk any more.

        Raises:
            DemoError: writes are stuck.
        """
        stub, metadata = await self._assignment()
        with asking("assignment"):
            done = await stub.RunMinuteJob(
                messages.RunMinuteJobRequest(parent=self.parent, catch_up=True, wait_for_writes=True),
                metadata=metadata,
                timeout=CALL_SECONDS,
            )
        await self._settle()
        return done

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_SECONDS
        while (await self.summary()).pending_writes:
            if loop.time() > end:
                raise DemoError(
                    f"writes to Zendesk are stuck since {SETTLE_SECONDS:.0f} s: see assignment.log"
                )
            await asyncio.sleep(0.005)

    async def summary(self) -> resources.Summary:
        """Return assignment's own figures."""
        stub, metadata = await self._assignment()
        with asking("assignment"):
            answer = await stub.GetSummary(
                messages.GetSummaryRequest(parent=self.parent), metadata=metadata, timeout=CALL_SECONDS
            )
        return answer.summary

    async def decisions(self) -> AsyncIterator[resources.Decision]:
        """Yield every stored decision, oldest first."""
        token = ""
        while True:
            stub, metadata = await self._assignment()
            with asking("assignment"):
                page = await stub.ListDecisions(
                    messages.ListDecisionsRequest(parent=self.parent, page_size=PAGE, page_token=token),
                    metadata=metadata,
                    timeout=CALL_SECONDS,
                )
            for decision in page.decisions:
                yield decision
            token = page.next_page_token
            if not token:
                return

    async def explain(self, name: str) -> messages.ExplainDecisionResponse:
        """Return a decision with everybody who was considered."""
        stub, metadata = await self._assignment()
        with asking("assignment"):
            return await stub.ExplainDecision(
                messages.ExplainDecisionRequest(name=name, page_size=PAGE),
                metadata=metadata,
                timeout=CALL_SECONDS,
            )

    async def waiting(self) -> AsyncIterator[int]:
        """Yield the tickets that wait."""
        token = ""
        while True:
            stub, metadata = await self._assignment()
            with asking("assignment"):
                page = await stub.ListTickets(
                    messages.ListTicketsRequest(
                        parent=self.parent,
                        page_size=PAGE,
                        page_token=token,
                        routing=resources.Ticket.ROUTING_WAITING,
                    ),
                    metadata=metadata,
                    timeout=CALL_SECONDS,
                )
            for ticket in page.tickets:
                yield ticket.ticket_id
            token = page.next_page_token
            if not token:
                return

    async def why_waiting(self, ticket: int) -> messages.WhyWaitingResponse:
        """Return what would be decided for a waiting ticket now."""
        stub, metadata = await self._assignment()
        with asking("assignment"):
            return await stub.WhyWaiting(
                messages.WhyWaitingRequest(name=f"{self.parent}/tickets/{ticket}"),
                metadata=metadata,
                timeout=CALL_SECONDS,
            )

    async def chain(self) -> messages.VerifyDecisionChainResponse:
        """Have the evidence chain checked."""
        stub, metadata = await self._assignment()
        with asking("assignment"):
            return await stub.VerifyDecisionChain(
                messages.VerifyDecisionChainRequest(parent=self.parent),
                metadata=metadata,
                timeout=CALL_SECONDS,
            )
