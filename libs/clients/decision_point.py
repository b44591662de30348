"""An embedded decision point: follows one account of policy and decides in this process, in microseconds.

    point = DecisionPoint.to_policy(channels, tokens, account, clock)
    ...                                             # among the supervised loops: ("policy", point.follow)
    await point.caught_up(token)                    # once, or after a write
    if point.check(user_id, "update", "product", "p1").allowed: ...

The same answers, reasons and explanations as the service, for the same core decides (`libs.decision`). What it
does not do: it logs nothing, so what must be provable is asked of the service.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

import grpc

from libs.clients.channels import Channels
from libs.clients.context_tokens import ContextTokens, Metadata
from libs.decision.build import Builder
from libs.decision.decide import NOTHING_GIVEN, Decided, Given, decide
from libs.decision.lookups import Records, allowed_actions, allowed_records
from libs.decision.rows import User
from libs.decision.snapshot import EMPTY, Snapshot
from libs.decision.wire import decode
from libs.kernel.clock import Clock
from libs.kernel.errors import ErrorKind, Retry, SetlistError
from libs.kernel.ids import AccountId, account_name
from libs.telemetry.logs import get_logger
from setlist.policy.v1 import policy_service_pb2 as messages
from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceStub

if TYPE_CHECKING:
    from setlist.policy.v1.policy_service_pb2_grpc import PolicyServiceAsyncStub

POLICY = messages.DESCRIPTOR.services_by_name["PolicyService"]
BOUND_SECONDS = 5.0
"""How long ago policy was heard of, at most; it is heard of every second."""
FIRST_SECONDS = 60.0
"""How long policy may be silent before a stream's first state is complete: it may have to read the account first."""
RECONNECT_SECONDS = 0.5
Connect = Callable[[], Awaitable[tuple[grpc.aio.Channel, Metadata]]]


class NotCaughtUpError(SetlistError):
    """The state at hand is too old for the question; ask again, or ask the service."""

    kind = ErrorKind.UNAVAILABLE
    reason = "REVISION_AHEAD"
    retry = Retry.SAME


class Decision(NamedTuple):
    """An answer, with the state that it was made on.

    Attributes:
        decided: the answer with its reason; `tried` is filled when an explanation was asked for.
        revision: of the account.
        token: consistency token of that revision.
    """

    decided: Decided
    revision: int
    token: str

    @property
    def allowed(self) -> bool:
        """The answer."""
        return self.decided.allowed


