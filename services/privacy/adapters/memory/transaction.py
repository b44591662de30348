"""One transaction of the store in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.crypto.chain import GENESIS, chain_hash
from libs.db.requests import MemoryRequests, Requests
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.privacy.adapters.memory.tables import LONG_AGO, Held, Suppression, Tables
from services.privacy.app.evidence import chained
from services.privacy.app.ports import CertificateRow, EventRow, HoldRow, LedgerRow, RequestRow, StepRow
from services.privacy.domain.states import ENDED, NodeState

_TAKEN = (NodeState.PENDING, NodeState.WAITING)


class MemoryTransaction:
    """Implements the port `Transaction` on a copy of the tables."""

    def __init__(self, tables: Tables, account: AccountId, clock: Clock) -> None:
        self._tables = tables
        self._account = account
        self._clock = clock

    @property
    def answers(self) -> Requests:
        return MemoryRequests(self._tables.answers)

    # requests

    async def add_request(self, row: RequestRow) -> str | None:
        active = await self.active(row.commitment, row.kind)
        if active is None:
            self._tables.requests[self._account, row.id] = replace(row, version=1)
        return active

    async def active(self, commitment: str, kind: str) -> str | None:
        rows = [row for (account, _), row in self._tables.requests.items() if account == self._account]
        same = (r.id for r in rows if (r.commitment, r.kind) == (commitment, kind) and r.state not in ENDED)
        return next(same, None)

    async def request(self, request: str, *, for_update: bool = False) -> RequestRow | None:
        return self._tables.requests.get((self._account, request))

    async def put_request(self, row: RequestRow) -> None:
        key = (self._account, row.id)
        before = self._tables.requests.get(key)
        if before is not None:
            # A copy as JSON keeps it: what a caller changes later in his own list is not stored.
            preview = json.loads(json.dumps(row.preview))
            self._tables.requests[key] = replace(
                row,
                preview=preview,
                version=before.version + 1,
                kind=before.kind,
                commitment=before.commitment,
                received_at=before.received_at,
            )

    async def requests(self, before: str, limit: int, state: str | None) -> list[RequestRow]:
        rows = [row for (account, _), row in self._tables.requests.items() if account == self._account]
        chosen = [r for r in rows if (not before or r.id < before) and state in (None, r.state.value)]
        return sorted(chosen, key=lambda r: r.id, reverse=True)[:limit]

    # steps

    async def add_steps(self, rows: Sequence[StepRow]) -> None:
        for row in rows:
            self._tables.steps.setdefault((self._account, row.request, row.id), Held(row))

    def _held(self, request: str) -> list[tuple[tuple[str, ...], Held]]:
        return [(k, h) for k, h in self._tables.steps.items() if k[:2] == (self._account, request)]

    async def steps(self, *requests: str) -> list[StepRow]:
        now = self._clock.now()
        found = [
            replace(held.row, leased=held.lease_until > now)
            for request in requests
            for _, held in self._held(request)
        ]
        return sorted(found, key=lambda s: (s.request, s.position))

    async def take_step(self, request: str, step: str, lease_seconds: float) -> StepRow | None:
        key, now = (self._account, request, step), self._clock.now()
        held = self._tables.steps.get(key)
        if held is None or held.row.state not in _TAKEN or held.lease_until >= now or held.not_before > now:
            return None
        row = replace(held.row, run=held.row.run + 1)
        until = now + timedelta(seconds=lease_seconds)
        self._tables.steps[key] = replace(held, row=row, lease_until=until)
        return row

    def _ours(self, row: StepRow) -> Held | None:
        held = self._tables.steps.get((self._account, row.request, row.id))
        return held if held is not None and held.row.run == row.run else None

    async def finish_step(self, row: StepRow, *, wait_seconds: float = 0.0) -> bool:
        held = self._ours(row)
        if held is None:
            return False
        kept = replace(
            row,
            position=held.row.position,
            counts=json.loads(json.dumps(row.counts)),
            data=json.loads(json.dumps(dict(row.data))),
            leased=False,
        )
        later = self._clock.now() + timedelta(seconds=wait_seconds)
        self._tables.steps[self._account, row.request, row.id] = Held(kept, not_before=later)
        return True

    async def renew_step(self, row: StepRow, lease_seconds: float) -> bool:
        held, now = self._ours(row), self._clock.now()
        if held is None or held.lease_until <= now:
            return False
        until = now + timedelta(seconds=lease_seconds)
        self._tables.steps[self._account, row.request, row.id] = replace(held, lease_until=until)
        return True

    async def revive_steps(self, request: str, at: datetime) -> list[str]:
        revived = []
        for key, held in self._held(request):
            if held.row.state is NodeState.DEAD_LETTER:
                row = replace(held.row, state=NodeState.PENDING, attempts=0, updated_at=at)
                self._tables.steps[key] = replace(held, row=row, not_before=LONG_AGO)
                revived.append(row.id)
        return sorted(revived)

    async def rouse(self, request: str | None = None) -> None:
        for key, held in list(self._tables.steps.items()):
            mine = key[0] == self._account and request in (None, key[1])
            if mine and held.row.state is NodeState.WAITING:
                self._tables.steps[key] = replace(held, not_before=LONG_AGO)

    async def forget_step_data(self, request: str) -> None:
        for key, held in self._held(request):
            self._tables.steps[key] = replace(held, row=replace(held.row, data={}))

    # ledger and evidence

    async def intent(self, row: StepRow, token: str, at: datetime) -> bool:
        held = self._ours(row)
        if held is None:
            return False
        data = json.loads(json.dumps(dict(row.data)))
        kept = replace(held, row=replace(held.row, data=data))
        self._tables.steps[self._account, row.request, row.id] = kept
        self._enter(row, "INTENT", token, at)
        return True

    async def outcome(self, row: StepRow, token: str, at: datetime) -> None:
        self._enter(row, "OUTCOME", token, at)

    def _enter(self, row: StepRow, what: str, token: str, at: datetime) -> None:
        line = LedgerRow(row.request, row.id, row.run, what, token, at)
        self._tables.ledger.setdefault((self._account, row.request, row.id, row.run, what), line)

    async def ledger(self, request: str) -> list[LedgerRow]:
        lines = [line for key, line in self._tables.ledger.items() if key[:2] == (self._account, request)]
        return sorted(lines, key=lambda line: (line.step, line.run, line.what))

    async def event(self, type_: str, request: str, facts: Mapping[str, str], at: datetime) -> bytes:
        sequence, previous = await self.head()
        row = EventRow(sequence + 1, at, type_, request, dict(facts), b"")
        digest = chain_hash(previous, chained(self._account, row))
        before = self._tables.events.get(self._account, ())
        self._tables.events[self._account] = (*before, replace(row, hash=digest))
        return digest

    async def head(self) -> tuple[int, bytes]:
        rows = self._tables.events.get(self._account, ())
        return (rows[-1].sequence, rows[-1].hash) if rows else (0, GENESIS)

    async def events(self, after: int, limit: int) -> list[EventRow]:
        rows = self._tables.events.get(self._account, ())
        return [row for row in rows if row.sequence > after][:limit]

    async def put_certificate(self, row: CertificateRow) -> None:
        self._tables.certificates.setdefault((self._account, row.request), row)

    async def certificate(self, request: str) -> CertificateRow | None:
        return self._tables.certificates.get((self._account, request))

    # holds

    async def add_hold(self, row: HoldRow) -> None:
        self._tables.holds[self._account, row.id] = row

    async def hold(self, hold: str) -> HoldRow | None:
        return self._tables.holds.get((self._account, hold))

    async def release_hold(self, hold: str, at: datetime) -> HoldRow | None:
        row = await self.hold(hold)
        if row is None:
            return None
        released = replace(row, released_at=row.released_at or at)
        self._tables.holds[self._account, hold] = released
        return released

    async def holds(self, before: str, limit: int) -> list[HoldRow]:
        rows = [row for (account, _), row in self._tables.holds.items() if account == self._account]
        chosen = [row for row in rows if not before or row.id < before]
        return sorted(chosen, key=lambda row: row.id, reverse=True)[:limit]

    async def held(self, commitments: Sequence[str]) -> HoldRow | None:
        rows = sorted(await self.holds("", len(self._tables.holds)), key=lambda row: row.id)
        people = set(commitments)
        return next((r for r in rows if r.released_at is None and people & {*r.commitments}), None)

    # restrictions

    async def restrict(self, commitment: str, purposes: Sequence[int], *, restricted: bool) -> int:
        revision = await self.restriction_revision() + 1
        for purpose in purposes:
            self._tables.restrictions[self._account, commitment, purpose] = (revision, restricted)
        return revision

    async def restricted(self, commitments: Sequence[str], purposes: Sequence[int]) -> list[tuple[str, int]]:
        return [
            (commitment, purpose)
            for (account, commitment, purpose), (_, restricted) in self._tables.restrictions.items()
            if restricted and account == self._account and commitment in commitments and purpose in purposes
        ]

    async def restriction_revision(self) -> int:
        restrictions = [r for (a, _, _), (r, _) in self._tables.restrictions.items() if a == self._account]
        suppressions = [s.revision for k, s in self._tables.suppressions.items() if k[0] == self._account]
        return max([*restrictions, *suppressions], default=0)

    async def suppress(self, commitments: Sequence[str], request: str, at: datetime) -> int:
        revision = await self.restriction_revision() + 1
        for one in commitments:
            self._tables.suppressions[self._account, one] = Suppression(request, revision)
        return revision

    async def suppressed(self, commitments: Sequence[str]) -> list[str]:
        return [
            one for one in dict.fromkeys(commitments) if (self._account, one) in self._tables.suppressions
        ]
