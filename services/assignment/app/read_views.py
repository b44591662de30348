"""Reads the views that feed queues, as seldom as routing allows (facts: §2.1, §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from libs.zendesk.errors import ForbiddenError, RecordNotFoundError, ZendeskError
from libs.zendesk.models import Ticket
from services.assignment.app.copies import facts_of
from services.assignment.app.ports import Store, Zendesk
from services.assignment.app.prefer import Prefer
from services.assignment.app.rows import QueueRow
from services.assignment.domain.view_filter import ViewFilter
from services.assignment.domain.view_reads import (
    LONGEST,
    NEVER,
    News,
    ViewRead,
    changed_since,
    due,
    in_turn,
    swept_until,
)

CHECK_EVERY = timedelta(minutes=10)
"""How old a view's conditions may be; ours: people change them seldom, and one call shows a hundred."""
VIEWS_PER_CALL = 100
ROWS_PER_CALL = 100
NEWS_KEPT = timedelta(days=1)
"""How long it is remembered what changed while a view could not be read."""
READS_AT_ONCE = 60
"""Most views that one run reads because of changes; the others, whose content is younger, come with the next."""


class ReadViews:
    """Keeps what views hold; costs at most a call a minute while nothing changes, however many there are.

    What is known is kept with the account, so that another replica goes on where this one stopped.
    """

    def __init__(self, store: Store, zendesk: Zendesk, prefer: Prefer, clock: Clock) -> None:
        self._store = store
        self._zendesk = zendesk
        self._prefer = prefer
        self._clock = clock

    async def __call__(self, account: AccountId, queues: Sequence[QueueRow]) -> int:
        """Read what may have changed, and what is due; return how many views may have changed.

        A view that cannot be read keeps what it held, and does not hold up the others.

        Args:
            queues: active ones, in their order.
        """
        wanted = {q.source for q in queues if q.kind == "scheduled" and q.source}
        async with self._store.transaction(account) as tx:
            reads = await tx.views.reads()
            if surplus := reads.keys() - wanted:  # of a paused queue too: it begins anew
                await tx.views.forget(surplus)
        if not wanted:
            return 0
        reads = {view: reads.get(view, ViewRead(view)) for view in wanted}
        reads = await self._checked(account, reads)
        now = self._clock.now()
        known = [read.read_at for read in reads.values() if not read.gone]
        since = max(min(known, default=now), now - NEWS_KEPT) - LONGEST
        async with self._store.transaction(account) as tx:
            news = await tx.views.news(since)
            await tx.views.forget_news(since)
        views = dict(due([(q.kind, q.source) for q in queues], reads, news, now)[:READS_AT_ONCE])
        for view, told in views.items():
            await self._read(account, reads[view], told)
        turn = in_turn((read for read in reads.values() if read.view not in views), now)
        if turn is not None:
            await self._read(account, reads[turn], sweep=True)
        return len(views)

    async def _checked(self, account: AccountId, reads: Mapping[int, ViewRead]) -> dict[int, ViewRead]:
        """Return what is known of views, with their conditions as they are now where these are old."""
        now, found = self._clock.now(), dict(reads)
        if all(abs(now - read.checked_at) < CHECK_EVERY for read in reads.values()):
            return found
        asked = sorted(reads, key=lambda view: (reads[view].checked_at, view))[:VIEWS_PER_CALL]
        try:
            shown = await (await self._zendesk.of(account)).views.show_many(asked)
        except (ZendeskError, DependencyUnavailableError) as error:
            get_logger().warning(
                "conditions of views are not fresh", account=account, why=type(error).__name__
            )
            return found
        filters = {v.id: ViewFilter.of(v.conditions, grouped=v.grouped) for v in shown}
        for view in asked:
            found[view] = _compared(reads[view], filters.get(view), now)
        async with self._store.transaction(account) as tx:
            for view in asked:
                await tx.views.put(found[view], reads[view].read_at)
        return found

    async def _read(
        self, account: AccountId, read: ViewRead, told: Sequence[News] = (), *, sweep: bool = False
    ) -> None:
        now = self._clock.now()  # before the answer: what changes meanwhile is read again
        answer = await self._answer(account, read, changed_since(read, told))
        if answer is None:
            return
        tickets, whole = answer
        after = replace(read, read_at=now, gone=tickets is None, whole_at=now if whole else read.whole_at)
        facts = [facts_of(t) for t in tickets or ()]
        if sweep:
            after = replace(after, swept_until=swept_until(now, len(facts) // ROWS_PER_CALL + 1))
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            if not await tx.views.put(after, read.read_at):
                return  # another replica read it meanwhile
            await self._prefer.store(tx, facts)
            await tx.views.heard(facts, now)
            shown = [one.id for one in facts]
            if whole:
                await tx.directory.put_view_tickets(read.view, shown)
            else:
                await tx.views.amend(read.view, shown, [one.facts.id for one in told])

    async def _answer(
        self, account: AccountId, read: ViewRead, since: datetime | None
    ) -> tuple[list[Ticket] | None, bool] | None:
        """Ask Zendesk for what changed in a view; return (tickets, whether they are all), None for a view that is
        gone; or nothing when there is no answer."""
        try:
            asked = (await self._zendesk.of(account)).tickets
            if since is not None:
                return await asked.of_view_since(read.view, since)
            return await asked.of_view(read.view), True
        except (RecordNotFoundError, ForbiddenError):
            # It holds nothing any more, and is asked for again when Zendesk shows it once more.
            get_logger().warning("a queue's view is gone", account=account, view=read.view)
            return None, True
        except (ZendeskError, DependencyUnavailableError) as error:
            why = type(error).__name__
            get_logger().warning("a view is not fresh", account=account, view=read.view, why=why)
            return None


def _compared(read: ViewRead, shown: ViewFilter | None, now: datetime) -> ViewRead:
    """Return what is known of a view once its conditions were asked for; None = Zendesk did not show it."""
    if shown is None:
        # It may be gone, or only be left out: its tickets tell, once.
        asked = read if read.gone else replace(read, read_at=NEVER, whole_at=NEVER)
        return replace(asked, checked_at=now, filter=ViewFilter())
    if shown == read.filter and not read.gone and shown.digest:
        return replace(read, checked_at=now)
    return replace(read, checked_at=now, filter=shown, gone=False, read_at=NEVER, whole_at=NEVER)
