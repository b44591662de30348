"""CreateRequest: the receipt is stored first, the plan is made at once if everybody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from libs.kernel.clock import Clock
from libs.kernel.errors import FieldViolation, InvalidRequestError, NotBuiltError
from libs.kernel.ids import AccountId, IdSource
from services.privacy.app.evidence import EventType
from services.privacy.app.make_plan import MakePlan, Plan
from services.privacy.app.people import People
from services.privacy.app.ports import RequestRow, StepRow, Store, Transaction, Vault
from services.privacy.app.run_step import LEASE_SECONDS, RunStep
from services.privacy.domain.errors import DuplicateRequestError, LegalHoldError
from services.privacy.domain.identity import Identity, fault, users
from services.privacy.domain.plan import PLAN
from services.privacy.domain.states import NodeState, State

ERASURE = "ERASURE"
METHOD = "/setlist.privacy.v1.PrivacyService/CreateRequest"
_ELSEWHERE = {
    "ACCESS": "the export of a person's data is not built yet",
    "PORTABILITY": "the export of a person's data is not built yet",
    "RECTIFICATION": "rectification is not built yet: change the profile in Zendesk, it is synced from there",
    "RESTRICTION": "restriction as a request is not built yet: call SetRestriction, it is in force at once",
    "OBJECTION": "objection as a request is not built yet: call SetRestriction with the uses concerned",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked.

    Attributes:
        auto: approve the plan as soon as it stands.
        request_id: made by the caller; empty = none.
        body: the call, serialised deterministically; kept as a keyed hash only.
    """

    kind: str
    identities: Sequence[Identity]
    auto: bool = False
    request_id: str = ""
    body: bytes = b""


def require_identities(identities: Sequence[Identity], field: str = "identities") -> None:
    """Check identities.

    Raises:
        InvalidRequestError: naming every bad one by its place, never by its value.
    """
    faults = [(place, fault(identity)) for place, identity in enumerate(identities)]
    bad = [FieldViolation(f"{field}[{place}].value", why) for place, why in faults if why]
    if bad:
        raise InvalidRequestError("the request names a person in a wrong form", violations=bad)


class CreateRequest:
    """Takes a request of a person."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        people: People,
        make_plan: MakePlan,
        run_step: RunStep,
        clock: Clock,
        ids: IdSource,
        wake: asyncio.Event,
    ) -> None:
        self._store = store
        self._vault = vault
        self._people = people
        self._make_plan = make_plan
        self._run_step = run_step
        self._clock = clock
        self._ids = ids
        self._wake = wake

    async def preview(self, account: AccountId, asked: Asked) -> tuple[RequestRow, Plan]:
        """Return the request as it would be, and its plan; keep nothing.

        Raises:
            as `__call__`; nothing is recorded.
        """
        self._check(asked)
        plan = await self._make_plan(account, asked.identities)
        person = await self._people.token(account, asked.identities)
        async with self._store.transaction(account) as tx:
            await self._require_free(
                tx, [*await self._people.tokens(account, asked.identities), *plan.tokens]
            )
            active = await tx.active(person, asked.kind)
        if active is not None:
            raise _duplicate(active)
        now = self._clock.now()
        state = State.REFUSED if plan.refusal else State.RECEIVED if plan.missing else State.AWAITING_APPROVAL
        row = RequestRow("", asked.kind, state, person, None, asked.auto, now, now)
        return row, plan

    async def __call__(self, account: AccountId, asked: Asked, subject: str) -> str:
        """Take a request and return its id; the same `request_id` and body return the first one's.

        Args:
            subject: who acts, `user:{id}` or `service:{name}`.

        Raises:
            NotBuiltError: the kind, or a person without a Zendesk user id.
            InvalidRequestError: an identity has a wrong form.
            RequestIdReusedError: the id came with another body.
            LegalHoldError: a hold is in force; the attempt is recorded.
            DuplicateRequestError: an active request of this kind exists for the person.
        """
        self._check(asked)
        body = (await self._people.digest(account, asked.body)).encode()
        async with self._store.transaction(account) as tx:
            known = await tx.answers.find(account, asked.request_id, METHOD, body)
        if known is not None:
            return known.decode()
        now, request = self._clock.now(), self._ids.new("req")
        row = RequestRow(
            id=request,
            kind=asked.kind,
            state=State.RECEIVED,
            commitment=await self._people.token(account, asked.identities),
            identities=await self._vault.seal(account, request, asked.identities),
            auto=asked.auto,
            received_at=now,
            updated_at=now,
            approved_by=await self._people.actor(account, subject) if asked.auto else "",
        )
        try:
            step = await self._keep(account, asked, row, body, subject)
        except Exception:
            await self._vault.drop(account, request)
            raise
        await self._run_step(account, request, step)
        self._wake.set()
        return request

    async def _keep(
        self, account: AccountId, asked: Asked, row: RequestRow, body: bytes, subject: str
    ) -> StepRow:
        """Store the request, its first step taken by us already."""
        tokens, now = await self._people.tokens(account, asked.identities), row.received_at
        actor = await self._people.actor(account, subject)
        try:
            async with self._store.transaction(account) as tx:
                await self._require_free(tx, tokens)
                active = await tx.add_request(row)
                if active is not None:
                    raise _duplicate(active)
                await tx.answers.remember(account, asked.request_id, METHOD, body, row.id.encode())
                await tx.add_steps([StepRow(row.id, PLAN, 0, NodeState.PENDING, now)])
                step = await tx.take_step(row.id, PLAN, LEASE_SECONDS)
                facts = {"kind": row.kind, "actor": actor, "person": row.commitment}
                await tx.event(EventType.RECEIVED, row.id, facts, now)
        except LegalHoldError as error:
            async with self._store.transaction(account) as tx:
                facts = {"hold": error.metadata["hold"], "person": row.commitment, "actor": actor}
                await tx.event(EventType.HELD, "", facts, now)
            raise
        if step is None:
            raise AssertionError("a step of our own open transaction was taken by another")
        return step

    @staticmethod
    def _check(asked: Asked) -> None:
        if asked.kind != ERASURE:
            raise NotBuiltError(_ELSEWHERE[asked.kind])
        require_identities(asked.identities)
        if not users(asked.identities):
            raise NotBuiltError(
                "finding a person by other identities is not built yet: give a Zendesk user id"
            )

    @staticmethod
    async def _require_free(tx: Transaction, tokens: Sequence[str]) -> None:
        hold = await tx.held(tokens)
        if hold is not None:
            raise LegalHoldError("a legal hold forbids the erasure", metadata={"hold": hold.id})


def _duplicate(active: str) -> DuplicateRequestError:
    return DuplicateRequestError(
        "the person has an active request of this kind", metadata={"request": active}
    )
