"""Plays a script: people do in Zendesk what the script says, the suite does the rest."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from tools.demo.account import AGENT, GROUP, REQUESTER, SUBDOMAIN, Cast
from tools.demo.failures import DemoError, asking
from tools.demo.house import House
from tools.demo.people import Helpdesk
from tools.demo.script import JoinPart, Script, ShiftPart, TicketPart
from tools.demo.stopwatch import Stopwatch
from tools.demo.suite import Suite

MINUTE = timedelta(minutes=1)
EXPORT_LAG = timedelta(minutes=2)
"""The incremental export leaves the last minute out: an imported ticket is seen two minutes later."""
IMPORTED_EVERY = 10
"""Every tenth ticket is imported: Zendesk runs no trigger, so only the minute job can find it."""
STATUS_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Solve:
    """An agent finishes a ticket."""

    ticket: int
    agent: int


@dataclass(frozen=True, slots=True)
class Look:
    """The minute job has something to find."""


Part = TicketPart | JoinPart | ShiftPart | Solve | Look


@dataclass(slots=True)
class Played:
    """What was observed in Zendesk while the day was played.

    Attributes:
        tickets: script ticket by Zendesk id.
        assigned: seconds from creation to assignment, by ticket.
        per_agent: tickets given to each agent.
        twice: tickets that were given to somebody more than once.
    """

    tickets: dict[int, TicketPart] = field(default_factory=dict)
    assigned: dict[int, float] = field(default_factory=dict)
    per_agent: dict[int, int] = field(default_factory=dict)
    twice: list[int] = field(default_factory=list)
    imported: int = 0
    solved: int = 0
    steps: int = 0


class Player:
    """Moves the clock from event to event and lets things happen.

    Args:
        report: called after each step with the present instant and what was seen so far.
    """

    def __init__(
        self,
        house: House,
        suite: Suite,
        desk: Helpdesk,
        cast: Cast,
        script: Script,
        watch: Stopwatch,
        report: Callable[[datetime, Played], None],
    ) -> None:
        self._house = house
        self._suite = suite
        self._desk = desk
        self._cast = cast
        self._script = script
        self._watch = watch
        self._report = report
        self._http = httpx2.AsyncClient(trust_env=False, timeout=60.0)
        self._order = itertools.count()
        self._timeline: list[tuple[datetime, int, Part]] = []
        self._seen = 0
        self.played = Played()

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def play(self) -> Played:
        """Play to the end of the script."""
        script = self._script
        parts: list[JoinPart | ShiftPart | TicketPart] = [*script.joins, *script.shifts, *script.tickets]
        for part in parts:
            self._push(part.at, part)
        online = [AGENT + a.key for a in script.agents if a.online]
        for begin in range(0, len(online), STATUS_BATCH):
            await self._set_statuses(online[begin : begin + STATUS_BATCH], "online")
        while self._timeline and self._timeline[0][0] < script.end:
            end = self._timeline[0][0].replace(second=0, microsecond=0) + MINUTE
            await self._step(end, self._take(end))
        self._move_to(script.end)
        await self.round()
        self._report(script.end, self.played)
        return self.played

    def _push(self, at: datetime, part: Part) -> None:
        heapq.heappush(self._timeline, (at, next(self._order), part))

    def _take(self, before: datetime) -> list[Part]:
        parts = []
        while self._timeline and self._timeline[0][0] < before:
            parts.append(heapq.heappop(self._timeline)[2])
        return parts

    def _move_to(self, instant: datetime) -> None:
        """Move everybody's clock, forward only."""
        self._house.clock.set(max(instant, self._house.clock.now()))

    async def _step(self, now: datetime, parts: list[Part]) -> None:
        self._house.require_all_alive()
        self._move_to(now)
        self.played.steps += 1
        joins = [p for p in parts if isinstance(p, JoinPart)]
        if joins:
            with self._watch.part("day: memberships"):
                await self._join(joins)
        shifts = [p for p in parts if isinstance(p, ShiftPart)]
        if shifts:
            with self._watch.part("day: statuses"):
                for online in (True, False):
                    users = [AGENT + s.agent for s in shifts if s.online is online]
                    if users:
                        await self._set_statuses(users, "online" if online else "away")
        with self._watch.part("day: webhooks"):
            await self._arrive_and_solve(
                [p for p in parts if isinstance(p, TicketPart)], [p for p in parts if isinstance(p, Solve)]
            )
        await self.round()
        self._report(now, self.played)

    async def round(self) -> None:
        """Run the minute job, and look in Zendesk what became of it."""
        with self._watch.part("day: minute jobs"):
            await self._suite.minute_job()
        await self._observe()

    async def _join(self, joins: list[JoinPart]) -> None:
        """The admin puts agents into groups; assignment copies the memberships again."""
        body = {"user_id": self._cast.admin, "scopes": ["read", "write"]}
        token = (await self._house.control(self._http, "POST", f"{SUBDOMAIN}/tokens", body))["access_token"]
        for join in joins:
            membership = {"user_id": AGENT + join.agent, "group_id": GROUP + join.group}
            with asking("the simulator"):
                answer = await self._http.post(
                    f"{self._desk.zendesk}/api/v2/group_memberships.json",
                    json={"group_membership": membership},
                    headers={"authorization": f"Bearer {token}"},
                )
            if answer.status_code not in (201, 422):  # 422: he is in the group already
                raise DemoError(f"the simulator answered {answer.status_code} to a group membership")
        await self._suite.sync()

    async def _set_statuses(self, users: list[int], status: str) -> None:
        admin = self._desk.person(self._cast.admin)
        rows = [{"user_id": user, "status": status} for user in users]
        await admin.require("POST", "/v1/statuses", {"statuses": rows})

    async def _arrive_and_solve(self, tickets: list[TicketPart], solves: list[Solve]) -> None:
        if not tickets and not solves:
            return
        create: list[dict[str, Any]] = []
        for part in tickets:
            imported = part.key % IMPORTED_EVERY == 0
            create.append(
                {
                    "requester_id": REQUESTER + part.requester,
                    "group_id": GROUP + part.group,
                    "priority": part.priority,
                    "subject": f"Ticket {part.key}",
                    "imported": imported,
                }
            )
            if imported:
                self.played.imported += 1
                self._push(self._house.clock.now() + EXPORT_LAG, Look())
        update = [{"id": s.ticket, "status": "solved", "author_id": s.agent} for s in solves]
        answer = await self._house.control(
            self._http, "POST", f"{SUBDOMAIN}/tickets", {"create": create, "update": update}
        )
        made = answer["created"]
        if not isinstance(made, list) or len(made) != len(tickets):
            raise DemoError("the simulator did not create every ticket")
        self.played.tickets |= dict(zip(made, tickets, strict=True))
        self.played.solved += len(solves)
        await self._house.control(self._http, "GET", "quiet")

    async def _observe(self) -> None:
        """See in Zendesk who was given what since the last look; each ticket is solved when its work is done."""
        answer = await self._house.control(self._http, "GET", f"{SUBDOMAIN}/assignments?after={self._seen}")
        rows = answer["assignments"]
        if not isinstance(rows, list):
            raise DemoError("the simulator does not tell assignments")
        self._seen += len(rows)
        for row in rows:
            ticket, agent = int(row["ticket_id"]), int(row["assignee_id"])
            at, made = (datetime.fromisoformat(row[key]).astimezone(UTC) for key in ("at", "created_at"))
            if ticket in self.played.assigned:
                self.played.twice.append(ticket)
                continue
            self.played.assigned[ticket] = (at - made).total_seconds()
            self.played.per_agent[agent] = self.played.per_agent.get(agent, 0) + 1
            part = self.played.tickets.get(ticket)
            if part is not None:
                self._push(at + part.work, Solve(ticket, agent))

    async def arrive(self, part: TicketPart) -> int:
        """Let one more ticket arrive by webhook, have it considered, and return its Zendesk id."""
        known = set(self.played.tickets)
        await self._arrive_and_solve([part], [])
        await self.round()
        (ticket,) = self.played.tickets.keys() - known
        return ticket

    async def finish(self, agent: int) -> None:
        """Let an agent finish everything he works on."""
        mine = [p for _, _, p in self._timeline if isinstance(p, Solve) and p.agent == agent]
        self._timeline = [e for e in self._timeline if e[2] not in mine]
        heapq.heapify(self._timeline)
        await self._arrive_and_solve([], mine)
