"""Schedules: copied from Zendesk, asked before a round with the exceptions to them, refused where nobody could go by
them (facts: §5.8).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.kernel.clock import Clock
from libs.kernel.errors import DependencyUnavailableError, FieldViolation, InvalidRequestError
from libs.kernel.ids import AccountId
from libs.telemetry.logs import get_logger
from libs.zendesk.errors import ForbiddenError, RecordNotFoundError, ZendeskError
from services.assignment.app.ports import Store, Transaction, Zendesk
from services.assignment.app.rows import QueueRow
from services.assignment.domain.hours import Hours, Schedule, fault, opens_at
from services.assignment.domain.model import Code, Decision, Outcome, Snapshot
from services.assignment.domain.shifts import Kind, ShiftException, back_at, off_shift

READ_EVERY = timedelta(hours=1)
"""How old a copy may be, per replica; ours: schedules change by hand, a few times a year."""


class SyncSchedules:
    """Copies the account's schedules; safe to repeat."""

    def __init__(self, store: Store, zendesk: Zendesk, clock: Clock) -> None:
        self._store = store
        self._zendesk = zendesk
        self._clock = clock
        self._read: dict[AccountId, datetime] = {}

    async def __call__(self, account: AccountId) -> None:
        """Copy. An account whose plan has no schedules has none.

        Raises:
            ZendeskError: Zendesk did not answer; what was known stays.
        """
        now = self._clock.now()
        client = await self._zendesk.of(account)
        found = []
        try:
            for one in await client.schedules.all():
                holidays = tuple((h.start_date, h.end_date) for h in await client.schedules.holidays(one.id))
                found.append(Schedule(one.id, one.time_zone, one.intervals, holidays))
        except (ForbiddenError, RecordNotFoundError):
            found = []
        async with self._store.transaction(account) as tx:
            await tx.decisions.lock()
            await tx.schedules.replace(found)
        self._read[account] = now

    async def when_due(self, account: AccountId) -> None:
        """Copy once an hour, where somebody goes by a schedule; while Zendesk does not answer, go by what is known."""
        last = self._read.get(account)
        if (
            last is not None and abs(self._clock.now() - last) < READ_EVERY
        ):  # also when the clock was set back
            return
        async with self._store.transaction(account) as tx:
            used = {q.options.schedule for q in await tx.directory.queues()} - {None}
            if not used and not await tx.schedules.of_agents():
                return
        try:
            await self(account)
        except (ZendeskError, DependencyUnavailableError) as error:
            get_logger().warning("schedules are not fresh", account=account, why=type(error).__name__)


async def applied(tx: Transaction, queue: QueueRow, snapshot: Snapshot, as_of: datetime) -> Snapshot:
    """Return a snapshot that says whether the queue is closed and which of its agents are off shift."""
    shifts = await tx.schedules.of_agents()
    dated = await tx.schedules.exceptions(after=as_of, until=as_of)
    if not snapshot.tickets or (queue.options.schedule is None and not shifts and not dated):
        return snapshot
    hours = Hours(as_of, await tx.schedules.all())
    resting = {s: hours.rests(s) for s in {*shifts.values(), queue.options.schedule}}
    off = off_shift([agent for agent, schedule in shifts.items() if resting[schedule]], dated, as_of)
    agents = [replace(a, off_shift=True) if a.id in off else a for a in snapshot.agents]
    closed = resting[queue.options.schedule]
    return replace(snapshot, agents=agents, queue=replace(snapshot.queue, closed=closed))


async def notes(tx: Transaction, queue: QueueRow, decision: Decision, as_of: datetime) -> list[str]:
    """Return when a resting queue opens or who is off shift comes back, or what is wrong with a schedule."""
    known = await tx.schedules.all()
    if decision.outcome is Outcome.QUEUE_CLOSED and queue.options.schedule is not None:
        return _coming("the queue opens", [queue.options.schedule], known, as_of)
    off = sorted(agent for agent, code in decision.codes.items() if code is Code.OFF_SHIFT)
    return await _returns(tx, off, known, as_of) if off else []


async def _returns(
    tx: Transaction, off: Sequence[int], known: Mapping[int, Schedule], as_of: datetime
) -> list[str]:
    """Return when the first of some agents who are off shift is back, those on leave for themselves."""
    shifts = await tx.schedules.of_agents()
    dated: dict[int, list[ShiftException]] = {}
    for one in await tx.schedules.exceptions(after=as_of, agents=off):
        dated.setdefault(one.agent, []).append(one)
    plain = {shifts[a] for a in off if a in shifts and a not in dated}
    begins = [at for i in plain if i in known and (at := opens_at(known[i], as_of)) is not None]
    ends: list[datetime] = []
    for agent, mine in dated.items():
        away = any(one.covers(as_of) and one.kind is Kind.LEAVE for one in mine)
        back = _back(mine, known, shifts.get(agent), as_of)
        if back is not None:
            (ends if away else begins).append(back)
    found = [f"the next shift begins at {min(begins):%Y-%m-%d %H:%M} UTC"] if begins else []
    if ends:  # who it is, is for those who may see his leave
        found.append(f"the first of those on leave is back on shift at {min(ends):%Y-%m-%d %H:%M} UTC")
    asked = sorted({shifts[a] for a in off if a in shifts})
    return found + _faults(asked, known) or _never(asked, known)


def _back(
    mine: Sequence[ShiftException], known: Mapping[int, Schedule], schedule_id: int | None, as_of: datetime
) -> datetime | None:
    schedule = known.get(schedule_id) if schedule_id is not None else None
    return back_at(
        mine,
        as_of,
        rests=lambda at: Hours(at, known).rests(schedule_id),
        opens=lambda at: opens_at(schedule, at) if schedule is not None else None,
    )


def _coming(what: str, asked: Collection[int], known: Mapping[int, Schedule], as_of: datetime) -> list[str]:
    openings = [at for i in asked if i in known and (at := opens_at(known[i], as_of)) is not None]
    if openings:
        return [f"{what} at {min(openings):%Y-%m-%d %H:%M} UTC", *_faults(asked, known)]
    return _faults(asked, known) or _never(asked, known)


def _faults(asked: Collection[int], known: Mapping[int, Schedule]) -> list[str]:
    return [wrong for i in asked if (wrong := fault(known.get(i), i))]


def _never(asked: Collection[int], known: Mapping[int, Schedule]) -> list[str]:
    return [
        f"schedule `{i}` has no hours within a year: give it some in Zendesk" for i in asked if i in known
    ]


async def require_usable(tx: Transaction, schedule: int | None, field: str) -> None:
    """Refuse a schedule that nobody can go by.

    Raises:
        InvalidRequestError: it is not known, or has no time zone that we know.
    """
    if schedule is None:
        return
    wrong = fault((await tx.schedules.all()).get(schedule), schedule)
    if wrong:
        raise InvalidRequestError("the schedule cannot be used", violations=[FieldViolation(field, wrong)])
