"""What assignment keeps, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.kernel.ids import AccountId
from services.assignment.app.options import AccountOptions, QueueOptions
from services.assignment.domain.model import Restrictions
from services.assignment.domain.webhook import TicketFacts


@dataclass(frozen=True, slots=True)
class Account:
    """What is kept of an account.

    Attributes:
        fields: ids of our ticket fields by key.
        webhook_secret: sealed.
        export_cursor: where the incremental export goes on; empty = from `synced_at`.
    """

    account: AccountId
    synced_at: datetime
    inbox_limit: int | None = None
    daily_limit: int | None = None
    default_status: str = "away"
    rule_version: int = 1
    restrictions: Restrictions = field(default_factory=Restrictions)
    fields: Mapping[str, int] = field(default_factory=dict)
    webhook: str = ""
    webhook_secret: bytes | None = None
    export_cursor: str = ""
    options: AccountOptions = field(default_factory=AccountOptions)


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent as he is kept."""

    user_id: int
    name: str
    role: str
    role_type: int | None
    custom_role_id: int | None
    active: bool
    suspended: bool
    status: str
    status_at: datetime
    groups: tuple[int, ...] = ()
    inbox_limit: int | None = None
    daily_limit: int | None = None
    rule: int | None = None
    manager: bool = False
    autoplay: bool = False
    version: int = 1
    open_count: int = 0
    absence: str = ""
    active_at: datetime | None = None
    status_updater_id: int | None = None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue as it is kept.

    Attributes:
        kind: scheduled (a view) or trigger (a group); source 0 = every ticket.
        state: active or paused.
    """

    id: str
    title: str
    kind: str
    source: int
    model: str
    position: int
    created_at: datetime
    updated_at: datetime
    state: str = "active"
    use_sla: bool = False
    batch_size: int | None = None
    daily_limit: int | None = None
    agents: tuple[int, ...] = ()
    scan_limit: int | None = None
    version: int = 1
    options: QueueOptions = field(default_factory=QueueOptions)


PARKED = "PARKED"
"""The last outcome of a ticket that Zendesk refused to change: it waits again with newer facts only."""


SLA_SETTLES = timedelta(minutes=1)
"""How long after a change of a ticket its SLA may still change by it; ours: Zendesk states none."""

PREFERRING = timedelta(minutes=2)
"""How long at most no queue takes a new ticket whose preference is still to be found; ours: a replica that dies
while it asks is made up for by the next minute job, and a Zendesk that does not answer stops no ticket for longer.
"""


def next_queue(queue: QueueRow, queues: Sequence[QueueRow]) -> QueueRow | None:
    """Return the active queue that takes over what waited too long in a queue."""
    wanted = queue.options.overflow_queue
    if not wanted or queue.options.overflow_seconds is None:
        return None
    return next((q for q in queues if q.id == wanted and q.id != queue.id and q.state == "active"), None)


def before(one: QueueRow, other: QueueRow) -> bool:
    """Tell whether a queue comes before another one."""
    return (one.position, one.id) < (other.position, other.id)


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket as it is kept.

    Attributes:
        routing: waiting, offered, assigned (by us, or on its way there) or not_routable.
    """

    facts: TicketFacts
    routing: str
    assigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision as it is kept.

    Attributes:
        sequence: place in the account's chain, from 1.
        rejected: how many agents by code; who they are is found from the inputs.
        write: none, pending, confirmed, conflict (somebody was faster) or failed (Zendesk refused).
        hash: of this decision after the one before it.
        inputs: digest of the snapshot that it was made from; empty for decisions older than the record.
        named: agents by code, as decisions told them before they were only counted.
    """

    id: str
    sequence: int
    ticket: int
    outcome: str
    agent_id: int | None
    group_id: int | None
    queue: str
    mechanism: str
    model: str
    command: str
    as_of: datetime
    rejected: Mapping[str, int]
    candidates: int
    rule_version: int
    rank: int
    write: str
    hash: bytes
    inputs: str = ""
    named: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Round:
    """The circumstances of one round.

    Attributes:
        mechanism: queue, pull, dedicated or same_agent.
        command: what caused it; unique per round.
        tags: put on the tickets that it assigns.
    """

    queue: QueueRow
    mechanism: str
    command: str
    as_of: datetime
    tags: tuple[str, ...] = ()

    @property
    def expires_at(self) -> datetime:
        """Until when an offer of this round can be accepted."""
        return self.as_of + timedelta(seconds=self.queue.options.offer_seconds or 0)


@dataclass(frozen=True, slots=True)
class SkillRow:
    """A skill that tickets may need.

    Attributes:
        skill: id of Zendesk's attribute value.
        level: the least that counts.
        drop_after_seconds: once a ticket waited that long, it is not asked for; None = always asked for.
        steps: (waited so many seconds, level that is enough from then on), in order of time.
    """

    skill: str
    title: str
    level: int = 1
    drop_after_seconds: int | None = None
    steps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SkillLink:
    """A skill that an agent or ticket got (`holds`) or lost."""

    agent: bool
    owner: int
    skill: str
    holds: bool


@dataclass(frozen=True, slots=True)
class DedicatedRow:
    """A rule of dedicated support.

    Attributes:
        kind: requester, organization or tag.
        value: its id, or the tag.
        agents: the first who is free gets the ticket.
        fallback: queue or wait.
    """

    kind: str
    value: str
    agents: tuple[int, ...]
    fallback: str = "queue"


@dataclass(frozen=True, slots=True)
class OfferRow:
    """A ticket that an agent may take.

    Attributes:
        id: of the decision that made it.
        state: offered, accepted, declined, expired, or withdrawn (the ticket changed in Zendesk meanwhile).
        expires_at: from this instant on it cannot be accepted.
    """

    id: str
    ticket: int
    agent_id: int
    group_id: int | None
    queue: str
    state: str
    offered_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Write:
    """One change on its way to Zendesk.

    Attributes:
        id: of the decision; goes into the ticket's audit field, so that a repeat can be told.
        agent_id: who gets the ticket, or gives it back.
        attempts: how often it was taken, this time included.
        fence: raised by each taker; a slower one's result is dropped.
        tags: put on the ticket with the change.
        note: internal note put on the ticket with the change; empty = none.
        kind: assign, release (the ticket goes back to its queue), tag,
            untag, or group (the ticket goes to a group, and to nobody in it).
    """

    id: str
    ticket: int
    agent_id: int
    group_id: int | None
    queue: str
    as_of: datetime
    attempts: int
    fence: int
    kind: str = "assign"
    tags: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """What an agent has in hand: open tickets, and those that he thinks about.

    Attributes:
        units: that they take by the queues that gave them; a ticket from elsewhere takes 1.
        of_queue: how many the queue in question gave.
        interruptible: of the units, those of queues whose work may be interrupted.
    """

    units: int = 0
    of_queue: int = 0
    interruptible: int = 0


@dataclass(frozen=True, slots=True)
class Returned:
    """A ticket that is open again and has its agent still."""

    ticket: int
    agent_id: int
    group_id: int | None


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Figures of an account."""

    tickets_in: int
    assigned: int
    waiting: int
    per_agent: Mapping[int, int]
    decisions: int
    pending: int
    conflicts: int