class DecisionPoint:
    """Keeps a copy of one account and decides on it.

    Args:
        account: the tenant.
        connect: returns a channel to policy and the metadata of a call, for each new stream.
        clock: business time, for relationships that expire and for conditions.
        bound_seconds: how long policy may be silent before nothing is answered any more, and the stream is opened
            anew: a connection that is dead without a word would last for hours.
        first_seconds: how long it may be silent before the first state of a stream is complete.
        monotonic: seconds.
    """

    def __init__(
        self,
        account: AccountId,
        connect: Connect,
        clock: Clock,
        bound_seconds: float = BOUND_SECONDS,
        first_seconds: float = FIRST_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._connect = connect
        self._clock = clock
        self._bound = bound_seconds
        self._first = first_seconds
        self._monotonic = monotonic
        self._snapshot = EMPTY
        self._token = ""
        self._heard = float("-inf")
        self._failed = 0
        self._changed = asyncio.Event()

    @classmethod
    def to_policy(cls, channels: Channels, tokens: ContextTokens, account: AccountId, clock: Clock) -> Self:
        """Return a decision point of a service of the suite, in the service's own name."""

        async def connect() -> tuple[grpc.aio.Channel, Metadata]:
            metadata = await tokens.job(account, "policy")
            return channels.to("policy", [POLICY]), metadata

        return cls(account, connect, clock)

    @property
    def snapshot(self) -> Snapshot:
        """The state at hand, whatever its age."""
        return self._snapshot

    def check(
        self,
        user_id: int,
        action: str,
        object_type: str,
        record: str = "",
        *,
        acting: User | None = None,
        given: Given = NOTHING_GIVEN,
        at_least: str = "",
        explain: bool = False,
    ) -> Decision:
        """Decide one question.

        Args:
            action: create, read, update or delete.
            object_type: key of an object type, else of a relationship type; `object:{key}` and
                `relationship:{key}` are the one or the other only.
            record: empty = the type itself, or a record to be created.
            acting: the user with the role that a verified token states; it wins over the directory.
            given: attributes of the record and facts of the request, for conditions.
            at_least: consistency token: the answer sees that write.
            explain: whether to list every rule that was tried.

        Raises:
            NotCaughtUpError: the state is older than the token, or policy was silent for too long.
        """
        snapshot = self._fresh(at_least)
        decided = decide(
            snapshot,
            self._person(snapshot, user_id, acting),
            action,
            object_type,
            record,
            self._clock.now().timestamp(),
            given,
            explain=explain,
        )
        return Decision(decided, snapshot.revision, self._token)

    def actions(
        self,
        user_id: int,
        object_type: str,
        record: str = "",
        *,
        acting: User | None = None,
        given: Given = NOTHING_GIVEN,
        at_least: str = "",
    ) -> Sequence[str]:
        """Return what a user may do with a record; arguments and errors are those of `check`."""
        snapshot = self._fresh(at_least)
        person, now = self._person(snapshot, user_id, acting), self._clock.now().timestamp()
        return allowed_actions(snapshot, person, object_type, record, now, given)

    def records(
        self,
        user_id: int,
        action: str,
        object_type: str,
        *,
        acting: User | None = None,
        given: Given = NOTHING_GIVEN,
        at_least: str = "",
    ) -> Records:
        """Return the records that a user may act on; arguments and errors are those of `check`."""
        snapshot = self._fresh(at_least)
        person, now = self._person(snapshot, user_id, acting), self._clock.now().timestamp()
        return allowed_records(snapshot, person, action, object_type, now, given)

    async def caught_up(self, at_least: str = "") -> None:
        """Wait until the state is there, and sees a token's write; within the caller's own time-out."""
        while True:
            changed = self._changed
            try:
                self._fresh(at_least)
            except NotCaughtUpError:
                await changed.wait()
            else:
                return

    async def follow(self) -> None:
        """Follow policy for ever: a snapshot first, then what changes; connects anew when it is cut off."""
        while True:
            try:
                await self._follow()
            except grpc.aio.AioRpcError as error:
                self._miss(error.code().name)
            except SetlistError as error:
                self._miss(error.reason)
            except TimeoutError:
                self._miss("silent")
            await asyncio.sleep(RECONNECT_SECONDS)

    def _miss(self, why: str) -> None:
        """Note a stream that broke: the first time it is a connection's age or a replica that went."""
        self._failed += 1
        if self._failed > 1:
            get_logger().warning("policy is not followed", why=why)

    async def _follow(self) -> None:
        channel, metadata = await self._connect()
        request = messages.ReadChangesRequest(
            parent=account_name(self._account), after_revision=self._snapshot.revision
        )
        builder: Builder | None = None
        stub: PolicyServiceAsyncStub = PolicyServiceStub(channel)
        call, patience = stub.ReadChanges(request, metadata=metadata), self._first
        try:
            while True:
                async with asyncio.timeout(patience):
                    part = await call.read()
                if not isinstance(part, messages.ReadChangesResponse):  # the end of the stream
                    return
                if builder is None:
                    builder = Builder(EMPTY if part.snapshot else self._snapshot)
                builder.apply(decode(part.change) if part.change else ())
                if part.complete:
                    self._swap(builder.finish(part.revision), part.token)
                    builder, patience = None, self._bound
        finally:
            call.cancel()

    def _swap(self, snapshot: Snapshot, token: str) -> None:
        self._snapshot, self._token = snapshot, token
        self._heard, self._failed = self._monotonic(), 0
        self._changed.set()
        self._changed = asyncio.Event()

    def _fresh(self, at_least: str) -> Snapshot:
        snapshot = self._snapshot
        if self._monotonic() - self._heard > self._bound:
            raise NotCaughtUpError("policy was not heard of for too long")
        if at_least and _revision_of(at_least) > snapshot.revision:
            raise NotCaughtUpError("this copy has not caught up with the token yet")
        return snapshot

    @staticmethod
    def _person(snapshot: Snapshot, user_id: int, acting: User | None) -> User | None:
        known = snapshot.users.get(user_id)
        if acting is None or acting.id != user_id:
            return known
        if known is None:
            return acting
        return replace(known, role=acting.role, custom_role_id=acting.custom_role_id)


def _revision_of(token: str) -> int:
    """Return the revision in a token. Its MAC is policy's business: a forged one only makes its owner wait."""
    parts = token.split(".")
    if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit():
        raise NotCaughtUpError("that is no consistency token")
    return int(parts[1])
