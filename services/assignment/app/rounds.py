"""What a round leaves behind, the same for every store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.crypto.chain import chain_hash
from services.assignment.app.chained import chained
from services.assignment.app.rows import Account, AgentRow, DecisionRow, QueueRow, Round, SkillRow
from services.assignment.domain.decide import tally
from services.assignment.domain.limits import limit_of
from services.assignment.domain.model import Agent, Code, Decision, Model, Need, Outcome, Plan, Queue

DAILY_WINDOW = timedelta(hours=12)
"""The daily limit is not a day: it looks 12 hours back (facts: §2.2)."""

_LIGHT = 1


def rules(queue: QueueRow, *, pull: bool = False) -> Queue:
    """Return a queue as the decision sees it."""
    pace = limit_of(queue.options.rate_limit)
    return Queue(
        id=queue.id,
        model=Model(queue.model),
        agents=frozenset(queue.agents),
        use_sla=queue.use_sla,
        batch_size=queue.batch_size,
        daily_limit=queue.daily_limit,
        scheduled=queue.kind == "scheduled",
        # Who pulls a ticket has said that he takes it.
        offer_seconds=None if pull else queue.options.offer_seconds,
        pull_only=queue.options.pull_only and not pull,
        ageing_seconds=queue.options.ageing_seconds,
        weights=queue.options.weights,
        work=queue.options.work_units,
        interruptible=queue.options.interruptible,
        open_limit=queue.options.open_limit,
        rate_limit=pace.most if pace else None,
        rate_minutes=pace.minutes if pace else None,
    )


def candidate(
    account: Account,
    row: AgentRow,
    *,
    recent: tuple[int, int, int],
    last: datetime | None,
    credit: int,
    skills: Mapping[str, int] | None = None,
) -> Agent:
    """Return an agent as the decision sees him.

    Args:
        recent: tickets that queues gave him in 12 hours, those of this queue, those of this run.
        last: when he got his last ticket of us.
        credit: turns owed to him in this queue.
        skills: levels by skill.
    """
    return Agent(
        id=row.user_id,
        groups=frozenset(row.groups),
        role=row.role,
        custom_role_id=row.custom_role_id,
        status=row.status,
        active=row.active,
        light=row.role_type == _LIGHT,
        suspended=row.suspended,
        open_count=row.open_count,
        assigned_12h=recent[0],
        assigned_12h_queue=recent[1],
        assigned_run=recent[2],
        inbox_limit=row.inbox_limit if row.inbox_limit is not None else account.inbox_limit,
        daily_limit=row.daily_limit if row.daily_limit is not None else account.daily_limit,
        last_assigned_at=last,
        credit=credit,
        absence=row.absence,
        skills=tuple(sorted((skills or {}).items())),
    )


def needs(asked: Iterable[str], known: Mapping[str, SkillRow]) -> tuple[Need, ...]:
    """Return what a ticket with skills asks for; a skill that we do not know yet is asked for as it is.

    Args:
        known: skills by id.
    """
    rows = (known.get(skill, SkillRow(skill, "")) for skill in sorted(asked))
    return tuple(Need(row.skill, row.level, row.drop_after_seconds, row.steps) for row in rows)


def run_start(as_of: datetime) -> datetime:
    """Return the beginning of the minute job's run that an instant belongs to: its minute."""
    return as_of.replace(second=0, microsecond=0)


def news(plan: Plan, before: Mapping[int, str]) -> list[Decision]:
    """Return what is worth keeping of a plan: assignments, and waiting tickets whose outcome changed.

    Args:
        before: last outcome by ticket.
    """
    return [d for d in plan.decisions if d.agent is not None or before.get(d.ticket) != d.outcome.value]


def link(
    account: Account,
    round_: Round,
    decisions: Sequence[Decision],
    ids: Sequence[str],
    *,
    inputs: str,
    head: tuple[int, bytes],
) -> list[DecisionRow]:
    """Return the rows of decisions, chained after `head` (sequence and hash of the last one)."""
    sequence, previous = head
    rows = []
    for decision, decision_id in zip(decisions, ids, strict=False):
        sequence += 1
        row = _row(account, round_, decision, decision_id, sequence, inputs)
        previous = chain_hash(previous, chained(account.account, row))
        rows.append(replace(row, hash=previous))
    return rows


def _row(
    account: Account, round_: Round, decision: Decision, decision_id: str, sequence: int, inputs: str
) -> DecisionRow:
    found = sorted(tally(decision).items())
    return DecisionRow(
        id=decision_id,
        sequence=sequence,
        ticket=decision.ticket,
        outcome=decision.outcome.value,
        agent_id=decision.agent,
        group_id=decision.group,
        queue=round_.queue.id,
        mechanism=round_.mechanism,
        model=round_.queue.model,
        command=round_.command,
        as_of=round_.as_of,
        rejected={code.value: number for code, number in found if code is not Code.CHOSEN},
        candidates=len(decision.codes),
        rule_version=account.rule_version,
        rank=decision.rank,
        write="pending" if decision.outcome is Outcome.ASSIGNED else "none",
        hash=b"",
        inputs=inputs,
    )
