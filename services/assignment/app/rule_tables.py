"""Who is there and by which rules, in one account; every call belongs to a transaction (`ports.Transaction`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.assignment.app.rows import (
    Account,
    AgentRow,
    DedicatedRow,
    QueueRow,
    SkillLink,
    SkillRow,
    Work,
)
from services.assignment.domain.hours import Schedule
from services.assignment.domain.limits import Limit
from services.assignment.domain.shifts import ShiftException


class Directory(Protocol):
    """Accounts, agents, queues and views."""

    async def account(self) -> Account | None:
        """Return the account."""
        ...

    async def put_account(self, account: Account) -> None:
        """Write the whole account; the caller holds the lock, or another's change is lost."""
        ...

    async def move_cursor(self, before: str, after: str) -> bool:
        """Move the export's cursor if it still is `before`; False when another replica moved it."""
        ...

    async def agents(
        self,
        *,
        after: int = 0,
        limit: int = 1_000_000,
        inactive: bool = False,
        only: Collection[int] | None = None,
    ) -> list[AgentRow]:
        """Return agents by user id, with groups and open tickets; `only` = these alone."""
        ...

    async def agent(self, user_id: int) -> AgentRow | None:
        """Return one agent."""
        ...

    async def sync_agents(self, agents: Sequence[AgentRow], memberships: Sequence[tuple[int, int]]) -> None:
        """Replace what Zendesk says of agents and memberships; statuses and limits stay."""
        ...

    async def refresh_agent(self, agent: AgentRow) -> bool:
        """Replace what Zendesk says of one known agent, groups included; return whether it is news."""
        ...

    async def put_settings(
        self, user_id: int, rule: int | None, *, manager: bool, autoplay: bool
    ) -> AgentRow | None:
        """Write the three Playlist fields; None for an unknown agent."""
        ...

    async def put_limits(
        self, user_id: int, inbox_limit: int | None, daily_limit: int | None
    ) -> AgentRow | None:
        """Write an agent's own limits; None for an unknown agent."""
        ...

    async def set_statuses(
        self,
        statuses: Mapping[int, str],
        at: datetime,
        absences: Mapping[int, str] | None = None,
        updater: int | None = None,
    ) -> int:
        """Set statuses, and why agents are away where that is known; return how many changed.

        The one way in which a status changes: the one that ends is kept (`Statuses`). To have the same status
        for another reason ends nothing.

        Args:
            updater: who does it; None = a rule or an integration.
        """
        ...

    async def put_activity(self, user_id: int, at: datetime) -> bool:
        """Keep when an agent last did something; False for an unknown one."""
        ...

    async def queues(self) -> list[QueueRow]:
        """Return queues in their order."""
        ...

    async def queue(self, queue_id: str) -> QueueRow | None:
        """Return one queue."""
        ...

    async def put_queue(self, queue: QueueRow) -> None:
        """Write a queue."""
        ...

    async def delete_queue(self, queue_id: str) -> bool:
        """Delete a queue."""
        ...

    async def dedicated_rules(self) -> list[DedicatedRow]:
        """Return the rules of dedicated support, in their order."""
        ...

    async def put_dedicated_rules(self, rules: Sequence[DedicatedRow]) -> None:
        """Replace the rules of dedicated support."""
        ...

    async def group_turns(self) -> dict[int, int]:
        """Return how many tickets each group got of the distribution."""
        ...

    async def take_group_turn(self, group: int) -> None:
        """Count a ticket for a group."""
        ...

    async def forget_group_turns(self) -> None:
        """Begin the distribution anew."""
        ...

    async def put_views(self, views: Sequence[int]) -> None:
        """Replace the known views."""
        ...

    async def put_view_tickets(self, view: int, tickets: Sequence[int]) -> None:
        """Replace what a view holds."""
        ...


