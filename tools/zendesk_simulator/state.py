"""The state of one account, in memory. One event loop writes, so each request is atomic between awaits."""

from __future__ import annotations

import bisect
import secrets
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from libs.kernel.clock import Clock
from tools.zendesk_simulator.clock import stamp
from tools.zendesk_simulator.faults import Faults

Row = dict[str, Any]
REGIMES = ("enforced", "legacy")
"""Whether access tokens expire when nobody asks for it (facts: Zendesk §1.2)."""
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")


@dataclass(slots=True)
class Token:
    """One OAuth token pair."""

    id: int
    access: str
    refresh: str | None
    user_id: int
    client_id: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    refresh_expires_at: datetime | None
    used_at: datetime | None = None


@dataclass(slots=True)
class Code:
    """One authorisation code."""

    user_id: int
    client_id: str
    redirect_uri: str
    scope: str
    challenge: str | None
    expires_at: datetime


@dataclass(slots=True)
class App:
    """An app of ours, uploaded by a developer."""

    id: int
    guid: str
    name: str
    url: str
    parameters: list[Row]
    domain_whitelist: list[str]
    key: rsa.RSAPrivateKey


@dataclass(slots=True)
class Job:
    """A background job; its answer is ready from `done_at` on."""

    id: str
    type: str
    total: int | None
    created_at: float
    done_at: float
    results: Any
    work: Row | None = None
    """What is still to be done; None = its effects are done."""
    outcome: str = "completed"
    """How it ends: `completed`, `failed`, or `never` (faults)."""
    rows: int | None = None
    """How many rows it does before it fails; None = all (faults)."""


class Account:
    """Everything of one Zendesk account.

    Attributes:
        tables: rows of the smaller resources by name and key.
        streams: rows that are only appended to, in time order, by name (exports).
        touched: ids of tickets in the order of their changes; the views read it to keep their results.
        regime: one of `REGIMES`.
        requests: the last thousand.
        stale: answers of views that a fault keeps, by address.
        waiting: ids of jobs whose work is still to be done, in order of their start.
        next_sweep: Unix time at which the trash, the archive and old jobs are looked through again.
    """

    def __init__(self, subdomain: str, clock: Clock, plan: str, job_seconds: float) -> None:
        self.subdomain = subdomain
        self.id = 1_000_000 + secrets.randbelow(9_000_000)
        self.clock = clock
        self.plan = plan
        self.job_seconds = job_seconds
        self.regime = "enforced"
        self.users: dict[int, Row] = {}
        self.groups: dict[int, Row] = {}
        self.memberships: dict[int, Row] = {}
        self.custom_roles: dict[int, Row] = {}
        self.user_fields: dict[int, Row] = {}
        self.ticket_fields: dict[int, Row] = {}
        self.tickets: dict[int, Row] = {}
        self.audits: dict[int, list[Row]] = defaultdict(list)
        self.comments: dict[int, list[Row]] = defaultdict(list)
        self.skips: list[Row] = []
        self.views: dict[int, Row] = {}
        self.triggers: dict[int, Row] = {}
        self.webhooks: dict[str, Row] = {}
        self.invocations: list[Row] = []
        self.clients: dict[str, Row] = {}
        self.codes: dict[str, Code] = {}
        self.by_email: dict[str, int] = {}
        self.tokens: dict[str, Token] = {}
        self.by_refresh: dict[str, Token] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Row] = {}
        self.jobs: dict[str, Job] = {}
        self.trash: dict[int, Row] = {}
        self.compliance: dict[int, list[Row]] = {}
        self.idempotency: dict[str, tuple[str, Row]] = {}
        self.windows: dict[str, tuple[int, int]] = {}
        self.faults = Faults()
        self.stale: dict[str, tuple[float, int, bytes]] = {}
        self.requests: deque[Row] = deque(maxlen=1000)
        self.counts: dict[str, int] = defaultdict(int)
        self._next: dict[str, int] = defaultdict(lambda: 1000)
        self._changes: dict[str, list[tuple[int, int]]] = {"tickets": [], "users": [], "organizations": []}
        self.tables: dict[str, dict[Any, Row]] = defaultdict(dict)
        self.streams: dict[str, list[Row]] = defaultdict(list)
        self.touched: list[int] = []
        self.waiting: list[str] = []
        self.next_sweep = 0.0
        self.by_requester: dict[int, set[int]] = defaultdict(set)
        self.outbox: list[tuple[str, bytes]] = []
        self.assignments: list[Row] = []

    def now(self) -> datetime:
        """The current instant, as this account's clock has it."""
        now = self.clock.now()
        return now + timedelta(seconds=self.faults.skew_seconds()) if self.faults else now

    def next_id(self, kind: str) -> int:
        """Return a new id; tickets count from 1, everything else from above 1000."""
        if kind == "ticket" and kind not in self._next:
            self._next[kind] = 0
        self._next[kind] += 1
        return self._next[kind]

    def reserve_id(self, kind: str, given: int) -> None:
        """Make later ids of a kind larger than a given one."""
        self._next[kind] = max(self._next[kind], given)

    @property
    def base(self) -> str:
        """The account's canonical address."""
        return f"https://{self.subdomain}.zendesk.com"

    def url(self, path: str) -> str:
        """Return a canonical `url` member."""
        return f"{self.base}/api/v2/{path}.json"

    def changed(self, kind: str, row: Row, *, event: bool = True) -> None:
        """Move a row's times and put it at the end of the export stream."""
        now = self.now()
        if event:
            row["updated_at"] = stamp(now)
        row["generated_timestamp"] = int(now.timestamp())
        bisect.insort(self._changes[kind], (row["generated_timestamp"], row["id"]))
        if kind == "tickets":
            self.touched.append(row["id"])

    def exported(self, kind: str, after: tuple[int, int], before: int, limit: int) -> tuple[list[Row], bool]:
        """Return rows changed after a position and before a second, in order, and whether that was all."""
        stream = self._changes[kind]
        rows = {"tickets": self.tickets, "users": self.users}.get(kind) or self.tables[kind]
        position = bisect.bisect_right(stream, after)
        found: list[Row] = []
        while position < len(stream) and len(found) < limit:
            at, row_id = stream[position]
            if at >= before:
                return found, True
            row = rows.get(row_id)
            if row is not None and row["generated_timestamp"] == at and (not found or found[-1] is not row):
                found.append(row)
            position += 1
        return found, position >= len(stream) or stream[position][0] >= before

    def groups_of(self, user_id: int) -> set[int]:
        """Return the groups an agent belongs to."""
        return {m["group_id"] for m in self.memberships.values() if m["user_id"] == user_id}


@dataclass(slots=True)
class World:
    """Every account of one simulator."""

    clock: Clock
    accounts: dict[str, Account] = field(default_factory=dict)

    def account(self, subdomain: str | None) -> Account | None:
        """Return an account by subdomain, the first one when none is named."""
        if subdomain is None:
            return next(iter(self.accounts.values()), None)
        return self.accounts.get(subdomain)

    def add(self, subdomain: str, plan: str = "enterprise_plus", job_seconds: float = 1.0) -> Account:
        """Make an empty account."""
        self.accounts[subdomain] = Account(subdomain, self.clock, plan, job_seconds)
        return self.accounts[subdomain]
