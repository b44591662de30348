"""Decisions that are not kept, as messages: what a rehearsal would decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from services.assignment.app.plan_run import PlannedRun
from services.assignment.app.rehearsal import Rehearsal
from services.assignment.app.rows import QueueRow
from services.assignment.domain.decide import tally
from services.assignment.domain.model import GIVEN, Code, Decision
from services.assignment.rpc.mapping import MODELS, OUTCOMES, decision_message, timestamp
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

MOST_DECISIONS = 1000
MOST_NAMED = 100_000
"""How many agents a plan names: of larger ones it tells the numbers alone, lest an answer outgrow a message."""
MOST_EXPLAINED = 20
"""How many decisions of one command are made anew to name the agents; ours."""
NO_QUEUE = "NO_QUEUE"
"""Counts tickets that wait and that no active queue holds."""


def unkept(message: resources.Decision) -> resources.Decision:
    """Take from a decision what only a kept one has: name, place in the chain, command, write."""
    for field in ("name", "hash", "sequence", "command_id"):
        message.ClearField(field)
    message.write = resources.Decision.WRITE_NONE
    return message


def planned_message(
    parent: str, queue: QueueRow, decision: Decision, planned: PlannedRun, *, named: bool
) -> resources.Decision:
    """Return a decision of a plan, with the number of rejected agents by code, and who they are where that is asked."""
    counts = {code: number for code, number in tally(decision).items() if code is not Code.CHOSEN}
    agents = _by_code((a, code.value) for a, code in decision.codes.items()) if named else {}
    return resources.Decision(
        ticket_id=decision.ticket,
        outcome=OUTCOMES[decision.outcome.value],
        agent_id=decision.agent,
        group_id=decision.group,
        queue=f"{parent}/queues/{queue.id}",
        mechanism="queue",
        model=MODELS[queue.model],
        as_of=timestamp(planned.as_of),
        rejected=[
            resources.RejectedGroup(code=code.value, count=number, agent_ids=agents.get(code.value))
            for code, number in sorted(counts.items(), key=lambda one: one[0].value)
        ],
        candidates=len(decision.codes),
        rule_version=planned.rule_version,
        rank=decision.rank,
        write=resources.Decision.WRITE_NONE,
    )


def run_message(parent: str, planned: PlannedRun) -> messages.RunMinuteJobResponse:
    """Return what the minute job would do."""
    decided = list(planned.decisions())
    given = [d for _, d in decided if d.outcome in GIVEN]
    shown = decided[:MOST_DECISIONS]
    named = sum(len(d.codes) for _, d in shown) <= MOST_NAMED
    return messages.RunMinuteJobResponse(
        considered=planned.considered,
        assigned=len(given),
        waiting=planned.waiting,
        assignments=[messages.Assignment(ticket_id=d.ticket, agent_id=d.agent or 0) for d in given],
        decisions=[planned_message(parent, queue, d, planned, named=named) for queue, d in shown],
        decision_count=len(decided),
        left_out=planned.nothing_known,
        waiting_by_outcome=waiting_by_outcome(d for _, d in decided),
    )


async def made_messages(parent: str, rehearsal: Rehearsal) -> list[resources.Decision]:
    """Return what a command decided in a rehearsal; the first of it with the agents, decided anew from its inputs."""
    found: list[resources.Decision] = []
    for row in await rehearsal.made():
        message = unkept(decision_message(parent, row))
        if len(found) < MOST_EXPLAINED:
            explained = await rehearsal.explain(row)
            agents = _by_code(explained.codes.items()) if explained.recomputes else {}
            for group in message.rejected:
                group.agent_ids[:] = agents.get(group.code, [])
        found.append(message)
    return found


def _by_code(codes: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for agent, code in sorted(codes):
        found.setdefault(code, []).append(agent)
    return found


def waiting_by_outcome(decisions: Iterable[Decision]) -> dict[str, int]:
    """Count the tickets that wait, by outcome."""
    return dict(sorted(Counter(d.outcome.value for d in decisions if d.outcome not in GIVEN).items()))