class Skills(Protocol):
    """Skills of accounts that use them."""

    async def all(self) -> list[SkillRow]:
        """Return every skill, by id."""
        ...

    async def put_known(self, titles: Mapping[str, str]) -> None:
        """Replace the known skills, by id; what is asked of them stays."""
        ...

    async def put_rule(
        self,
        skill: str,
        level: int,
        drop_after_seconds: int | None,
        steps: tuple[tuple[int, int], ...] = (),
    ) -> SkillRow | None:
        """Write what a skill asks for; None for an unknown one."""
        ...

    async def of_agents(self, agents: Collection[int] = ()) -> dict[int, dict[str, int]]:
        """Return levels by skill, by agent; of all agents when none is named."""
        ...

    async def replace_agents(self, held: Mapping[int, Collection[str]]) -> None:
        """Replace who has which skill; levels of those who keep one stay, a new one is 1."""
        ...

    async def put_levels(self, agent: int, levels: Mapping[str, int]) -> int:
        """Write levels of skills that an agent has; return how many he has."""
        ...

    async def apply(self, links: Sequence[SkillLink]) -> None:
        """Apply changes, in their order."""
        ...

    async def forget_ended(self, limit: int) -> int:
        """Forget what at most so many closed or deleted tickets needed; return how much."""
        ...

    async def of_waiting(self) -> dict[int, set[str]]:
        """Return the skills that waiting tickets need, by ticket."""
        ...

    async def cursor(self) -> str:
        """Return how far the stream of changes was read; empty = not at all."""
        ...

    async def move_cursor(self, before: str, after: str) -> bool:
        """Move the cursor if it still is `before`; False when another replica moved it."""
        ...


class Capacities(Protocol):
    """Agents' own capacity, and the work that they have."""

    async def of_agents(self) -> dict[int, int]:
        """Return the capacity of every agent who has his own, in units."""
        ...

    async def put_agent(self, agent: int, units: int | None) -> None:
        """Give an agent a capacity of his own, or the account's."""
        ...

    async def work(self, queue: str) -> dict[int, Work]:
        """Return what agents have in hand."""
        ...


class RateLimits(Protocol):
    """Agents' own rate limits, and what queues gave them lately."""

    async def of_agents(self) -> dict[int, Limit]:
        """Return the limit of every agent who has his own."""
        ...

    async def put_agent(self, agent: int, limit: Limit | None) -> None:
        """Give an agent a limit of his own, or the account's."""
        ...

    async def given(
        self, queue: str, at: datetime, *, default: int, of_queue: int, longest: int
    ) -> dict[int, tuple[int, int]]:
        """Return by agent how many tickets queues gave him within his own window, and this queue within its own.

        What came to nothing does not count, and what he thinks about does; exactly as old as the window is out.

        Args:
            default: window of agents without a limit of their own, in minutes.
            of_queue: window of the queue, in minutes.
            longest: of all these windows.
        """
        ...


class Schedules(Protocol):
    """Schedules, which agents go by them, and when one does not."""

    async def all(self) -> dict[int, Schedule]:
        """Return the account's schedules by id."""
        ...

    async def replace(self, schedules: Sequence[Schedule]) -> None:
        """Replace the account's schedules; who goes by which stays."""
        ...

    async def of_agents(self) -> dict[int, int]:
        """Return the schedule of every agent who has one."""
        ...

    async def put_agent(self, agent: int, schedule: int | None) -> None:
        """Let an agent go by a schedule, or by none."""
        ...

    async def exceptions(
        self, *, after: datetime | None = None, until: datetime | None = None, agents: Collection[int] = ()
    ) -> list[ShiftException]:
        """Return exceptions by agent and time; of all agents when none is named.

        Args:
            after: only those that end after this instant.
            until: only those that have started by this instant.
        """
        ...

    async def put_exceptions(self, agent: int, exceptions: Collection[ShiftException]) -> None:
        """Replace an agent's exceptions; one that is named twice is one."""
        ...

    async def forget_exceptions(self, before: datetime, limit: int) -> int:
        """Forget at most so many exceptions that were over before an instant; return how many."""
        ...
