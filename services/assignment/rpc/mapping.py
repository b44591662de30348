"""Rows as messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from libs.kernel.errors import FieldViolation, InvalidRequestError
from services.assignment.app.rows import Account, AgentRow, DecisionRow, QueueRow, SummaryRow, TicketRow
from services.assignment.app.status_history import IdleRule
from services.assignment.domain.limits import Limit
from services.assignment.domain.scores import Score
from services.assignment.rpc.limits import written
from services.assignment.rpc.options import put_options
from setlist.assignment.v1 import assignment_resources_pb2 as resources

_DIGITS = 19
"""Of a number that may be too large for PostgreSQL's bigint."""

MODELS = {
    "round_robin": resources.ROUTING_MODEL_ROUND_ROBIN,
    "least_active": resources.ROUTING_MODEL_LEAST_ACTIVE,
    "skills": resources.ROUTING_MODEL_SKILLS,
    "longest_idle": resources.ROUTING_MODEL_LONGEST_IDLE,
    "weighted": resources.ROUTING_MODEL_WEIGHTED,
}
MODEL_NAMES = {value: key for key, value in MODELS.items()}
KINDS = {"scheduled": resources.Queue.KIND_SCHEDULED, "trigger": resources.Queue.KIND_TRIGGER}
KIND_NAMES = {value: key for key, value in KINDS.items()}
_STATES = {"active": resources.Queue.STATE_ACTIVE, "paused": resources.Queue.STATE_PAUSED}
_ROUTING = {
    "waiting": resources.Ticket.ROUTING_WAITING,
    "offered": resources.Ticket.ROUTING_OFFERED,
    "assigned": resources.Ticket.ROUTING_ASSIGNED,
    "not_routable": resources.Ticket.ROUTING_NOT_ROUTABLE,
}
ROUTING_NAMES = {value: key for key, value in _ROUTING.items()}
OUTCOMES = {
    "ASSIGNED": resources.Decision.OUTCOME_ASSIGNED,
    "OFFERED": resources.Decision.OUTCOME_OFFERED,
    "QUEUE_CLOSED": resources.Decision.OUTCOME_QUEUE_CLOSED,
    "QUEUE_PULL_ONLY": resources.Decision.OUTCOME_QUEUE_PULL_ONLY,
    "WAITING_NO_ELIGIBLE_AGENT": resources.Decision.OUTCOME_WAITING_NO_ELIGIBLE_AGENT,
    "WAITING_ALL_FULL": resources.Decision.OUTCOME_WAITING_ALL_FULL,
}
_WRITES = {
    "none": resources.Decision.WRITE_NONE,
    "pending": resources.Decision.WRITE_PENDING,
    "confirmed": resources.Decision.WRITE_CONFIRMED,
    "conflict": resources.Decision.WRITE_CONFLICT,
    "failed": resources.Decision.WRITE_FAILED,
}


