"""What the RPCs call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from google.protobuf.message import Message

from libs.kernel.clock import Clock
from libs.kernel.ids import AccountId, IdSource
from libs.rpc.pages import PageTokens, page_size, query_of
from services.assignment.app.absences import Absences
from services.assignment.app.answer_offer import AnswerOffer
from services.assignment.app.assign_next import AssignNext
from services.assignment.app.count_usage import GetUsage
from services.assignment.app.explain import Explain
from services.assignment.app.give_back import ReleaseAgentTickets, SkipTicket
from services.assignment.app.ingest_webhook import IngestWebhook
from services.assignment.app.manage_queues import ManageQueues
from services.assignment.app.ports import Store
from services.assignment.app.rehearsal import Rehearsal, Rehearse
from services.assignment.app.run_minute_job import RunMinuteJob
from services.assignment.app.shift_exceptions import ShiftExceptions
from services.assignment.app.sync_account import SyncAccount
from services.assignment.app.update_agent_settings import UpdateAgentSettings
from services.assignment.app.watch import Watch
from services.assignment.app.why_idle import WhyIdle

RequestT = TypeVar("RequestT", bound=Message)


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything the servicer calls."""

    sync: SyncAccount
    ingest: IngestWebhook
    minute_job: RunMinuteJob
    next: AssignNext
    absences: Absences
    answer: AnswerOffer
    skip: SkipTicket
    release: ReleaseAgentTickets
    watch: Watch
    settings: UpdateAgentSettings
    exceptions: ShiftExceptions
    queues: ManageQueues
    explain: Explain
    rehearse: Rehearse
    why_idle: WhyIdle
    usage: GetUsage
    store: Store
    pages: PageTokens
    clock: Clock
    ids: IdSource


def last(name: str) -> str:
    """Return the last segment of a resource name."""
    return name.rpartition("/")[2]


def for_real(request: RequestT) -> RequestT:
    """Return a request without its `validate_only`."""
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("validate_only")
    return asked


class Methods:
    """A group of RPCs: translates, calls, translates."""

    def __init__(self, use: UseCases) -> None:
        self._use = use

    @asynccontextmanager
    async def _rehearsing(self, account: AccountId) -> AsyncIterator[tuple[Rehearsal, Self]]:
        """Yield the same RPCs on a transaction that is rolled back in the end; who may call is checked before."""
        async with self._use.rehearse(account) as on:
            use = replace(
                self._use,
                next=on.next,
                answer=on.answer,
                skip=on.skip,
                release=on.release,
                absences=on.absences,
                queues=on.queues,
                store=on.store,
            )
            yield on, type(self)(use)

    def _page(self, request: Any) -> tuple[int, int, bytes]:
        query = query_of(request)
        after = int(self._use.pages.decode(request.page_token, query).get("after", 0))
        return page_size(request.page_size), after, query

    def _cut(
        self, rows: list[Any], size: int, query: bytes, key: Callable[[Any], int]
    ) -> tuple[list[Any], str]:
        if len(rows) <= size:
            return rows, ""
        return rows[:size], self._use.pages.encode({"after": key(rows[size - 1])}, query)
