"""Recorded days under other rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import account_of
from services.assignment.app.replay_days import Changed, ReplayDays, Replayed, based_on
from services.assignment.domain.model import Queue
from services.assignment.domain.played import Played
from services.assignment.domain.replay import Step
from services.assignment.rpc.authority import require_admin
from services.assignment.rpc.limits import rate_in, written
from services.assignment.rpc.mapping import MODELS, timestamp
from services.assignment.rpc.queues import queue_of
from services.assignment.rpc.use_cases import Methods, last
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

MOST_DIFFERENCES = 1000
_NOT_RULES = frozenset({"name", "etag", "create_time", "update_time", "state"})


class ReplayMethods(Methods):
    """Translates, calls, translates."""

    async def ReplayDay(
        self, request: messages.ReplayDayRequest, context: Any
    ) -> AsyncIterator[messages.ReplayDayResponse]:
        require_admin()
        account, replay = account_of(request.parent), ReplayDays(self._use.store)
        for field in ("start_time", "end_time"):
            if not request.HasField(field):
                fault = FieldViolation(field, "must be given")
                raise InvalidRequestError(f"`{field}` must be given", violations=[fault])
        rate = None
        if request.HasField("rate_limit"):
            rate = written(rate_in(request.rate_limit, "rate_limit", instead="inbox_limit"))
        queues: dict[str, Queue] = {}
        for place, given in enumerate(request.queues):
            if given.pull_only:
                said = "nobody asks for tickets in a replay: leave it out"
                violations = [FieldViolation(f"queues[{place}].pull_only", said)]
                raise InvalidRequestError(
                    "a queue that waits to be asked has no replay", violations=violations
                )
            paths = [f.name for f, _ in given.ListFields() if f.name not in _NOT_RULES]
            row = await replay.queue(account, last(given.name))
            queues[row.id] = based_on(queue_of(given, row, paths))
        found = await replay(
            account,
            request.start_time.ToDatetime(UTC),
            request.end_time.ToDatetime(UTC),
            Changed(
                queues,
                request.inbox_limit if request.HasField("inbox_limit") else None,
                request.daily_limit if request.HasField("daily_limit") else None,
                rate,
            ),
        )
        for step in found.steps:
            model = found.queues[step.queue].model
            yield messages.ReplayDayResponse(decision=_decision(request.parent, step, model))
        yield _figures(found)


def _decision(parent: str, step: Step, model: str) -> resources.Decision:
    return resources.Decision(
        ticket_id=step.ticket,
        outcome=resources.Decision.OUTCOME_ASSIGNED,
        agent_id=step.given.agent,
        queue=f"{parent}/queues/{step.queue}",
        mechanism="replay",
        model=MODELS[model],
        as_of=timestamp(step.given.at),
        write=resources.Decision.WRITE_NONE,
    )


def _figures(found: Replayed) -> messages.ReplayDayResponse:
    others = found.differences
    return messages.ReplayDayResponse(
        replayed=_played(found.replayed),
        recorded=_played(found.recorded),
        differences=[
            messages.ReplayDifference(
                ticket_id=ticket,
                recorded_agent_id=before.agent if before else 0,
                agent_id=after.agent if after else 0,
            )
            for ticket, before, after in others[:MOST_DIFFERENCES]
        ],
        difference_count=len(others),
        left_out=found.left_out,
    )


def _played(played: Played) -> messages.ReplayFigures:
    return messages.ReplayFigures(
        tickets=len(played.waits),
        given=len(played.given),
        waiting=played.waiting,
        median_wait_seconds=played.wait(0.5),
        p90_wait_seconds=played.wait(0.9),
        longest_wait_seconds=played.waits[-1] if played.waits else 0.0,
        breaches=played.breaches,
        largest_backlog=max((n for _, n in played.backlogs), default=0),
        fairness_by_count=played.fairness_by_count,
        fairness_by_load=played.fairness_by_load,
        per_agent={agent: load.tickets for agent, load in played.loads.items()},
    )