def timestamp(instant: datetime | None) -> Timestamp | None:
    """Return an instant as a message."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def queue_message(parent: str, row: QueueRow) -> resources.Queue:
    """Return a queue as a message."""
    return resources.Queue(
        name=f"{parent}/queues/{row.id}",
        display_name=row.title,
        kind=KINDS[row.kind],
        source_id=row.source,
        model=MODELS[row.model],
        position=row.position,
        state=_STATES[row.state],
        use_sla=row.use_sla,
        batch_size=row.batch_size,
        daily_limit=row.daily_limit,
        agent_ids=row.agents,
        scan_limit=row.scan_limit,
        offer_seconds=row.options.offer_seconds,
        ageing_seconds=row.options.ageing_seconds,
        missed_offers=row.options.missed_offers,
        missed_status=row.options.missed_status if row.options.missed_offers is not None else "",
        schedule_id=str(row.options.schedule or ""),
        weights=[
            resources.AgentWeight(agent_id=agent, weight=weight) for agent, weight in row.options.weights
        ],
        overflow_group_ids=row.options.overflow_groups,
        overflow_queue_id=row.options.overflow_queue,
        overflow_seconds=row.options.overflow_seconds,
        work_units=row.options.work_units,
        interruptible=row.options.interruptible,
        open_limit=row.options.open_limit,
        sticky_seconds=row.options.sticky_seconds,
        rate_limit=row.options.rate_limit,
        pull_only=row.options.pull_only,
        etag=str(row.version),
        create_time=timestamp(row.created_at),
        update_time=timestamp(row.updated_at),
    )


def schedule_of(text: str) -> int | None:
    """Return the id of a schedule; empty = none.

    Raises:
        InvalidRequestError: it is no number.
    """
    if text and not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
        raise InvalidRequestError(
            "the schedule cannot be used",
            violations=[FieldViolation("schedule_id", f"`{text}` is not the id of a schedule in Zendesk")],
        )
    return int(text) if text else None


def agent_message(
    parent: str,
    row: AgentRow,
    skills: Mapping[str, int] | None = None,
    schedule: int | None = None,
    capacity: int | None = None,
    idle: IdleRule | None = None,
    rate: Limit | None = None,
) -> resources.Agent:
    """Return an agent as a message.

    Args:
        skills: levels by skill.
        schedule: of his shifts.
        capacity: his own, in units.
        idle: what of the account's rule he has differently.
        rate: his own limit in place of the account's.
    """
    held = sorted((skills or {}).items())
    return resources.Agent(
        name=f"{parent}/agents/{row.user_id}",
        user_id=row.user_id,
        display_name=row.name,
        role=row.role,
        custom_role_id=row.custom_role_id,
        status=row.status,
        status_time=timestamp(row.status_at),
        open_count=row.open_count,
        inbox_limit=row.inbox_limit,
        daily_limit=row.daily_limit,
        group_ids=row.groups,
        settings=resources.AgentSettings(rule_id=row.rule, manager=row.manager, autoplay=row.autoplay),
        active=row.active,
        absence=row.absence,
        activity_time=timestamp(row.active_at),
        skills=[resources.AgentSkill(skill_id=skill, level=level) for skill, level in held],
        schedule_id=str(schedule or ""),
        capacity_units=capacity,
        status_updater_id=row.status_updater_id,
        idle=resources.AgentIdle(enabled=idle.enabled, timeout_minutes=idle.minutes) if idle else None,
        rate_limit=written(rate),
        etag=str(row.version),
    )


def ticket_message(parent: str, row: TicketRow) -> resources.Ticket:
    """Return a ticket as a message."""
    facts = row.facts
    return resources.Ticket(
        name=f"{parent}/tickets/{facts.id}",
        ticket_id=facts.id,
        status=facts.status,
        group_id=facts.group_id,
        assignee_id=facts.assignee_id,
        requester_id=facts.requester_id,
        priority=facts.priority or "",
        create_time=timestamp(facts.created_at),
        routing=_ROUTING[row.routing],
        assign_time=timestamp(row.assigned_at),
    )


def decision_message(parent: str, row: DecisionRow) -> resources.Decision:
    """Return a decision as a message."""
    return resources.Decision(
        name=f"{parent}/decisions/{row.id}",
        ticket_id=row.ticket,
        outcome=OUTCOMES[row.outcome],
        agent_id=row.agent_id,
        group_id=row.group_id,
        queue=f"{parent}/queues/{row.queue}" if row.queue else "",
        mechanism=row.mechanism,
        model=MODELS[row.model],
        command_id=row.command,
        as_of=timestamp(row.as_of),
        rejected=[
            resources.RejectedGroup(code=code, agent_ids=row.named.get(code), count=number)
            for code, number in sorted(row.rejected.items())
        ],
        candidates=row.candidates,
        rule_version=row.rule_version,
        rank=row.rank,
        write=_WRITES[row.write],
        hash=row.hash.hex(),
        sequence=row.sequence,
    )


def score_message(score: Score) -> resources.Score:
    """Return what a rule compared of an agent as a message."""
    return resources.Score(
        open_count=score.open,
        round_count=score.before,
        turns_owed=score.turns,
        assign_time=timestamp(score.last),
        wishes=score.wishes,
        preferred=score.preferred,
    )


def settings_message(parent: str, row: Account) -> resources.AccountSettings:
    """Return the account's defaults as a message."""
    message = resources.AccountSettings(
        name=f"{parent}/settings",
        inbox_limit=row.inbox_limit,
        daily_limit=row.daily_limit,
        default_status=row.default_status,
        etag=str(row.rule_version),
    )
    return put_options(message, row.options)


def summary_message(row: SummaryRow) -> resources.Summary:
    """Return figures as a message."""
    return resources.Summary(
        tickets_in=row.tickets_in,
        assigned=row.assigned,
        waiting=row.waiting,
        per_agent=dict(row.per_agent),
        decisions=row.decisions,
        pending_writes=row.pending,
        conflicts=row.conflicts,
    )
