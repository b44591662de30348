"""AssignmentService over gRPC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from libs.kernel.clock import Clock
from libs.kernel.errors import NotBuiltError, NotFoundError, PermissionDeniedError
from libs.kernel.ids import IdSource, account_name, account_of
from libs.rpc.identity import current_caller
from libs.rpc.pages import PageTokens, page_size, query_of
from libs.rpc.unbuilt import UnbuiltStream
from libs.telemetry.logs import get_logger
from services.assignment.app.assign_next import AssignNext
from services.assignment.app.explain import Explain
from services.assignment.app.ingest_webhook import IngestWebhook
from services.assignment.app.manage_queues import ManageQueues
from services.assignment.app.ports import Store
from services.assignment.app.rows import Account, DecisionRow, QueueRow
from services.assignment.app.run_minute_job import RunMinuteJob
from services.assignment.app.sync_account import SyncAccount
from services.assignment.app.update_agent_settings import UpdateAgentSettings
from services.assignment.rpc.authority import require_admin, require_staff
from services.assignment.rpc.mapping import (
    KIND_NAMES,
    MODEL_NAMES,
    ROUTING_NAMES,
    agent_message,
    decision_message,
    queue_message,
    settings_message,
    summary_message,
    ticket_message,
)
from services.assignment.rpc.upstream import upstream
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages
from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceServicer


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything the servicer calls."""

    sync: SyncAccount
    ingest: IngestWebhook
    minute_job: RunMinuteJob
    next: AssignNext
    settings: UpdateAgentSettings
    queues: ManageQueues
    explain: Explain
    store: Store
    pages: PageTokens
    clock: Clock
    ids: IdSource


def _last(name: str) -> str:
    return name.rpartition("/")[2]


