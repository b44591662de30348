"""What a call decides on: the account's present in memory, or the part of it that the call needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from libs.decision.snapshot import Snapshot
from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from services.policy.app.asked import Freshness
from services.policy.app.engine import Engine
from services.policy.app.ports import AccountSettings, Reading, State, Store
from services.policy.domain.errors import RevisionNotKeptError, RevisionUnknownError

Need: TypeAlias = Callable[[Reading, int, int | None], Awaitable[Snapshot]]
"""Reads the part that a call needs: transaction, revision, and the same again unless it is the present."""


class Basis(NamedTuple):
    """One state of an account.

    Attributes:
        now: second of the epoch at which relationships count.
        redacted: whether somebody was erased from this state since.
        lag_ms: since it was known to be the present one.
    """

    snapshot: Snapshot
    now: float
    settings: AccountSettings
    redacted: bool = False
    lag_ms: int = 0

    @property
    def revision(self) -> int:
        """The state's revision."""
        return self.snapshot.revision


class Bases:
    """Finds the state that a call is to decide on."""

    def __init__(self, store: Store, engine: Engine, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock

    async def on(self, account: AccountId, freshness: Freshness, need: Need) -> Basis:
        """Return the state; a call uses it to its end, a batch too.

        Raises:
            RevisionUnknownError: a token or revision that the database does not have.
            RevisionNotKeptError: the past that is asked for is not kept.
            DependencyUnavailableError: the database does not answer.
        """
        if freshness.exact is not None or freshness.exact_time is not None:
            return await self._past(account, freshness, need)
        current = await self._engine.current(account, freshness)
        now = self._clock.now().timestamp()
        snapshot, lag_ms = current.snapshot, int(current.lag_seconds * 1000)
        if snapshot is None:
            async with self._store.snapshot(account) as tx:
                state = await tx.state()
                snapshot = await need(tx, state.revision, None)
        return Basis(snapshot, now, current.settings, lag_ms=lag_ms)

    async def _past(self, account: AccountId, freshness: Freshness, need: Need) -> Basis:
        async with self._store.snapshot(account) as tx:
            state, settings = await tx.state(), await tx.settings()
            revision = await kept_revision(tx, state, freshness)
            written = await tx.written(revision)
            now = freshness.now
            if now is None and freshness.exact_time is not None:
                now = freshness.exact_time.timestamp()
            if now is None:
                now = (written.at if written else self._clock.now()).timestamp()
            snapshot = await need(tx, revision, revision)
        return Basis(snapshot, now, settings, redacted=revision < state.redacted)


async def kept_revision(tx: Reading, state: State, freshness: Freshness) -> int:
    """Return the revision that is asked for; the present one, when none is.

    Raises:
        RevisionUnknownError: the database does not have it.
        RevisionNotKeptError: it is older than what is kept.
    """
    if freshness.exact_time is not None:
        found = await tx.revision_at(freshness.exact_time)
        before_the_first = 0 if state.oldest == 0 else state.oldest - 1
        revision = before_the_first if found is None else found
    else:
        revision = state.revision if freshness.exact is None else freshness.exact
    if max(revision, freshness.at_least) > state.revision:
        raise RevisionUnknownError(f"revision {max(revision, freshness.at_least)} is not in the database")
    if revision < state.oldest:
        raise RevisionNotKeptError(
            f"revision {revision} is not kept: the oldest is {state.oldest}",
            metadata={"oldest": str(state.oldest)},
        )
    return revision
