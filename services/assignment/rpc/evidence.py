"""Tickets, decisions and why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from libs.kernel.errors import NotFoundError
from libs.kernel.ids import account_name, account_of
from libs.telemetry.logs import get_logger
from services.assignment.app.explain import Explained
from services.assignment.app.rows import DecisionRow
from services.assignment.rpc.authority import require_staff
from services.assignment.rpc.mapping import (
    ROUTING_NAMES,
    decision_message,
    score_message,
    summary_message,
    ticket_message,
)
from services.assignment.rpc.use_cases import Methods, last
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages


def _candidate(found: Explained, details: Mapping[int, Mapping[str, str]], agent: int) -> resources.Candidate:
    score = found.score(agent)
    return resources.Candidate(
        agent_id=agent,
        code=found.codes.get(agent, ""),
        detail=details.get(agent, {}),
        score=None if score is None else score_message(score),
    )


class EvidenceMethods(Methods):
    """Translates, calls, translates."""

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
        found = await self._use.explain.decision(account_of(request.name), last(request.name))
        if found.recomputes is False:
            get_logger().warning("a decision does not recompute", decision=found.row.id)
        row, codes = found.row, found.codes
        size, after, query = self._page(request)
        rows = [(agent, codes[agent]) for agent in sorted(codes) if agent > after]
        shown, token = self._cut(rows[: size + 1], size, query, lambda r: r[0])
        winner, runner_up = row.agent_id, found.again.runner_up if found.again is not None else None
        named = [agent for agent in (winner, runner_up) if agent is not None]
        details = found.details({*named, *(agent for agent, _ in shown)})
        candidate = partial(_candidate, found, details)
        return messages.ExplainDecisionResponse(
            decision=decision_message(parent, row),
            candidates=[candidate(agent) for agent, _ in shown],
            next_page_token=token,
            sentences=found.sentences,
            winner=candidate(winner) if winner is not None else None,
            runner_up=candidate(runner_up) if runner_up is not None else None,
            recomputes=found.recomputes,
        )

    async def WhyWaiting(
        self, request: messages.WhyWaitingRequest, context: Any
    ) -> messages.WhyWaitingResponse:
        require_staff()
        account = account_of(request.name)
        why = await self._use.explain.why_waiting(account, int(last(request.name)))
        named: dict[str, list[int]] = {}
        for agent, code in sorted(why.decision.codes.items()):
            named.setdefault(code.value, []).append(agent)
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
            rejected={code: len(agents) for code, agents in named.items()},
            candidates=len(why.decision.codes),
            rule_version=0,
            rank=why.decision.rank,
            write="none",
            hash=b"",
            named=named,
        )
        return messages.WhyWaitingResponse(
            decision=decision_message(account_name(account), row),
            free_eligible_agent=why.free_eligible_agent,
            sentences=why.sentences,
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

    async def _decision(self, name: str) -> tuple[str, DecisionRow]:
        require_staff()
        account = account_of(name)
        async with self._use.store.transaction(account) as tx:
            row = await tx.decisions.one(last(name))
        if row is None:
            raise NotFoundError("no such decision", metadata={"name": name})
        return account_name(account), row