class AssignmentServicer(AssignmentServiceServicer):
    """Translates, calls, translates."""

    def __init__(self, use: UseCases) -> None:
        self._use = use

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
        async with upstream():
            ticket, decision = await self._use.next(account_of(request.parent), user, request.request_id)
        return messages.AssignNextResponse(
            ticket=ticket_message(request.parent, ticket) if ticket else None,
            decision=decision_message(request.parent, decision) if decision else None,
        )

    async def UpdateAgentSettings(
        self, request: messages.UpdateAgentSettingsRequest, context: Any
    ) -> messages.UpdateAgentSettingsResponse:
        account, given = account_of(request.name), request.settings
        paths = list(request.update_mask.paths) or [f.name for f, _ in given.ListFields()]
        known = set(given.DESCRIPTOR.fields_by_name)
        values = {path: getattr(given, path, None) if path in known else None for path in paths}
        async with upstream():
            row, reason = await self._use.settings(
                account,
                current_caller(),
                int(_last(request.name)),
                values,
                validate_only=request.validate_only,
            )
        return messages.UpdateAgentSettingsResponse(
            agent=agent_message(account_name(account), row), policy_decision=reason
        )

    async def UpdateAgentLimits(
        self, request: messages.UpdateAgentLimitsRequest, context: Any
    ) -> messages.UpdateAgentLimitsResponse:
        require_admin()
        account, user = account_of(request.name), int(_last(request.name))
        async with self._use.store.transaction(account) as tx:
            row = await tx.directory.put_limits(
                user,
                request.inbox_limit if request.HasField("inbox_limit") else None,
                request.daily_limit if request.HasField("daily_limit") else None,
            )
        if row is None:
            raise NotFoundError("no such agent", metadata={"name": request.name})
        return messages.UpdateAgentLimitsResponse(agent=agent_message(account_name(account), row))

    async def SetStatuses(
        self, request: messages.SetStatusesRequest, context: Any
    ) -> messages.SetStatusesResponse:
        caller = require_staff()
        others = [s.user_id for s in request.statuses if s.user_id != caller.user]
        if caller.user is not None and others and not caller.is_admin:
            raise PermissionDeniedError("only admins may change others' statuses")
        statuses = {s.user_id: s.status for s in request.statuses}
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            changed = await tx.directory.set_statuses(statuses, self._use.clock.now())
        return messages.SetStatusesResponse(changed=changed)

    async def ListAgents(
        self, request: messages.ListAgentsRequest, context: Any
    ) -> messages.ListAgentsResponse:
        require_staff()
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.directory.agents(after=after, limit=size + 1, inactive=request.show_inactive)
        shown, token = self._cut(rows, size, query, lambda r: r.user_id)
        return messages.ListAgentsResponse(
            agents=[agent_message(request.parent, r) for r in shown], next_page_token=token
        )

    async def GetAgent(self, request: messages.GetAgentRequest, context: Any) -> messages.GetAgentResponse:
        require_staff()
        account = account_of(request.name)
        async with self._use.store.transaction(account) as tx:
            row = await tx.directory.agent(int(_last(request.name)))
        if row is None:
            raise NotFoundError("no such agent", metadata={"name": request.name})
        return messages.GetAgentResponse(agent=agent_message(account_name(account), row))

    async def ListTickets(
        self, request: messages.ListTicketsRequest, context: Any
    ) -> messages.ListTicketsResponse:
        require_staff()
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.tickets.page(after, size + 1, ROUTING_NAMES.get(request.routing))
        shown, token = self._cut(rows, size, query, lambda r: r.facts.id)
        return messages.ListTicketsResponse(
            tickets=[ticket_message(request.parent, r) for r in shown], next_page_token=token
        )

    async def GetDecision(
        self, request: messages.GetDecisionRequest, context: Any
    ) -> messages.GetDecisionResponse:
        parent, row = await self._decision(request.name)
        return messages.GetDecisionResponse(decision=decision_message(parent, row))

    async def ListDecisions(
        self, request: messages.ListDecisionsRequest, context: Any
    ) -> messages.ListDecisionsResponse:
        require_staff()
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = await tx.decisions.page(after, size + 1, request.ticket_id or None)
        shown, token = self._cut(rows, size, query, lambda r: r.sequence)
        return messages.ListDecisionsResponse(
            decisions=[decision_message(request.parent, r) for r in shown], next_page_token=token
        )

    async def ExplainDecision(
        self, request: messages.ExplainDecisionRequest, context: Any
    ) -> messages.ExplainDecisionResponse:
        require_staff()
        parent = account_name(account_of(request.name))
        found = await self._use.explain.decision(account_of(request.name), _last(request.name))
        if found.recomputes is False:
            get_logger().warning("a decision does not recompute", decision=found.row.id)
        row, codes = found.row, found.codes
        size, after, query = self._page(request)
        rows = [(agent, codes[agent]) for agent in sorted(codes) if agent > after]
        shown, token = self._cut(rows[: size + 1], size, query, lambda r: r[0])
        return messages.ExplainDecisionResponse(
            decision=decision_message(parent, row),
            candidates=[resources.Candidate(agent_id=agent, code=code) for agent, code in shown],
            next_page_token=token,
        )

    async def WhyWaiting(
        self, request: messages.WhyWaitingRequest, context: Any
    ) -> messages.WhyWaitingResponse:
        require_staff()
        account = account_of(request.name)
        why = await self._use.explain.why_waiting(account, int(_last(request.name)))
        rejected: dict[str, list[int]] = {}
        for agent, code in sorted(why.decision.codes.items()):
            rejected.setdefault(code.value, []).append(agent)
        row = DecisionRow(
            id="now",
            sequence=0,
            ticket=why.decision.ticket,
            outcome=why.decision.outcome.value,
            agent_id=why.decision.agent,
            group_id=why.decision.group,
            queue=why.queue,
            mechanism="queue",
            model=why.model,
            command="",
            as_of=self._use.clock.now(),
            rejected=rejected,
            candidates=len(why.decision.codes),
            rule_version=0,
            rank=why.decision.rank,
            write="none",
            hash=b"",
        )
        return messages.WhyWaitingResponse(
            decision=decision_message(account_name(account), row), free_eligible_agent=why.free_eligible_agent
        )

    async def GetSummary(
        self, request: messages.GetSummaryRequest, context: Any
    ) -> messages.GetSummaryResponse:
        require_staff()
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            row = await tx.decisions.summary()
        return messages.GetSummaryResponse(summary=summary_message(row))

    async def VerifyDecisionChain(
        self, request: messages.VerifyDecisionChainRequest, context: Any
    ) -> messages.VerifyDecisionChainResponse:
        require_staff()
        intact, length, fault = await self._use.explain.verify_chain(account_of(request.parent))
        return messages.VerifyDecisionChainResponse(intact=intact, length=length, first_fault=fault)

    async def CreateQueue(
        self, request: messages.CreateQueueRequest, context: Any
    ) -> messages.CreateQueueResponse:
        require_admin()
        now, given = self._use.clock.now(), request.queue
        queue_id = f"que-{request.request_id}" if request.request_id else self._use.ids.new("que")
        row = _queue_of(
            given, QueueRow(queue_id, "", "scheduled", 0, "round_robin", 0, now, now), _QUEUE_FIELDS
        )
        body = messages.CreateQueueRequest(parent=request.parent, queue=given)
        made = await self._use.queues.create(
            account_of(request.parent),
            row,
            request.request_id,
            body.SerializeToString(deterministic=True),
            validate_only=request.validate_only,
        )
        return messages.CreateQueueResponse(queue=queue_message(request.parent, made))

    async def GetQueue(self, request: messages.GetQueueRequest, context: Any) -> messages.GetQueueResponse:
        require_staff()
        account = account_of(request.name)
        async with self._use.store.transaction(account) as tx:
            row = await tx.directory.queue(_last(request.name))
        if row is None:
            raise NotFoundError("no such queue", metadata={"name": request.name})
        return messages.GetQueueResponse(queue=queue_message(account_name(account), row))

    async def ListQueues(
        self, request: messages.ListQueuesRequest, context: Any
    ) -> messages.ListQueuesResponse:
        require_staff()
        size, after, query = self._page(request)
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            rows = (await tx.directory.queues())[after : after + size + 1]
        token = self._use.pages.encode({"after": after + size}, query) if len(rows) > size else ""
        return messages.ListQueuesResponse(
            queues=[queue_message(request.parent, r) for r in rows[:size]], next_page_token=token
        )

    async def UpdateQueue(
        self, request: messages.UpdateQueueRequest, context: Any
    ) -> messages.UpdateQueueResponse:
        require_admin()
        given = request.queue
        paths = list(request.update_mask.paths) or [f.name for f, _ in given.ListFields()]
        account = account_of(given.name)
        changed = await self._use.queues.change(
            account,
            _last(given.name),
            given.etag,
            lambda row: _queue_of(given, row, paths),
            validate_only=request.validate_only,
        )
        return messages.UpdateQueueResponse(queue=queue_message(account_name(account), changed))

    async def DeleteQueue(
        self, request: messages.DeleteQueueRequest, context: Any
    ) -> messages.DeleteQueueResponse:
        require_admin()
        await self._use.queues.delete(
            account_of(request.name), _last(request.name), request.etag, validate_only=request.validate_only
        )
        return messages.DeleteQueueResponse()

    async def PauseQueue(
        self, request: messages.PauseQueueRequest, context: Any
    ) -> messages.PauseQueueResponse:
        return messages.PauseQueueResponse(queue=await self._set_state(request.name, "paused"))

    async def ResumeQueue(
        self, request: messages.ResumeQueueRequest, context: Any
    ) -> messages.ResumeQueueResponse:
        return messages.ResumeQueueResponse(queue=await self._set_state(request.name, "active"))

    async def _set_state(self, name: str, state: str) -> resources.Queue:
        require_admin()
        account = account_of(name)
        changed = await self._use.queues.change(
            account, _last(name), "", lambda row: replace(row, state=state), validate_only=False
        )
        return queue_message(account_name(account), changed)

    async def GetAccountSettings(
        self, request: messages.GetAccountSettingsRequest, context: Any
    ) -> messages.GetAccountSettingsResponse:
        require_staff()
        row = await self._use.queues.settings(account_of(request.parent))
        return messages.GetAccountSettingsResponse(settings=settings_message(request.parent, row))

    async def UpdateAccountSettings(
        self, request: messages.UpdateAccountSettingsRequest, context: Any
    ) -> messages.UpdateAccountSettingsResponse:
        require_admin()
        given = request.settings
        paths = list(request.update_mask.paths) or [f.name for f, _ in given.ListFields()]

        def change(row: Account) -> Account:
            if "inbox_limit" in paths:
                row = replace(row, inbox_limit=given.inbox_limit if given.HasField("inbox_limit") else None)
            if "daily_limit" in paths:
                row = replace(row, daily_limit=given.daily_limit if given.HasField("daily_limit") else None)
            if "default_status" in paths:
                row = replace(row, default_status=given.default_status or "away")
            return row

        row = await self._use.queues.change_settings(
            account_of(request.parent), given.etag, change, validate_only=request.validate_only
        )
        return messages.UpdateAccountSettingsResponse(settings=settings_message(request.parent, row))

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

    def ReplayDay(self, request: messages.ReplayDayRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("replay of recorded days is not built yet")

    def WatchAssignments(self, request: messages.WatchAssignmentsRequest, context: Any) -> UnbuiltStream:
        return UnbuiltStream("the stream of assignments is not built yet: list decisions instead")

    async def _decision(self, name: str) -> tuple[str, DecisionRow]:
        require_staff()
        account = account_of(name)
        async with self._use.store.transaction(account) as tx:
            row = await tx.decisions.one(_last(name))
        if row is None:
            raise NotFoundError("no such decision", metadata={"name": name})
        return account_name(account), row

    def _page(self, request: Any) -> tuple[int, int, bytes]:
        query = query_of(request)
        after = int(self._use.pages.decode(request.page_token, query).get("after", 0))
        return page_size(request.page_size), after, query

    def _cut(
        self, rows: list[Any], size: int, query: bytes, key: Callable[[Any], int]
    ) -> tuple[list[Any], str]:
        if len(rows) <= size:
            return rows, ""
        return rows[:size], self._use.pages.encode({"after": key(rows[size - 1])}, query)


_QUEUE_FIELDS = (
    "display_name",
    "kind",
    "source_id",
    "model",
    "position",
    "use_sla",
    "batch_size",
    "daily_limit",
    "agent_ids",
    "scan_limit",
)


def _queue_of(given: resources.Queue, row: QueueRow, paths: Any) -> QueueRow:
    """Return a queue with the named fields of a message; fields that only the server writes are ignored."""
    values: dict[str, Any] = {}
    for path in paths:
        if path == "display_name":
            values["title"] = given.display_name
        elif path == "kind":
            values["kind"] = KIND_NAMES.get(given.kind, "scheduled")
        elif path == "source_id":
            values["source"] = given.source_id
        elif path == "model":
            values["model"] = _model(given.model)
        elif path == "agent_ids":
            values["agents"] = tuple(given.agent_ids)
        elif path in ("batch_size", "daily_limit", "scan_limit"):
            values[path] = getattr(given, path) if given.HasField(path) else None
        elif path in ("position", "use_sla"):
            values[path] = getattr(given, path)
    return replace(row, **values)


def _model(model: resources.RoutingModel.ValueType) -> str:
    if model == resources.ROUTING_MODEL_UNSPECIFIED:
        return "round_robin"
    if model not in MODEL_NAMES:
        raise NotBuiltError(
            "this routing model is not built yet: use round robin, least active or longest idle"
        )
    return MODEL_NAMES[model]
