"""A small Zendesk behind a real HTTP client: safe updates, jobs, exports, and faults where a test wants them.

`tools/zendesk_simulator` is the faithful one; services may not import tools, so the use cases are tested on
this one and the whole suite, in `tests/`, on that one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx2

from libs.kernel.clock import Clock, ManualClock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from libs.zendesk.budget import Budget
from libs.zendesk.client import ZendeskClient
from libs.zendesk.tokens import StaticToken

Json = dict[str, Any]
SECRET = "c2VjcmV0LWZvci10ZXN0cw=="


@dataclass
class Fault:
    """Something that goes wrong with the next requests that match.

    Attributes:
        route: regular expression over `METHOD path`.
        times: how often.
        status: answered instead of doing anything; 0 = the request is carried out.
        lost: the request is carried out, its answer never arrives.
        first: done before the request: what somebody else does at this very moment.
        headers: of the answer.
    """

    route: str
    times: int = 1
    status: int = 0
    lost: bool = False
    first: Callable[[], object] | None = None
    headers: dict[str, str] = field(default_factory=dict)


class RefusalError(Exception):
    """An answer of 400 or more."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class LocalZendesk(httpx2.AsyncBaseTransport):
    """One account of Zendesk, and its transport."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.waits = ManualClock()
        self.users: dict[int, Json] = {}
        self.memberships: set[tuple[int, int]] = set()
        self.tickets: dict[int, Json] = {}
        self.views: dict[int, Callable[[Json], bool]] = {}
        self.view_conditions: dict[int, Json] = {}
        self.view_page = 0
        self.fields: dict[str, list[Json]] = {"user_fields": [], "ticket_fields": []}
        self.webhooks: list[Json] = []
        self.triggers: list[Json] = []
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.writes: list[tuple[int, int]] = []
        self.updates: list[Json] = []
        self.comments: dict[int, list[Json]] = {}
        self.deleted: dict[int, Json] = {}
        self.skills = ["de", "fr"]
        self.agent_skills: set[tuple[int, str]] = set()
        self.skill_log: list[Json] = []
        self.skips: list[tuple[int, str]] = []
        self.down = False
        self.lists_slas = True
        self.schedules: dict[int, Json] = {}
        self.breaches: dict[int, datetime] = {}

    # what a test says

    def agent(self, user_id: int, *groups: int, **values: Any) -> None:
        """Make an agent; `manager=True` for a delegated administrator."""
        manager = values.pop("manager", False)
        self.users[user_id] = {
            "id": user_id,
            "role": "agent",
            "name": f"Agent {user_id}",
            "active": True,
            "suspended": False,
            "user_fields": {"playlist_manager": manager},
            **values,
        }
        self.memberships |= {(user_id, group) for group in groups}

    def ticket(self, ticket_id: int, **values: Any) -> Json:
        """Make a ticket; it is new and nobody's unless said otherwise."""
        now = self.stamp()
        self.tickets[ticket_id] = {
            "id": ticket_id,
            "status": "new",
            "created_at": now,
            "updated_at": now,
            "requester_id": 900 + ticket_id,
            "assignee_id": None,
            "group_id": None,
            "priority": None,
            "custom_fields": [],
            **values,
        }
        return self.tickets[ticket_id]

    def change(self, ticket_id: int, **values: Any) -> None:
        """Change a ticket as a person in Zendesk would."""
        self.tickets[ticket_id] |= {**values, "updated_at": self.stamp()}

    def conditions(self, view: int) -> Json:
        """Return what a view's conditions are; unless a test says so they ask about fields that are not kept."""
        unsolved = {"field": "status", "operator": "less_than", "value": "solved"}
        return {"all": [unsolved], "any": [], **self.view_conditions.get(view, {})}

    def delete(self, ticket_id: int) -> None:
        """Delete a ticket as a person would: only the export still tells of it."""
        self.deleted[ticket_id] = self.tickets.pop(ticket_id) | {
            "status": "deleted",
            "updated_at": self.stamp(),
        }

    def fault(self, route: str, **values: Any) -> None:
        """Let the next request of a route go wrong."""
        self.faults.append(Fault(route, **values))

    def slas(self, ticket_id: int) -> Json:
        """Return what Zendesk shows of a ticket's SLA: one metric that runs, one that is over."""
        at = self.breaches.get(ticket_id)
        done = {"metric": "first_reply_time", "stage": "completed", "breach_at": "2000-01-01T00:00:00Z"}
        running = {
            "metric": "next_reply_time",
            "stage": "active",
            "breach_at": at.isoformat() if at else None,
        }
        return {"policy_metrics": [done, running] if at else [done]}

    def stamp(self) -> str:
        """Return the present instant, in whole seconds, in Zendesk's spelling."""
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    async def of(
        self, account: AccountId, transport: httpx2.AsyncBaseTransport | None = None
    ) -> ZendeskClient:
        """Implements the port `Zendesk`; `down` stands for an auth or a Zendesk that does not answer."""
        if self.down:
            raise DependencyUnavailableError("out of reach")
        http = httpx2.AsyncClient(transport=transport or self)
        budget = Budget(clock=self.waits)
        return ZendeskClient(
            "http://acme.zendesk.com", StaticToken("t"), http, self.clock, budget, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        """Wait for Zendesk on a clock of its own: no test waits for it."""
        self.waits.advance(timedelta(seconds=seconds))

    # the transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v2/")
        line = f"{request.method} {path}"
        self.calls.append(line)
        fault = next((f for f in self.faults if f.times and re.fullmatch(f.route, line)), None)
        if fault is not None:
            fault.times -= 1
            if fault.first is not None:
                fault.first()
            if fault.status:
                return httpx2.Response(fault.status, json={"error": "Fault"}, headers=fault.headers)
        query = {k: v[0] for k, v in parse_qs(request.url.query.decode()).items()}
        body = json.loads(await request.aread() or b"{}")
        try:
            answer = self._answer(request.method, path, query, body)
        except RefusalError as refusal:
            return httpx2.Response(refusal.status, json={"error": refusal.error})
        if fault is not None and fault.lost:
            raise httpx2.ReadError("the answer is lost")
        return httpx2.Response(200, json=answer)

    def _answer(self, method: str, path: str, query: dict[str, str], body: Json) -> Json:
        parts = path.split("/")
        match method, *parts:
            case "GET", "users":
                role = query["role"]
                return {"users": [u for u in self.users.values() if u["role"] == role and u["active"]]}
            case "GET", "users", user_id:
                return {"user": self._user(user_id)}
            case "PUT", "users", user_id:
                user = self._user(user_id)
                user["user_fields"] |= body["user"]["user_fields"]
                return {"user": user}
            case "GET", "users", user_id, "group_memberships":
                return self._memberships(m for m in self.memberships if m[0] == int(user_id))
            case "GET", "group_memberships":
                return self._memberships(self.memberships)
            case "GET", "groups":
                return {"groups": [{"id": g, "name": f"Group {g}"} for g in {m[1] for m in self.memberships}]}
            case "GET", "views":
                return {"views": [{"id": v, "title": f"View {v}", "active": True} for v in self.views]}
            case "GET", "views", *rest if rest:
                return self._view(rest, query)
            case _, ("user_fields" | "ticket_fields") as kind:
                return self._field(method, kind, body)
            case _, "webhooks" | "triggers", *_:
                return self._hook(method, parts, body)
        return self._ticket_answer(method, parts, query, body)

    def _view(self, rest: list[str], query: dict[str, str]) -> Json:
        if rest == ["show_many"]:
            shown = [view for view in map(int, query["ids"].split(",")) if view in self.views]
            ungrouped = {"execution": {"group_by": None}}
            return {"views": [{"id": v, "conditions": self.conditions(v), **ungrouped} for v in shown]}
        holds = self.views.get(int(rest[0]))
        if holds is None:
            raise RefusalError(404, "RecordNotFound")
        rows = [t for t in self.tickets.values() if holds(t)]
        if query.get("sort_by") == "updated":
            rows.sort(key=lambda t: str(t["updated_at"]), reverse=query["sort_order"] == "desc")
        size = self.view_page or int(query["page[size]"])
        begin = int(query.get("page[after]", "0"))
        more = begin + size < len(rows)
        meta = {"has_more": more, "after_cursor": str(begin + size) if more else None}
        return {"tickets": rows[begin : begin + size], "meta": meta}

    def _schedules(self, rest: list[str]) -> Json:
        if rest:
            holidays = self.schedules[int(rest[0])]["holidays"]
            return {
                "holidays": [
                    {"id": n, "name": "", "start_date": first, "end_date": last}
                    for n, (first, last) in enumerate(holidays, 1)
                ]
            }
        return {"schedules": list(self.schedules.values())}

    def schedule(self, schedule_id: int, zone: str, *intervals: tuple[int, int], **values: Any) -> None:
        """Make a schedule; `holidays` = (first, last) dates."""
        week = [{"start_time": start, "end_time": end} for start, end in intervals]
        self.schedules[schedule_id] = {
            "id": schedule_id,
            "time_zone": zone,
            "intervals": week,
            "holidays": values.get("holidays", ()),
        }

    def _ticket_answer(self, method: str, parts: list[str], query: dict[str, str], body: Json) -> Json:
        match method, *parts:
            case "GET", "tickets", "show_many":
                wanted = [int(i) for i in query["ids"].split(",")]
                found = [self.tickets[i] for i in wanted if i in self.tickets]
                slas = query.get("include") == "slas" and self.lists_slas
                return {"tickets": [t | {"slas": self.slas(t["id"])} if slas else t for t in found]}
            case "GET", "tickets", ticket_id if query.get("include") == "slas":
                return {"ticket": self.tickets[int(ticket_id)] | {"slas": self.slas(int(ticket_id))}}
            case "GET", "business_hours", "schedules", *rest:
                return self._schedules(rest)
            case "GET", "routing", *rest:
                return self._routing(rest, query)
            case "GET", "incremental", "routing", "instance_values":
                start = int(query.get("cursor", "0"))
                rows = self.skill_log[start : start + 3]
                after = f"http://acme.zendesk.com/api/v2/incremental/routing/instance_values?cursor={start + len(rows)}"
                return {"instance_values": rows, "next_page": after, "count": len(rows)}
            case "GET", "users", user_id, "tickets", "requested":
                return {"tickets": [t for t in self.tickets.values() if t["requester_id"] == int(user_id)]}
            case "GET", "tickets", ticket_id if ticket_id.isdigit():
                return {"ticket": self.tickets[int(ticket_id)]}
            case "PUT", "tickets", "update_many":
                results = [self._row(change) for change in body["tickets"]]
                return {"job_status": {"id": "j1", "status": "completed", "results": results}}
            case "PUT", "tickets", ticket_id:
                return {"ticket": self._update(int(ticket_id), body["ticket"])}
            case "GET", "incremental", "tickets", "cursor":
                return self._export(query)
        return self._mark(method, parts, body)

    def _mark(self, method: str, parts: list[str], body: Json) -> Json:
        match method, *parts:
            case "PUT" | "DELETE", "tickets", ticket_id, "tags":
                row = self.tickets[int(ticket_id)]
                given, kept = set(body["tags"]), set(row.get("tags", ()))
                row |= {
                    "tags": sorted(kept | given if method == "PUT" else kept - given),
                    "updated_at": self.stamp(),
                }
                return {"tags": row["tags"]}
            case "POST", "skips":
                self.skips.append((body["skip"]["ticket_id"], body["skip"]["reason"]))
                return {"skip": {"id": len(self.skips), "user_id": 1, **body["skip"]}}
        raise RefusalError(404, "InvalidEndpoint")

    def skill(self, owner: int, *skills: str, kind: str = "ticket", holds: bool = True) -> None:
        """Give an agent or a ticket skills, or take them away."""
        for skill in skills:
            if kind == "agent":
                change = self.agent_skills.add if holds else self.agent_skills.discard
                change((owner, skill))
            row = {
                "id": f"log-{len(self.skill_log)}",
                "instance_id": owner,
                "attribute_value_id": skill,
                "type": f"{'' if holds else 'un'}associate_{kind}",
                "time": self.stamp(),
            }
            self.skill_log.append(row)

    def _routing(self, rest: list[str], query: dict[str, str]) -> Json:
        match rest:
            case ["attributes"]:
                return {"attributes": [{"id": "lang", "name": "Language"}], "count": 1}
            case ["attributes", "lang", "values"]:
                return {"attribute_values": [{"id": s, "name": s.title()} for s in self.skills], "count": 2}
            case ["agents", "instance_values"]:
                wanted = {int(i) for i in query["filter[agent_ids]"].split(",")}
                rows = sorted(pair for pair in self.agent_skills if pair[0] in wanted)
                return {
                    "instance_values": [
                        {"id": f"{a}-{s}", "agent_id": a, "attribute_value_id": s} for a, s in rows
                    ]
                }
        raise RefusalError(404, "InvalidEndpoint")

    def _user(self, user_id: str) -> Json:
        if int(user_id) not in self.users:
            raise RefusalError(404, "RecordNotFound")
        return self.users[int(user_id)]

    @staticmethod
    def _memberships(pairs: Iterable[tuple[int, int]]) -> Json:
        rows = [{"id": n, "user_id": u, "group_id": g} for n, (u, g) in enumerate(sorted(pairs), 1)]
        return {"group_memberships": rows}

    def _field(self, method: str, kind: str, body: Json) -> Json:
        if method == "GET":
            return {kind: self.fields[kind]}
        made = {"id": 500 + sum(map(len, self.fields.values())), **body[kind[:-1]]}
        self.fields[kind].append(made)
        return {kind[:-1]: made}

    def _hook(self, method: str, parts: list[str], body: Json) -> Json:
        if parts[-1] == "signing_secret":
            return {"signing_secret": {"secret": SECRET}}
        rows: list[Json] = getattr(self, parts[0])
        if method == "GET":
            return {parts[0]: rows}
        one = parts[0][:-1]
        if method == "POST":
            row: Json = {"id": f"W{len(rows) + 1}" if one == "webhook" else len(rows) + 1, "active": True}
            rows.append(row)
        else:
            row = next(r for r in rows if str(r["id"]) == parts[1])
        row |= body[one]
        return {one: row}

    def _row(self, change: Json) -> Json:
        try:
            self._update(change["id"], change)
        except RefusalError as refusal:
            return {"id": change["id"], "success": False, "error": refusal.error}
        return {"id": change["id"], "success": True}

    def _update(self, ticket_id: int, change: Json) -> Json:
        ticket = self.tickets.get(ticket_id)
        if ticket is None:
            raise RefusalError(404, "RecordNotFound")
        if change.get("safe_update") and change["updated_stamp"] < ticket["updated_at"]:
            raise RefusalError(409, "UpdateConflict")
        assignee = change.get("assignee_id", ticket["assignee_id"])
        group = change.get("group_id", ticket["group_id"])
        agent = self.users.get(assignee or 0)
        if assignee and (agent is None or agent["suspended"] or (assignee, group) not in self.memberships):
            raise RefusalError(422, "RecordInvalid")
        if ticket["status"] == "closed" or ticket.get("locked"):
            raise RefusalError(422, "RecordInvalid")
        self.updates.append({**change, "before": ticket["assignee_id"]})
        values = {f["id"]: f["value"] for f in ticket["custom_fields"]}
        values |= {f["id"]: f["value"] for f in change.get("custom_fields", [])}
        ticket |= {
            "assignee_id": assignee,
            "group_id": group,
            "status": "open" if ticket["status"] == "new" else ticket["status"],
            "updated_at": self.stamp(),
            "tags": sorted({*ticket.get("tags", ()), *change.get("additional_tags", ())}),
            "custom_fields": [{"id": k, "value": v} for k, v in values.items()],
        }
        if "comment" in change:
            self.comments.setdefault(ticket_id, []).append(change["comment"])
        self.writes.append((ticket_id, assignee or 0))
        return ticket

    def _export(self, query: dict[str, str]) -> Json:
        after: tuple[datetime, int]
        if "cursor" in query:
            at, number = query["cursor"].split("|")
            after = (datetime.fromisoformat(at), int(number))
        else:
            after = (datetime.fromtimestamp(int(query["start_time"]), self.clock.now().tzinfo), 0)
        now = self.clock.now()
        rows = sorted([*self.tickets.values(), *self.deleted.values()], key=_position)
        rows = [t for t in rows if _position(t) > after and (now - _position(t)[0]).total_seconds() > 60]
        last = _position(rows[-1]) if rows else after
        return {"tickets": rows, "after_cursor": f"{last[0].isoformat()}|{last[1]}", "end_of_stream": True}


def _position(ticket: Json) -> tuple[datetime, int]:
    return datetime.fromisoformat(ticket["updated_at"]), int(ticket["id"])
