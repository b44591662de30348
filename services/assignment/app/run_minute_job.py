"""RunMinuteJob: catch up with Zendesk, decide for what waits, write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from libs.zendesk.errors import ZendeskError
from libs.zendesk.exports import Checkpoint
from services.assignment.app.absences import Absences
from services.assignment.app.answer_offer import ExpireOffers
from services.assignment.app.copies import facts_of
from services.assignment.app.count_usage import CountUsage
from services.assignment.app.ports import Store, Zendesk
from services.assignment.app.prefer import Prefer
from services.assignment.app.read_slas import ReadSlas
from services.assignment.app.read_views import ReadViews
from services.assignment.app.returned import ReturnedTickets
from services.assignment.app.route import Route
from services.assignment.app.rows import Account
from services.assignment.app.schedules import SyncSchedules
from services.assignment.app.status_history import RECORDS_KEPT
from services.assignment.app.sync_skills import SyncSkills
from services.assignment.app.write_outbox import WriteOutbox
from services.assignment.domain.errors import NotSyncedError

INVOCATIONS_KEPT = timedelta(hours=24)
"""Longer than any retry of Zendesk's, and than the window of a webhook's timestamp (facts: Zendesk, decision 3)."""
INPUTS_KEPT = timedelta(days=90)
"""How long a decision can be decided again; ours: the longest that a quarter's complaint takes."""
EXCEPTIONS_KEPT = timedelta(days=30)
"""How long leave and overtime that are over can be looked up; ours: a month's pay. Decisions keep who was off shift."""
DECLINES_KEPT = timedelta(days=30)
"""How long it counts who declined a ticket that may come back; ours."""
CALLS_AT_REST = 3
"""An account in which nothing happens costs fewer calls a minute, but for the minutes in which schedules are copied."""
AT_ONCE = 1000
"""How many rows of a kind one run forgets, so that no run takes long."""
CATCH_UP_FROM = timedelta(minutes=5)
"""How long before the last sync the export is read from when nothing better is known."""


@dataclass(slots=True)
class JobDone:
    """What one run did; assignments are (ticket, agent, decision), and time alone changes something at `next_at`."""

    considered: int = 0
    written: int = 0
    waiting: int = 0
    next_at: datetime | None = None
    assignments: list[tuple[int, int, str]] = field(default_factory=list)


class RunMinuteJob:
    """The minute job of one account; safe to run twice, at once, and to be killed at any line."""

    def __init__(
        self,
        store: Store,
        zendesk: Zendesk,
        route: Route,
        prefer: Prefer,
        absences: Absences,
        returned: ReturnedTickets,
        skills: SyncSkills,
        schedules: SyncSchedules,
        write: WriteOutbox,
        clock: Clock,
        inputs_kept: timedelta = INPUTS_KEPT,
        records_kept: timedelta = RECORDS_KEPT,
    ) -> None:
        self._store = store
        self._zendesk = zendesk
        self._route = route
        self._prefer = prefer
        self._absences = absences
        self._returned = returned
        self._skills = skills
        self._schedules = schedules
        self._write = write
        self._clock = clock
        self._inputs_kept = inputs_kept
        self._records_kept = records_kept
        self._read_slas = ReadSlas(store, zendesk, clock)
        self._read_views = ReadViews(store, zendesk, prefer, clock)
        self._count_usage = CountUsage(store, clock)
        self._expire = ExpireOffers(store, route, absences, clock)

    async def __call__(self, account: AccountId, *, catch_up: bool, wait_for_writes: bool) -> JobDone:
        """Run what is due.

        Raises:
            NotSyncedError: the account is unknown.
        """
        busy = False
        if catch_up:
            busy = await self._catch_up(account)
            await self._follow_skills(account, busy=busy)
            await self._schedules.when_due(account)
        done = JobDone()
        async with self._store.transaction(account) as tx:
            queues = [q for q in await tx.directory.queues() if q.state == "active"]
        await self._absences.sweep(account)
        await self._expire(account)
        busy |= bool(await self._read_views(account, queues))
        await self._returned(account)
        await self._prefer.resume(account)
        now = self._clock.now()  # one instant for the whole run: batch sizes count by run
        for queue in queues:
            if queue.use_sla:
                await self._read_slas(account, queue)
            routed = await self._route(account, queue.id, f"{queue.id}/{now:%Y-%m-%dT%H:%MZ}", now)
            done.considered += routed.considered
            done.next_at = min((at for at in (done.next_at, routed.next_at) if at is not None), default=None)
            done.assignments += [(d.ticket, d.agent, i) for i, d in routed.news if d.agent is not None]
        if wait_for_writes or done.assignments:
            done.written = (await self._write(account)).confirmed
        async with self._store.transaction(account) as tx:
            await tx.tickets.forget_invocations(now - INVOCATIONS_KEPT)
            await tx.decisions.forget_changes()
            await tx.decisions.forget_inputs(now - self._inputs_kept, AT_ONCE)
            await tx.offers.forget_declines(now - DECLINES_KEPT, AT_ONCE)
            await tx.schedules.forget_exceptions(now - EXCEPTIONS_KEPT, AT_ONCE)
            await tx.statuses.forget(now - self._records_kept, AT_ONCE)
            await tx.skills.forget_ended(AT_ONCE)
            done.waiting = await tx.tickets.waiting()
        await self._count_usage(account)
        if catch_up:
            await self._measure(account, at_rest=not busy and not done.assignments)
        return done

    async def _measure(self, account: AccountId, *, at_rest: bool) -> None:
        """Tell how many calls the account cost since the last run."""
        calls = (await self._zendesk.of(account)).measures.minute(at_rest=at_rest)
        if at_rest and calls >= CALLS_AT_REST:
            get_logger().info("calls at rest", account=account, calls=calls)

    async def _catch_up(self, account: AccountId) -> bool:
        """Read the incremental export: what no webhook told us. The cursor moves with what it brought.

        Returns:
            Whether it brought anything.
        """
        client, busy = await self._zendesk.of(account), False
        while True:
            async with self._store.transaction(account) as tx:
                kept = await tx.directory.account()
            if kept is None:
                raise NotSyncedError("nothing is known of this account yet: sync it first")
            page = await client.tickets.changed(_checkpoint(kept))
            rows = {t.id: t for t in page.rows}
            async with self._store.transaction(account) as tx:
                # As ever before any row: a webhook that has the lock and its ticket wants others of these next.
                await tx.decisions.lock()
                facts = [facts_of(t) for t in rows.values()]
                await self._prefer.store(tx, facts)
                await tx.views.heard(facts, self._clock.now())
                await tx.directory.move_cursor(kept.export_cursor, page.checkpoint.encode())
            busy |= bool(rows)
            if page.end_of_stream:
                return busy

    async def _follow_skills(self, account: AccountId, *, busy: bool) -> None:
        async with self._store.transaction(account) as tx:
            kept = await tx.directory.account()
        if kept is None or not kept.options.skills:
            return
        try:
            await self._skills.when_due(account, busy=busy)
        except ZendeskError as error:
            # Old skills are better than no round: other queues do not even look at them.
            get_logger().warning(
                "skills are not fresh", account=account, status=error.status, route=error.route
            )


def _checkpoint(account: Account) -> Checkpoint:
    """Return how far the export was read."""
    kept = account.export_cursor
    try:
        return Checkpoint.decode(kept)
    except ValueError:  # nothing yet, or Zendesk's bare cursor as it was kept before
        return Checkpoint(kept, int((account.synced_at - CATCH_UP_FROM).timestamp()))
