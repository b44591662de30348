"""SimulateChange: what a change of the rules would change for the tickets that wait now, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.kernel.ids import AccountId
from services.assignment.app.plan_run import PlannedRun
from services.assignment.app.rehearsal import Rehearsal
from services.assignment.domain.model import GIVEN, Outcome

MOST_TICKETS = 10_000
"""How many tickets of a queue, and about how many of an account, a simulation looks at; ours: some seconds."""
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Fate:
    """What a run decides for a ticket; without an outcome no active queue holds it."""

    outcome: Outcome | None = None
    agent: int | None = None
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run in figures.

    Attributes:
        per_agent: tickets given, by agent.
        waiting: by outcome.
        nowhere: tickets that wait and that no active queue holds, or that were not looked at.
    """

    fates: Mapping[int, Fate]
    per_agent: Mapping[int, int]
    waiting: Mapping[Outcome, int]
    nowhere: int

    @property
    def given(self) -> int:
        """Tickets given."""
        return sum(self.per_agent.values())


@dataclass(frozen=True, slots=True)
class Simulated:
    """Both runs, of the same instant on the same state.

    Attributes:
        differences: tickets that another agent gets, or whose outcome differs, by id.
        left_out: what was not looked at, and why.
    """

    before: Run
    after: Run
    as_of: datetime
    rule_version: int
    differences: list[tuple[int, Fate, Fate]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def examples(self) -> list[str]:
        """Some of the differences, in sentences."""
        shown = self.differences[:EXAMPLES]
        return [f"ticket `{t}`: {_told(one)} now, {_told(other)} then" for t, one, other in shown]


async def simulate_change(
    rehearsal: Rehearsal, account: AccountId, change: Callable[[], Awaitable[None]]
) -> Simulated:
    """Play the next run of an account as it is, and once more after a change, on one state and at one instant.

    Args:
        change: makes the change inside the rehearsal, with all its checks.

    Raises:
        NotSyncedError: the account is unknown.
    """
    tx = rehearsal.tx
    async with tx.undone():
        before = await _bounded_run(rehearsal, account)
    await change()
    after = await _bounded_run(rehearsal, account)
    one, other = _figures(before), _figures(after)
    nowhere = Fate()
    differences = [
        (ticket, was, then)
        for ticket in sorted(one.fates.keys() | other.fates.keys())
        if _differ(was := one.fates.get(ticket, nowhere), then := other.fates.get(ticket, nowhere))
    ]
    left_out = list(dict.fromkeys([*_left_out(before), *_left_out(after)]))
    return Simulated(one, other, before.as_of, before.rule_version, differences, left_out)


async def _bounded_run(rehearsal: Rehearsal, account: AccountId) -> PlannedRun:
    """Plan a run in which every queue looks at its oldest tickets alone."""
    directory = rehearsal.tx.directory
    for queue in await directory.queues():
        if queue.scan_limit is None or queue.scan_limit > MOST_TICKETS:
            await directory.put_queue(replace(queue, scan_limit=MOST_TICKETS))
    return await rehearsal.run(account, MOST_TICKETS)


def _figures(planned: PlannedRun) -> Run:
    fates = {d.ticket: Fate(d.outcome, d.agent, queue.id) for queue, d in planned.decisions()}
    waiting = Counter(fate.outcome for fate in fates.values() if fate.outcome not in GIVEN)
    given = Counter(fate.agent for fate in fates.values() if fate.agent is not None)
    return Run(
        fates,
        dict(sorted(given.items())),
        {outcome: number for outcome, number in sorted(waiting.items()) if outcome is not None},
        planned.waiting - waiting.total(),
    )


def _differ(was: Fate, then: Fate) -> bool:
    """A ticket that waits for the same reason in another queue has not got another decision."""
    return (was.outcome, was.agent) != (then.outcome, then.agent)


def _left_out(planned: PlannedRun) -> list[str]:
    found = [
        f"queue `{queue.title}`: only its {MOST_TICKETS} oldest tickets were looked at"
        for queue, plan in planned.plans
        if len(plan.decisions) >= MOST_TICKETS
    ]
    found += planned.nothing_known
    return found + [
        f"queue `{title}`: not looked at, for more than {MOST_TICKETS} tickets wait in those before it"
        for title in planned.left_out
    ]


def _told(fate: Fate) -> str:
    if fate.outcome is None:
        return "no active queue holds it"
    if fate.agent is not None:
        return f"{fate.outcome.value} to agent `{fate.agent}`"
    return fate.outcome.value
