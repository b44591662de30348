"""Statuses: those that ended, as reports read them, and changes as they happen (facts: §2.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

from libs.kernel.errors import FieldViolation, InvalidRequestError
from libs.kernel.ids import account_of
from libs.rpc.pages import page_size
from services.assignment.app.status_history import StatusRecord
from services.assignment.rpc.agents import agent_messages
from services.assignment.rpc.authority import require_admin, require_staff
from services.assignment.rpc.mapping import timestamp
from services.assignment.rpc.use_cases import Methods
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

MAXIMUM_RECORDS = 3000


def _record(row: StatusRecord) -> resources.StatusRecord:
    return resources.StatusRecord(
        record_id=row.id,
        user_id=row.user_id,
        status=row.status,
        duration_seconds=row.seconds,
        updater_id=row.updater_id,
        start_time=timestamp(row.started_at),
        end_time=timestamp(row.ended_at),
    )


class StatusMethods(Methods):
    """Translates, calls, translates."""

    async def ListStatusRecords(
        self, request: messages.ListStatusRecordsRequest, context: Any
    ) -> messages.ListStatusRecordsResponse:
        require_admin()
        size = page_size(request.page_size, MAXIMUM_RECORDS, MAXIMUM_RECORDS)
        starts = request.HasField("start_time")
        if starts and request.page_token:
            fault = FieldViolation("start_time", "the page token says where to go on: give one of them")
            raise InvalidRequestError("start_time and page_token exclude each other", violations=[fault])
        # A cursor is good for every later call, with whatever else it asks for.
        query = f"status records of {request.parent}".encode()
        after = int(self._use.pages.decode(request.page_token, query).get("after", 0))
        async with self._use.store.transaction(account_of(request.parent)) as tx:
            if starts:
                after = await tx.statuses.behind(request.start_time.ToDatetime(UTC))
            rows = await tx.statuses.page(after, size + 1)
        shown, more = rows[:size], len(rows) > size
        cursor = self._use.pages.encode({"after": shown[-1].id if shown else after}, query)
        # Replicas' clocks differ: who was a moment later may have ended a moment earlier.
        shown = sorted(shown, key=lambda row: (row.ended_at, row.id))
        return messages.ListStatusRecordsResponse(
            records=[_record(row) for row in shown],
            next_page_token=cursor if more else "",
            cursor=cursor,
            end_of_stream=not more,
            end_time=timestamp(shown[-1].ended_at if shown else None),
        )

    async def WatchStatuses(
        self, request: messages.WatchStatusesRequest, context: Any
    ) -> AsyncIterator[messages.WatchStatusesResponse]:
        require_staff()
        account = account_of(request.parent)
        async for seen in self._use.watch.statuses(account, request.after_record):
            agent = None
            if seen.row is not None:
                async with self._use.store.transaction(account) as tx:
                    (agent,) = await agent_messages(tx, request.parent, [seen.row])
            yield messages.WatchStatusesResponse(agent=agent, record=seen.record)
