"""Leave and overtime."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from libs.kernel.ids import account_of
from services.assignment.domain.shifts import Kind, ShiftException
from services.assignment.rpc.authority import require_staff
from services.assignment.rpc.mapping import timestamp
from services.assignment.rpc.upstream import upstream
from services.assignment.rpc.use_cases import Methods, last
from setlist.assignment.v1 import assignment_resources_pb2 as resources
from setlist.assignment.v1 import assignment_service_pb2 as messages

_KINDS = {
    Kind.LEAVE: resources.ShiftException.KIND_LEAVE,
    Kind.OVERTIME: resources.ShiftException.KIND_OVERTIME,
}
_NAMES = {value: kind for kind, value in _KINDS.items()}
_EVERYBODY = "-"


class ShiftMethods(Methods):
    """Translates, calls, translates."""

    async def ListShiftExceptions(
        self, request: messages.ListShiftExceptionsRequest, context: Any
    ) -> messages.ListShiftExceptionsResponse:
        caller, named = require_staff(), last(request.parent)
        size, after, query = self._page(request)
        agent = None if named == _EVERYBODY else int(named)
        async with upstream():
            rows = (await self._use.exceptions.all(account_of(request.parent), caller, agent))[after:]
        token = self._use.pages.encode({"after": after + size}, query) if len(rows) > size else ""
        return messages.ListShiftExceptionsResponse(
            exceptions=[_message(row) for row in rows[:size]], next_page_token=token
        )

    async def ReplaceShiftExceptions(
        self, request: messages.ReplaceShiftExceptionsRequest, context: Any
    ) -> messages.ReplaceShiftExceptionsResponse:
        caller, agent = require_staff(), int(last(request.name))
        rows = [_row(agent, one) for one in request.exceptions]
        async with upstream():
            kept = await self._use.exceptions.replace(
                account_of(request.name), caller, agent, rows, validate_only=request.validate_only
            )
        return messages.ReplaceShiftExceptionsResponse(exceptions=[_message(row) for row in kept])


def _row(agent: int, one: resources.ShiftException) -> ShiftException:
    start, end = one.start_time.ToDatetime(tzinfo=UTC), one.end_time.ToDatetime(tzinfo=UTC)
    return ShiftException(agent, start, end, _NAMES[one.kind])


def _message(row: ShiftException) -> resources.ShiftException:
    return resources.ShiftException(
        agent_id=row.agent,
        kind=_KINDS[row.kind],
        start_time=timestamp(row.start),
        end_time=timestamp(row.end),
    )
