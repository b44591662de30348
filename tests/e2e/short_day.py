"""A short day of one account in a running house, played through whatever is broken, until the queue is drained."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2

from libs.kernel.ids import AccountId
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages
from setlist.assignment.v1.assignment_service_pb2_grpc import AssignmentServiceStub
from tools.demo.account import AGENT, APP_ID, GROUP, REQUESTER, account_spec, cast_of
from tools.demo.failures import DemoError, asking
from tools.demo.house import CLIENT_ID, HOST, House
from tools.demo.people import Helpdesk
from tools.demo.script import AgentPart, Script, TicketPart
from tools.demo.suite import ASSIGNMENT, Suite

MINUTE = timedelta(minutes=1)
STEPS = 8
DRAIN_SECONDS, PAUSE_SECONDS = 120.0, 0.2
PER_STEP, BURST_AT, BURST = 3, 3, 20
"""In minute `BURST_AT` so many tickets are imported at once: more than are written one by one."""
IMPORTED_EVERY = 5
WORK_STEPS = 2
INBOX_LIMIT = 5
CALL_SECONDS = 100.0
GROUPS = (1, 2)
AGENTS = (
    AgentPart(1, GROUPS, online=False, admin=True),
    AgentPart(2, GROUPS, manager=True),
    *(AgentPart(key, (GROUPS[key % 2],)) for key in range(3, 9)),
)


def short_script(start: datetime) -> Script:
    """Return who takes part; what happens when is in `ShortDay`."""
    tickets = [TicketPart(key, start, key % 7, GROUPS[key % 2], "normal", MINUTE) for key in range(1, 8)]
    return Script("a short day", start, start + MINUTE, AGENTS, GROUPS, tickets, inbox_limit=INBOX_LIMIT)


async def install(house: House, subdomain: str, *, first: bool = False) -> int:
    """Make an account with the app installed and return the installation.

    Args:
        first: whether no other account knows the app and our client yet.
    """
    client = house.oauth_client()
    spec = account_spec(short_script(house.clock.now()), house.edge, HOST, client)
    spec |= {"subdomain": subdomain, "oauth_clients": [client if first else CLIENT_ID]}
    async with httpx2.AsyncClient(trust_env=False, timeout=60.0) as http:
        made = await house.control(http, "POST", "accounts", spec)
        if first:
            key = await http.get(f"{house.simulator}/_control/{subdomain}/apps/{APP_ID}/public_key.pem")
            path = house.folder.path / "app.pem"
            path.write_bytes(key.content)
            await house.open(path, APP_ID)
    apps = made["apps"]
    assert isinstance(apps, list)
    return int(apps[0]["installation_id"])


@dataclass(slots=True)
class ShortDay:
    """One account's day.

    Attributes:
        assigned: who was given each ticket, by Zendesk id; more than one = it was given twice.
        failures: what minute jobs ended with; they run again a minute later.
        authorisations: how often the admin authorised the app.
    """

    house: House
    subdomain: str
    desk: Helpdesk
    suite: Suite
    http: httpx2.AsyncClient
    admin: int
    tickets: dict[int, int] = field(default_factory=dict)
    assigned: dict[int, list[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    authorisations: int = 1
    most_open: int = 0
    _keys: int = 0
    _seen: int = 0
    _minute: int = 0
    _solves: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _open: dict[int, set[int]] = field(default_factory=dict)

    @classmethod
    async def begin(
        cls, house: House, subdomain: str, installation: int, http: httpx2.AsyncClient
    ) -> ShortDay:
        """Have the admin authorise the app, and bring everybody online."""
        desk = Helpdesk(f"{house.simulator}/_accounts/{subdomain}", house.edge, installation, house.clock)
        cast = cast_of(short_script(house.clock.now()))
        admin = desk.person(cast.admin)
        await admin.authorize()
        account = (await admin.open_app())["account"]
        suite = Suite(house, AccountId(account.removeprefix("accounts/")))
        await suite.limit_inboxes(INBOX_LIMIT)
        online = [{"user_id": AGENT + a.key, "status": "online"} for a in AGENTS if a.online]
        await admin.require("POST", "/v1/statuses", {"statuses": online})
        return cls(house, subdomain, desk, suite, http, cast.admin)

    async def close(self) -> None:
        """Close the people's browsers."""
        await self.desk.close()

    async def control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call the simulator's control API for this account."""
        return await self.house.control(self.http, method, f"{self.subdomain}/{path}", body)

    async def switch_on(self, *faults: Mapping[str, Any]) -> list[int]:
        """Switch faults on and return their ids."""
        return [(await self.control("POST", "faults", f))["fault"]["id"] for f in faults]

    async def hits(self) -> int:
        """Return how often the switched-on faults have hit."""
        return sum(f["used"] for f in (await self.control("GET", "faults"))["faults"])

    async def switch_off(self) -> None:
        """Switch every fault off."""
        for fault in (await self.control("GET", "faults"))["faults"]:
            await self.http.delete(f"{self.house.simulator}/_control/{self.subdomain}/faults/{fault['id']}")

    async def play(self, minutes: int = STEPS) -> None:
        """Let tickets come in, minute by minute."""
        for _ in range(minutes):
            count = PER_STEP + (BURST if self._minute == BURST_AT else 0)
            await self._step(count, burst=self._minute == BURST_AT, held="false")

    async def drain(self) -> None:
        """Go on without new tickets until every one is solved and nothing waits.

        Raises:
            AssertionError: that never comes.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + DRAIN_SECONDS
        while loop.time() < end:
            if await self._drained():
                return
            await self._step(0)
            if (await self.suite.summary()).pending_writes:  # under way in real time: no minute hurries them
                await asyncio.sleep(PAUSE_SECONDS)
        waiting = [t async for t in self.suite.waiting()]
        lost = [t for t in self.tickets if t not in self.assigned]
        summary, ours = await self.suite.summary(), await self.our_copy()
        stale = [t for t, (status, _, _) in (await self.final_state()).items() if ours.get(t) != status]
        raise AssertionError(
            f"not drained: {waiting} wait, {lost} never assigned, {summary.pending_writes} writes pending, "
            f"{stale} known wrongly, failures {self.failures[-3:]}"
        )

    async def _drained(self) -> bool:
        if any(t not in self.assigned for t in self.tickets) or any(self._solves.values()):
            return False
        summary = await self.suite.summary()
        if summary.pending_writes or [t async for t in self.suite.waiting()]:
            return False
        ours = await self.our_copy()
        return all(ours.get(t) == status for t, (status, _, _) in (await self.final_state()).items())

    async def _step(self, count: int, *, burst: bool = False, held: str = "true") -> None:
        self._minute += 1
        self.house.clock.set(self.house.clock.now() + MINUTE)
        create = [self._new(burst=burst) for _ in range(count)]
        due = self._solves.pop(self._minute, [])
        update = [{"id": ticket, "status": "solved", "author_id": agent} for ticket, agent in due]
        made = await self.control("POST", "tickets", {"create": create, "update": update})
        for ticket_id, spec in zip(made["created"], create, strict=True):
            self.tickets[ticket_id] = spec["group_id"]
        for ticket, agent in due:
            self._open[agent].discard(ticket)
        await self.house.control(self.http, "GET", f"quiet?held={held}")
        await self._minute_job()
        await self._observe()

    def _new(self, *, burst: bool) -> dict[str, Any]:
        self._keys += 1
        return {
            "requester_id": REQUESTER + 1 + self._keys % 6,
            "group_id": GROUP + GROUPS[self._keys % 2],
            "priority": "normal",
            "subject": f"Ticket {self._keys}",
            "imported": burst or self._keys % IMPORTED_EVERY == 0,
        }

    async def _minute_job(self) -> None:
        stub = AssignmentServiceStub(self.house.channels.to("assignment", [ASSIGNMENT]))
        metadata = await self.house.tokens.job(self.suite.account, "assignment")
        request = messages.RunMinuteJobRequest(parent=self.suite.parent, catch_up=True, wait_for_writes=True)
        try:
            with asking("assignment"):
                await stub.RunMinuteJob(request, metadata=metadata, timeout=CALL_SECONDS)
        except DemoError as error:  # the next minute tries again
            self.failures.append(str(error))
            if "REAUTHORIZATION" in str(error):
                with suppress(DemoError):  # he too is answered badly: he tries again in a minute
                    await self.authorize()

    async def authorize(self) -> None:
        """The admin authorises the app again."""
        await self.desk.person(self.admin).authorize()
        self.authorisations += 1

    async def _observe(self) -> None:
        rows = (await self.control("GET", f"assignments?after={self._seen}"))["assignments"]
        self._seen += len(rows)
        for row in rows:
            ticket, agent = int(row["ticket_id"]), int(row["assignee_id"])
            self.assigned.setdefault(ticket, []).append(agent)
            self._solves.setdefault(self._minute + WORK_STEPS, []).append((ticket, agent))
            self._open.setdefault(agent, set()).add(ticket)
            self.most_open = max(self.most_open, len(self._open[agent]))

    async def final_state(self) -> dict[int, tuple[str, int, bool]]:
        """Return what Zendesk shows in the end: status, group, and whether a member of the group has the ticket."""
        dump = await self.control("GET", "dump")
        members = {AGENT + a.key: {GROUP + g for g in a.groups} for a in AGENTS}
        return {
            t["id"]: (t["status"], t["group_id"], t["group_id"] in members.get(t["assignee_id"], ()))
            for t in dump["tickets"]
        }

    async def writes(self) -> dict[int, list[str]]:
        """Return how the write of each decision that assignment has kept ended, by ticket; none without a write."""
        found: dict[int, list[str]] = {}
        async for decision in self.suite.decisions():
            if decision.write != resources.Decision.WRITE_NONE:
                name = resources.Decision.Write.Name(decision.write).removeprefix("WRITE_")
                found.setdefault(decision.ticket_id, []).append(name)
        return found

    async def our_copy(self) -> dict[int, str]:
        """Return the status of every ticket as assignment has it."""
        found: dict[int, str] = {}
        token = ""
        stub = AssignmentServiceStub(self.house.channels.to("assignment", [ASSIGNMENT]))
        while True:
            metadata = await self.house.tokens.job(self.suite.account, "assignment")
            page = await stub.ListTickets(
                messages.ListTicketsRequest(parent=self.suite.parent, page_size=1000, page_token=token),
                metadata=metadata,
                timeout=CALL_SECONDS,
            )
            found |= {t.ticket_id: t.status for t in page.tickets}
            token = page.next_page_token
            if not token:
                return found

    async def first_view(self) -> int:
        """Return the account's view of unassigned tickets."""
        token = await self.control("POST", "tokens", {"user_id": self.admin})
        answer = await self.http.get(
            f"{self.desk.zendesk}/api/v2/views.json",
            headers={"authorization": f"Bearer {token['access_token']}"},
        )
        return int(answer.json()["views"][0]["id"])

    async def use_view(self, view_id: int) -> None:
        """Feed the account's queue from a view instead of webhooks."""
        stub = AssignmentServiceStub(self.house.channels.to("assignment", [ASSIGNMENT]))
        metadata = await self.house.tokens.job(self.suite.account, "assignment")
        with asking("assignment"):
            listed = await stub.ListQueues(
                messages.ListQueuesRequest(parent=self.suite.parent), metadata=metadata, timeout=CALL_SECONDS
            )
            for queue in listed.queues:
                await stub.DeleteQueue(
                    messages.DeleteQueueRequest(name=queue.name), metadata=metadata, timeout=CALL_SECONDS
                )
            queue = resources.Queue(
                display_name="Unassigned", kind=resources.Queue.KIND_SCHEDULED, source_id=view_id
            )
            await stub.CreateQueue(
                messages.CreateQueueRequest(parent=self.suite.parent, queue=queue),
                metadata=metadata,
                timeout=CALL_SECONDS,
            )
